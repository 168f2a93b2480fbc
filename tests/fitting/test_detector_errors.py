"""The detector's errors: frames, symmetry, and what it is worth to know them."""

import itertools
import math
from dataclasses import replace

import h5py
import pytest
import torch

from fit3dmm.energy.detected import view_features
from fit3dmm.fitting import Landmarks, fit_observation, prepare, preset
from fit3dmm.fitting.detector_errors import landmark_error_model, upright_axes
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.observe.detector_errors import detector_errors, exact_detector, write_errors
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.unknowns import starts, values_of
from tests.fitting.synthetic import observe_scene, with_points

FLIP = torch.tensor([-1.0, 1.0])


@pytest.fixture(scope="module")
def prepared():
    return prepare(load_model(), 300)


def seen_from(prepared, rotation_rad):
    rotation = rotation_matrix(torch.tensor(rotation_rad))
    return prepared.detectors[MEDIAPIPE].at_view(rotation, 2.0, 1.5, 1.0, 0.0)


def test_the_model_that_was_measured_has_scores_of_zero(prepared):
    detected = prepared.detectors[MEDIAPIPE]
    # Both are of one mean face; what differs is rounding.
    assert torch.allclose(detected.R_model_reference, torch.eye(3), atol=1e-5)
    assert detected.scores.at_mean.abs().max() < 1e-3


def test_a_model_in_another_frame_has_the_same_scores(prepared):
    turn = rotation_matrix(torch.tensor([0.2, -0.1, 0.3]))
    points = prepared.points[MEDIAPIPE_POINTS]
    moved = points.replace(
        mean=points.mean @ turn.T + torch.tensor([5.0, -30.0, 12.0]),
        basis=torch.einsum("yx,pxk->pyk", turn, points.basis),
    )
    here, there = (landmark_error_model(detector_errors(), p) for p in (points, moved))
    assert torch.allclose(there.R_model_reference, turn, atol=1e-4)
    assert torch.allclose(there.scores.at_mean, here.scores.at_mean, atol=1e-3)
    for name in ("identity", "detail", "expression"):
        a, b = (
            which.scores.wrt(name, which.points.at(starts(prepared.model)))
            for which in (here, there)
        )
        assert torch.allclose(a, b, atol=1e-4)


def test_upright_axes_put_the_top_of_the_head_on_top():
    up = torch.tensor([[0.3, 0.9], [-2.0, 0.1], [0.0, 1.0]])
    axes = upright_axes(up)
    turned = (axes @ up[..., None])[..., 0]
    assert torch.allclose(turned[:, 0], torch.zeros(3), atol=1e-6)
    assert (turned[:, 1] > 0).all()
    assert torch.allclose(axes @ axes.transpose(1, 2), torch.eye(2).expand(3, 2, 2), atol=1e-6)
    assert torch.allclose(torch.linalg.det(axes), torch.ones(3))


def test_a_tilted_head_has_tilted_errors(prepared):
    upright, tilted = seen_from(prepared, [0.0, 0.0, 0.0]), seen_from(prepared, [0.0, 0.0, 0.5])
    # Counter-clockwise in the picture, whose y is down.
    turn = torch.tensor([[math.cos(0.5), math.sin(0.5)], [-math.sin(0.5), math.cos(0.5)]])
    assert torch.allclose(tilted.bias_px, upright.bias_px @ turn.T, atol=1e-4)
    assert torch.allclose(tilted.modes_px, turn @ upright.modes_px, atol=1e-4)
    assert torch.allclose(tilted.whitening, upright.whitening)


def test_errors_of_the_other_side_are_the_mirror_image(prepared):
    mean_mm = prepared.points[MEDIAPIPE_POINTS].mean[:468]
    flipped = mean_mm * torch.tensor([-1.0, 1.0, 1.0])
    mirror = torch.cdist(flipped, mean_mm).argmin(1)
    left, right = (seen_from(prepared, [0.0, sign * 0.7, 0.0]) for sign in (-1, 1))
    # Every face was measured with its mirror image; what is left is rounding.
    assert torch.allclose(left.bias_px, (right.bias_px * FLIP)[mirror], atol=0.02)
    assert torch.allclose(left.whitening, right.whitening[mirror], rtol=0.01)


def test_errors_change_smoothly_with_the_view(prepared):
    """Between two views they are in between, at a view and beyond the last one they are its own."""
    bias = [seen_from(prepared, [0.0, math.radians(deg), 0.0]).bias_px for deg in (20, 25, 40, 60)]
    assert torch.allclose(bias[1], 0.75 * bias[0] + 0.25 * bias[2], atol=1e-3)
    profile = seen_from(prepared, [0.0, math.radians(80), 0.0])
    assert torch.allclose(profile.bias_px, bias[3], atol=1e-3)
    near, far = (seen_from(prepared, [0.0, math.radians(d), 0.0]).modes_px for d in (29.9, 30.1))
    assert (near - far).norm() < 0.02 * near.norm()


