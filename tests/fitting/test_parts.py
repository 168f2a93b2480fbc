"""The pieces of the fit alone: start, uncertainty, settings."""

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.fitting import FitConfig, prepare, preset
from fit3dmm.fitting.initialise import solve_weak_perspective
from fit3dmm.fitting.terms import BUILDERS
from fit3dmm.fitting.uncertainty import laplace
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.solve import Problem, plain
from tests.toy import toy_model


@pytest.mark.parametrize("seed", range(5))
def test_weak_perspective_is_exact_for_a_far_camera(seed):
    generator = torch.Generator().manual_seed(seed)
    points = 60 * torch.randn(30, 3, generator=generator, dtype=torch.float64)
    rotation = rotation_matrix(0.8 * torch.randn(3, generator=generator, dtype=torch.float64))
    place = torch.tensor([40.0, -30.0, -2e6], dtype=torch.float64)
    camera = Camera.centred(5e6, 600, 400).to(dtype=torch.float64)
    cam = points @ rotation.T + place
    found, px_per_mm, origin_px = solve_weak_perspective(points, camera.project(cam))
    # At two kilometres perspective is a ten-thousandth.
    assert torch.allclose(found, rotation, atol=1e-4)
    assert px_per_mm == pytest.approx(2.5, rel=1e-4)
    assert torch.allclose(origin_px, camera.project(place[None])[0], atol=0.05)


def test_laplace_of_a_linear_problem():
    matrix = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    start = {"x": torch.zeros(2, dtype=torch.float64), "y": torch.zeros(1, dtype=torch.float64)}
    terms = {
        "x": lambda v: plain(matrix @ v["x"] - 1),
        "y": lambda v: plain(v["y"] / 3),
    }
    problem = Problem(start, ("x", "y"), terms)
    found = laplace(problem, problem.evaluate(problem.flat_start()))
    wanted = torch.linalg.inv(matrix.T @ matrix)
    assert torch.allclose(found.covariance[:2, :2], wanted, atol=1e-6)
    assert found.sigma("y").item() == pytest.approx(3)
    assert found.sigma("z").item() == 0
    # The covariance of the two is -1/4 and their variances are 1/4 and 5/4.
    assert found.correlation(("x", 0), ("x", 1)) == pytest.approx(-0.25 / (0.25 * 1.25) ** 0.5)


def test_presets_name_terms_that_exist():
    for name in ("default", "landmarks", "fine"):
        config = preset(name)
        assert config.preset == name
        for stage in config.stages:
            assert set(stage.terms) <= set(BUILDERS)
    with pytest.raises(InputError, match="no preset"):
        preset("best")


def test_settings_are_checked():
    with pytest.raises(InputError, match="landmark_scale must be above 0"):
        FitConfig(landmark_scale=0.0)
    with pytest.raises(InputError, match="focal length"):
        FitConfig(focal_px=-3.0)


def test_a_model_without_the_detectors_points_is_refused():
    model = toy_model()
    with pytest.raises(InputError, match="no mediapipe478"):
        prepare(model.replace(landmarks={}))
