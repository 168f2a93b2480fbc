"""The pieces of the fit alone: start, uncertainty, settings."""

import math
from dataclasses import fields, replace

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.fitting import FitConfig, Iris, Photometric, Stage, fit_observation, prepare, preset
from fit3dmm.fitting.initialise import solve_weak_perspective
from fit3dmm.fitting.uncertainty import laplace, posterior
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.scene import Scene
from fit3dmm.solve import LBFGS, Adam, LevenbergMarquardt, Problem, sum_of_squares
from fit3dmm.solve.noise import term_products
from tests.fitting.synthetic import observe_scene
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


def test_covariance_of_a_linear_problem():
    matrix = torch.tensor([[2.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    start = {"x": torch.zeros(2, dtype=torch.float64), "y": torch.zeros(1, dtype=torch.float64)}
    terms = {
        "x": lambda v: sum_of_squares(matrix @ v["x"] - 1),
        "y": lambda v: sum_of_squares(v["y"] / 3),
    }
    problem = Problem(start, ("x", "y"), terms)
    products = term_products(problem, problem.evaluate(problem.flat_start()))
    found, by_energy = posterior(problem, products), laplace(problem, products)
    assert torch.allclose(found.covariance, by_energy.covariance)
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
            assert set(stage.terms) <= set(config.evidence())
    with pytest.raises(InputError, match="no preset"):
        preset("best")


def _numbers(settings) -> list[str]:
    return [
        one.name
        for one in fields(settings)
        if isinstance(getattr(settings, one.name), int | float)
        and not isinstance(getattr(settings, one.name), bool)
    ]


@pytest.mark.parametrize(
    "settings",
    [
        FitConfig(),
        FitConfig().stages[0],
        LevenbergMarquardt(),
        LBFGS(),
        Adam(),
        *[one for one in FitConfig().evidence().values() if fields(one)],
    ],
    ids=lambda settings: type(settings).__name__,
)
def test_every_number_of_the_settings_is_checked(settings):
    assert _numbers(settings)
    for name in _numbers(settings):
        whole = isinstance(getattr(settings, name), int)
        for wrong in (-1,) if whole else (-1.0, math.nan, math.inf):
            with pytest.raises(InputError, match=f"{name} must be .*, got {wrong}"):
                replace(settings, **{name: wrong})


def test_settings_that_mean_nothing_are_refused():
    for evidence in FitConfig().evidence().values():
        for name in [name for name in _numbers(evidence) if "sigma" in name or "scale" in name]:
            with pytest.raises(InputError, match=f"{name} must be above 0"):
                replace(evidence, **{name: 0.0})
    with pytest.raises(InputError, match="size_px must be above 0"):
        FitConfig(size_px=0)
    with pytest.raises(InputError, match="must rise"):
        Photometric(sigma_range=(0.3, 0.03))
    with pytest.raises(InputError, match="focal length must be above 0 px"):
        FitConfig(focal_px=-3.0)
    with pytest.raises(InputError, match="stage odd moves nose, which is no unknown"):
        Stage("odd", ("nose",), ("landmarks",))
    odd = Stage("odd", ("identity",), ("landmarks", "smell"))
    with pytest.raises(InputError, match="stage odd names smell, which is no evidence"):
        FitConfig(stages=(odd,))


def test_another_solver_is_another_setting():
    """The landmarks' stage by each solver, on a problem small enough for all of them."""
    model = toy_model()
    prepared = prepare(model, 100, {MEDIAPIPE: exact_detector(468, 0.5)})
    truth = Scene.portrait(model.zeros().replace(identity=torch.ones(6)), 400, 400)
    seen = observe_scene(model, truth, 64)
    config = FitConfig(stages=preset("landmarks").stages[1:], iris=Iris(noise_mm=1e3))
    solvers = (LevenbergMarquardt(), LBFGS(20), Adam(max_steps=20, learning_rate=0.1))
    for solver in solvers:
        (stage,) = fit_observation(seen, prepared, config.solved_by(solver)).stages
        assert stage.history[-1].energy < 0.5 * stage.history[0].energy, solver
        # Only Levenberg-Marquardt has a damping to tell of.
        assert (stage.history[0].damping > 0) == (solver == solvers[0])


def test_a_model_without_the_detectors_points_is_refused():
    model = toy_model()
    with pytest.raises(InputError, match="no mediapipe478"):
        prepare(model.replace(landmarks={}))
