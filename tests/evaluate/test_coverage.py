"""What a fit says of its errors, held against the truth."""

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from fit3dmm.evaluate.coverage import LEVELS, Told, told_of
from fit3dmm.fitting.intervals import NORMAL, PEAKED, reach_in_sigmas
from fit3dmm.fitting.places import landmark_interval_px, landmark_places_px
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.fitting.vertex_sigma import face_rows
from fit3dmm.synthetic.specification import specify
from fit3dmm.synthetic.truth import Truth
from tests.export.faces import fitted, known_face


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.double().numpy()


@pytest.fixture(scope="module")
def known():
    return known_face()


@pytest.fixture(scope="module")
def result(known):
    return fitted(known)


@pytest.fixture(scope="module")
def truth(known):
    model, scene = known.model, known.scene
    coefficients, to_camera = scene.coefficients, scene.pose.T_cam_model
    n = model.n_vertices

    def points(name, face):
        return model.landmarks_mm(name, face)

    neutral = coefficients.neutral()
    return Truth(
        case=specify(0, 1),
        topology="toy",
        neutral_mm=_numpy(model.shape_mm(neutral)),
        expressive_mm=_numpy(model.shape_mm(coefficients)),
        triangles=model.surface.triangles.numpy(),
        face=_numpy(model.regions["face"]),
        visible=np.ones(n, bool),
        albedo_linear=np.ones((n, 3)),
        landmarks68_mm=_numpy(points("ibug68", neutral)),
        landmarks68_cam_mm=_numpy(to_camera @ points("ibug68", coefficients)),
        landmarks68_px=np.zeros((68, 2)),
        points478_mm=_numpy(points("mediapipe478", neutral)),
        points478_cam_mm=_numpy(to_camera @ points("mediapipe478", coefficients)),
        rotation=_numpy(to_camera.rotation),
        translation_mm=_numpy(scene.pose.translation_mm),
        focal_px=float(scene.camera.focal_px),
        radiance=np.ones((2, 4, 3)),
        hidden=np.zeros((2, 2), bool),
        face_pixels=np.zeros((2, 2), bool),
        deformation_mm=0.0,
    )


def test_errors_of_normal_size_are_covered_as_often_as_they_should():
    generator = np.random.default_rng(0)
    sigma = generator.uniform(0.5, 3, 20_000)
    honest = Told(sigma * generator.normal(size=len(sigma)), sigma)
    for level in LEVELS:
        assert honest.covered(level) == pytest.approx(level, abs=0.01)
    # Sigmas of half the size cover what half the interval would.
    bold = Told(honest.error, sigma / 2)
    assert bold.covered(0.95) == pytest.approx(0.673, abs=0.01)


def test_who_hits_the_truth_has_no_errors(known, result, truth):
    exact = result.replace(scene=known.scene)
    for name, told in told_of(exact, known.model, truth).items():
        np.testing.assert_allclose(told.error, 0, atol=2e-3, err_msg=name)
        assert (told.sigma > 0).all()


def test_errors_are_the_differences_from_the_truth(known, result, truth):
    """A head that is 10 mm farther to the right, and one that is a tenth farther away."""
    pose = known.scene.pose

    def told_at(translation_mm):
        moved = pose.replace(translation_mm=translation_mm)
        return told_of(result.replace(scene=known.scene.replace(pose=moved)), known.model, truth)

    aside = told_at(pose.translation_mm + torch.tensor([10.0, 0.0, 0.0]))
    across, down = aside["place"].error.reshape(-1, 2).T
    # In units of a millimetre at the face, of which some points are nearer than others.
    np.testing.assert_allclose(across, 10, rtol=0.2)
    np.testing.assert_allclose(down, 0, atol=1e-2)
    assert len(across) == len(face_rows(known.model))
    away = told_at(pose.translation_mm * torch.tensor([1.0, 1.0, 1.1]))
    assert away["distance"].error[0] == pytest.approx(np.log(1.1), abs=0.02)
    for told in (aside, away):
        np.testing.assert_allclose(told["relief"].error, 0, atol=1e-3)
        np.testing.assert_allclose(told["neutral"].error, 0, atol=1e-3)


def test_a_truth_of_another_mesh_is_refused(known, result, truth):
    from dataclasses import replace

    few = replace(
        truth,
        **{
            name: getattr(truth, name)[:50]
            for name in ("neutral_mm", "expressive_mm", "face", "visible", "albedo_linear")
        },
    )
    with pytest.raises(ValueError, match="own mesh"):
        told_of(result, known.model, few)


@pytest.mark.parametrize("exponent", [PEAKED, NORMAL, 3.0])
def test_intervals_hold_what_they_say_of_errors_of_their_law(exponent):
    # The power of such an error by this exponent has a gamma distribution.
    generator = np.random.default_rng(1)
    drawn = generator.gamma(1 / exponent, size=200_000) ** (1 / exponent)
    error = drawn * generator.choice([-1.0, 1.0], size=len(drawn))
    told = Told(error, np.full(len(error), error.std()), exponent)
    for level in LEVELS:
        assert told.covered(level) == pytest.approx(level, abs=0.005)


def test_a_normal_interval_is_the_usual_one_and_others_lie_beside_it():
    for level in LEVELS:
        assert reach_in_sigmas(level) == pytest.approx(NormalDist().inv_cdf(0.5 + level / 2))
    # Of a peaked law more lies in the middle and more far out.
    assert reach_in_sigmas(0.5, PEAKED) < reach_in_sigmas(0.5)
    assert reach_in_sigmas(0.99, PEAKED) > reach_in_sigmas(0.99)
    # An even distribution ends at the root of three.
    assert reach_in_sigmas(0.999, 200.0) == pytest.approx(3**0.5, rel=0.02)


def test_intervals_of_distance_and_focal_length_are_as_far_up_as_down_in_the_logarithm(result):
    # Where it was given there is nothing to doubt.
    assert result.focal_interval_px() == (result.focal_px, result.focal_px)
    names = ("translation_mm", "log_focal")
    told = Uncertainty(names, (3, 1), torch.diag(torch.tensor([1.0, 1.0, 900.0, 0.01])))
    result = result.replace(uncertainty=told)
    sigmas = result.distance_sigma_mm, result.focal_sigma_px
    found = result.distance_interval_mm, result.focal_interval_px
    middles = result.distance_mm, result.focal_px
    for interval, middle, sigma in zip(found, middles, sigmas, strict=True):
        low, high = interval(0.8)
        assert low * high == pytest.approx(middle**2)
        assert math.log(high / low) == pytest.approx(2 * sigma / middle * reach_in_sigmas(0.8))
        wider = interval()
        assert wider[0] < low < high < wider[1]


def test_borders_of_landmarks_lie_about_them_and_hold_the_truth(known, result):
    px, sigma_px = landmark_places_px(result, known.model)
    low, high = landmark_interval_px(result, known.model, 0.8)
    assert torch.allclose(low + high, 2 * px, atol=1e-3)
    reach_px = reach_in_sigmas(0.8, PEAKED) * sigma_px
    assert torch.allclose(high - low, 2 * reach_px, rtol=1e-4, atol=1e-3)
    assert (landmark_interval_px(result, known.model)[0] < low).all()
    scene = known.scene
    points = known.model.landmarks_mm("ibug68", scene.coefficients)
    true_px = scene.camera.project(scene.pose.T_cam_model @ points)
    # Of a toy whose photo is its own picture.
    low, high = landmark_interval_px(result, known.model)
    assert ((low < true_px) & (true_px < high)).float().mean() > 0.8