def test_modes_of_neighbouring_views_are_alike():
    modes = detector_errors().modes.flatten(1, 2)
    for one, other in itertools.pairwise(modes):
        likeness = (one * other).sum() / (one.norm() * other.norm())
        assert likeness > 0.7


def test_the_table_says_what_it_is(tmp_path):
    errors = detector_errors()
    path = tmp_path / "errors.h5"
    write_errors(path, errors, licence="CC0-1.0")
    with h5py.File(path) as file:
        assert file.attrs["licence"] == "CC0-1.0"
        assert file.attrs["format"] == "fit3dmm detector errors"
        for name, stored in (("bias_mm",) * 2, ("modes", "modes_mm"), ("score_basis",) * 2):
            kept = torch.from_numpy(file[stored][()]).float()
            # It has been through half precision once.
            assert torch.equal(kept, getattr(errors, name))


def test_knowing_the_detector_gives_better_faces(prepared):
    """Points with the table's own errors: shape and turn come out better than at their word."""
    model, config = prepared.model, preset("landmarks")
    exact = landmark_error_model(exact_detector(468, 2.0), prepared.points[MEDIAPIPE_POINTS])
    naive = prepared.replace(detectors={MEDIAPIPE: exact})
    known_off, naive_off = [], []
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        truth = portrait(model, generator)
        observation = with_errors(prepared, truth, observe_scene(model, truth, 64), generator)
        focal_px = float(truth.camera.focal_px)
        for which, off in ((prepared, known_off), (naive, naive_off)):
            settings = replace(config, focal_px=focal_px, landmarks=Landmarks(modes_scale=1.0))
            scene = fit_observation(observation, which, settings).scene
            turn = scene.pose.T_cam_model.rotation.T @ truth.pose.T_cam_model.rotation
            off.append([shape_error_mm(model, scene, truth), float((turn - torch.eye(3)).norm())])
    known, plain = torch.tensor(known_off), torch.tensor(naive_off)
    gain = plain - known
    error = gain.std(0) / len(gain) ** 0.5
    # Shape and turn of twenty people come out better by more than chance, and by a good part.
    assert (gain.mean(0) > 2 * error).all()
    assert (known.mean(0) < 0.9 * plain.mean(0)).all()


def portrait(model, generator) -> Scene:
    face = model.sample(generator=generator)
    turn = (torch.rand(3, generator=generator) - 0.5) * torch.tensor([0.4, 1.4, 0.4])
    camera = Camera.centred(1300.0, 640, 640)
    pose = Pose(turn, torch.tensor([0.0, 0.0, -900.0]))
    return Scene(face, pose, camera, Lighting.ambient_white())


def with_errors(prepared, scene, observation, generator):
    """The same observation by a detector that errs as the table says."""
    px_per_mm = float(scene.camera.focal_px / -scene.pose.translation_mm[2])
    rotation = scene.pose.T_cam_model.rotation
    errors = prepared.detectors[MEDIAPIPE].at_view(rotation, px_per_mm, 1.0, 1.0, 0.0)
    points = prepared.detectors[MEDIAPIPE].points.at(values_of(scene))
    turn = errors.upright @ (rotation @ errors.forward)[:2]
    view = view_features(turn, -scene.pose.translation_mm[2])
    z = torch.randn(errors.modes_px.shape[-1], generator=generator)
    white = torch.randn(468, 2, 1, generator=generator)
    noise = torch.linalg.solve(errors.whitening, white)[..., 0]
    px = observation.detection().points_px.clone()
    px[:468] += (
        errors.bias_px + errors.by_score_px @ errors.scores.at(points) + errors.by_view_px @ view
    )
    px[:468] += errors.modes_px @ z + noise
    return with_points(observation, px)


def shape_error_mm(model, scene, truth) -> float:
    face = model.regions["face"] > 0.5
    a, b = (model.shape_mm(s.coefficients.neutral())[face].double() for s in (scene, truth))
    a, b = a - a.mean(0), b - b.mean(0)
    u, s, vt = torch.linalg.svd(a.T @ b)
    return float((s.sum() / a.square().sum() * a @ (u @ vt) - b).norm(dim=1).mean())


def test_the_detectors_part_is_an_unknown_of_the_fit(prepared):
    generator = torch.Generator().manual_seed(0)
    truth = portrait(prepared.model, generator)
    observation = observe_scene(prepared.model, truth, 64)
    result = fit_observation(observation, prepared, preset("landmarks"))
    sigma = result.uncertainty.sigma("detector_modes/mediapipe")
    assert len(sigma) == prepared.detectors[MEDIAPIPE].errors.n_modes
    # Every photo tells something of it, and none tells all.
    assert (sigma < 1.0001).all()
    assert sigma.min() < 0.6
