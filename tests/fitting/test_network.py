"""The model's own network in the fit: what it sees, how it errs, and where a fit starts."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.fitting import FitConfig, fit_observation, prepare, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.evidence import Photometric
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.learn_errors import Seen, learn_errors
from fit3dmm.fitting.look import seen_by_network
from fit3dmm.fitting.network_errors import around, compare, learn_network_errors
from fit3dmm.fitting.stage import Stage
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.observe.detection import MEDIAPIPE, NETWORK, Detection
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.observe.predicted import Predicted
from fit3dmm.regress.batch import Batch
from fit3dmm.regress.files import Regressor, RegressorInfo
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.outputs import SIGMAS, Outputs
from fit3dmm.scene import Scene
from fit3dmm.unknowns import JOINTS, modes_of, values_of
from tests.fitting.synthetic import observe_scene
from tests.fitting.test_fit import random_scene
from tests.toy import toy_model

POINTS = "mediapipe478"
SIDE = 64


@pytest.fixture(scope="module")
def model():
    return toy_model()


@pytest.fixture(scope="module")
def prepared(model):
    errors = {MEDIAPIPE: exact_detector(468, 0.5), NETWORK: exact_detector(478, 0.5, POINTS)}
    return prepare(model, 400, errors)


def predicted_of(scene: Scene, observation: Observation) -> Predicted:
    values = {name: one for name, one in values_of(scene).items() if name != JOINTS}
    return Predicted(
        **values,
        log_sigmas=torch.zeros(len(SIGMAS)),
        distance_mm=-scene.pose.translation_mm[2],
        distance_log_sigma=torch.tensor(0.4),
        tone=torch.tensor(0.3),
        cover=torch.full((6, 8, 8), 1 / 6),
        T_crop_photo=observation.T_crop_photo,
        crop_size_px=SIDE,
    )


def test_the_network_adds_its_points_and_its_face(model, prepared):
    network = FaceNetwork(
        NetworkSettings(
            "lite0", 478, model.n_identity, model.n_detail, model.n_expression, model.n_albedo
        ),
        torch.rand(478, 2),
    ).eval()
    info = RegressorInfo("toy", "", (POINTS,), SIDE, "CC0-1.0", "None.", {})
    # Nothing is known of its errors, so that it can't speak against MediaPipe.
    known = {MEDIAPIPE: prepared.detectors[MEDIAPIPE]}
    looking = prepared.replace(regressor=Regressor(network, info), detectors=known)
    seen = observe_scene(model, random_scene(model, 1), 64)
    photo = photo_from_array(np.full((seen.photo_height_px, seen.photo_width_px, 3), 0.4))
    told = seen_by_network(seen, photo, looking, FitConfig())
    assert list(told.detections) == [MEDIAPIPE, NETWORK]
    detection = told.detections[NETWORK]
    assert detection.points_px.shape == (478, 2)
    assert detection.covariance_px2 is not None
    assert told.predicted is not None
    # An untrained network sees the mean face.
    assert told.predicted.identity.abs().max() == 0
    assert torch.equal(told.detection().points_px, seen.detection().points_px)
    # Nobody asks it where nothing would come of it, and where there is none.
    stages = tuple(
        replace(one, terms=tuple(t for t in one.terms if t != "network"))
        for one in preset("landmarks").stages
    )
    assert seen_by_network(seen, photo, looking, FitConfig(stages=stages)) is seen
    assert seen_by_network(seen, photo, prepared, FitConfig()) is seen


def test_a_fit_goes_on_from_the_better_start(model, prepared):
    config = preset("landmarks")
    truth = random_scene(model, 2)
    seen = observe_scene(model, truth, 64)
    assert fit_observation(seen, prepared, config).start == "landmarks"
    right = seen.replace(predicted=predicted_of(truth, seen))
    assert fit_observation(right, prepared, config).start == "regressor"
    # Nobody looks like this, and a few steps do not mend it.
    strange = 6 * torch.ones_like(truth.coefficients.identity)
    wrong = seen.replace(predicted=right.predicted.replace(identity=strange))
    assert fit_observation(wrong, prepared, config).start == "landmarks"
    forced = fit_observation(right, prepared, replace(config, init="landmarks"))
    assert forced.start == "landmarks"
    with pytest.raises(InputError, match="none looked"):
        fit_observation(seen, prepared, replace(config, init="regressor"))


def test_a_start_that_is_no_number_is_not_taken(model, prepared):
    truth = random_scene(model, 2)
    seen = observe_scene(model, truth, 64)
    broken = predicted_of(truth, seen)
    broken = broken.replace(identity=torch.full_like(broken.identity, torch.nan))
    seen, config = seen.replace(predicted=broken), preset("landmarks")
    result = fit_observation(seen, prepared, config)
    assert result.start == "landmarks"
    # It is the fit that is told to begin there.
    told = fit_observation(seen, prepared, replace(config, init="landmarks"))
    assert torch.equal(result.scene.coefficients.identity, told.scene.coefficients.identity)
    assert result.quality == told.quality
    assert result.quality.landmark_error_mm < 0.5


def test_the_networks_points_count_beside_mediapipes(model, prepared):
    truth = random_scene(model, 4)
    seen = observe_scene(model, truth, 64)
    points_px = seen.detection().points_px + torch.tensor([4.0, 0.0])
    both = seen.seen_by(Detection(NETWORK, POINTS, points_px))
    result = fit_observation(both, prepared, preset("landmarks"))
    assert result.energies["network"] > 0
    assert modes_of(NETWORK) not in result.uncertainty.names  # an exact detector has no modes
    # Half way between the two.
    alone = fit_observation(seen, prepared, preset("landmarks"))
    moved = [
        float(one.scene.camera.project(one.scene.pose.translation_mm[None])[0, 0])
        for one in (result, alone)
    ]
    assert moved[0] - moved[1] == pytest.approx(2, abs=0.6)


def test_colours_of_what_the_network_calls_covered_hardly_count(model, prepared):
    truth = random_scene(model, 5)
    seen = observe_scene(model, truth, 64)
    stage = preset("default").stages[-1]

    def weights(cover: torch.Tensor) -> torch.Tensor:
        told = seen.replace(predicted=predicted_of(truth, seen).replace(cover=cover))
        at = context_at(prepared, told, stage, values_at(truth, prepared))
        return Photometric(cover_floor=0.2).weights(at)

    bare, left_hidden = torch.zeros(6, 8, 8), torch.zeros(6, 8, 8)
    bare[1] = 1
    left_hidden[1, :, 4:] = 1  # the left half of the crop is hair
    left_hidden[2, :, :4] = 1
    all_seen, half_seen = weights(bare), weights(left_hidden)
    shares = half_seen[all_seen > 0] / all_seen[all_seen > 0]
    assert shares.min() == pytest.approx(0.2, abs=1e-5)
    assert shares.max() == pytest.approx(1.0, abs=1e-5)
    assert 0.25 < (shares > 0.6).float().mean() < 0.75


def test_a_known_focal_length_says_more_of_the_distance_than_the_network(model, prepared):
    truth = random_scene(model, 5)
    seen = observe_scene(model, truth, 64)
    told = predicted_of(truth, seen)
    told = seen.replace(predicted=told.replace(distance_mm=0.7 * told.distance_mm))
    stages = (Stage("pose", ("rotation_rad", "translation_mm"), ("landmarks", "distance")),)
    config = FitConfig(stages=stages, focal_px=float(truth.camera.focal_px))
    depths_mm = [
        float(fit_observation(one, prepared, config).scene.pose.translation_mm[2])
        for one in (told, seen)
    ]
    assert depths_mm[0] == pytest.approx(depths_mm[1], rel=1e-4)
    # Where it is not known, what the network sees does move the face.
    free = replace(
        config, focal_px=None, stages=(replace(stages[0], free=(*stages[0].free, "log_focal")),)
    )
    near, far = (fit_observation(one, prepared, free) for one in (told, seen))
    assert near.distance_mm < 0.95 * far.distance_mm
    # The fit holds to it more than the network's own sigma says; how sure it is goes by that sigma.
    assert near.distance_sigma_mm / near.distance_mm > 1.3 * near.quality.distance_log_sigma
    assert far.distance_sigma_mm / far.distance_mm == pytest.approx(
        far.quality.distance_log_sigma, rel=1e-3
    )


# -- how it errs ------------------------------------------------------------------------------


def test_errors_are_learned_in_the_sigmas_that_are_told():
    """Photos differ tenfold in how hard they are; what they have in common comes out."""
    rng = np.random.default_rng(0)
    n, half = 3000, 100
    right = rng.normal(size=(half, 3)) * [30, 50, 20] + [40, 0, 0]
    reference = np.concatenate([right, right * [-1, 1, 1]])
    mirror = np.roll(np.arange(2 * half), half)
    hard = np.exp(rng.uniform(np.log(0.3), np.log(3), n))
    factor = np.array([[1.0, 0.0], [0.6, 0.5]])
    flip = np.where(np.arange(2 * half)[:, None, None] < half, 1, [[1, -1], [-1, 1]])
    told = hard[:, None, None, None] * (factor * flip)
    mode = rng.normal(size=(half, 2))
    mode = np.concatenate([mode, mode * [-1, 1]])
    z = rng.normal(size=(n, 1, 1))
    white = 0.8 * z * mode + 0.5 * rng.normal(size=(n, 2 * half, 2))
    error = np.einsum("fpxy,fpy->fpx", told, white)
    yaw = rng.uniform(-0.2, 0.2, n)
    forward = np.stack([np.sin(yaw), np.zeros(n), np.cos(yaw)], 1)
    points = reference + rng.normal(size=(n, 2 * half, 3))
    seen = Seen(error, points, forward, np.full(n, 1000.0), told)
    errors, _ = learn_errors(seen, reference, mirror, views_deg=(0.0,))
    assert errors.in_told_sigmas
    # The modes after the first take some of the noise, too.
    assert torch.allclose(errors.sigma, torch.tensor(0.45), atol=0.05)
    first, wanted = errors.modes[0, :, :, 0].double(), 0.8 * torch.from_numpy(mode)
    likeness = (first * wanted).sum().abs() / (first.norm() * wanted.norm())
    assert likeness > 0.99
    # The worst faces are left out as mistakes, so it comes out a little small.
    assert 0.85 < first.norm() / wanted.norm() < 1.02
    assert errors.bias_mm.abs().max() < 0.05


def test_what_is_told_shares_the_errors_of_a_photo(model):
    told = exact_detector(478, 0.5, POINTS).replace(in_told_sigmas=True)
    detector = prepare(model, 100, {NETWORK: told}).detectors[NETWORK]
    rotation = rotation_matrix(torch.tensor([0.0, 0.0, 0.4]))
    covariance = torch.tensor([[4.0, 1.0], [1.0, 1.0]]).expand(478, 2, 2)
    errors = detector.at_view(rotation, 2.0, 1.0, 1.0, 0.0, covariance)
    noise_px2 = torch.linalg.inv(errors.whitening.mT @ errors.whitening)
    # However the head is held, the noise is what was told, by the table's share.
    assert torch.allclose(noise_px2, 0.25 * covariance, atol=1e-3)


def a_batch(n: int, size: int = SIDE) -> Batch:
    rng = torch.Generator().manual_seed(0)
    rotation = rotation_matrix(0.3 * torch.randn(n, 3, generator=rng))
    return Batch(
        image_srgb=torch.rand(n, 3, size, size, generator=rng),
        points_px=size * (0.3 + 0.4 * torch.rand(n, 478, 2, generator=rng)),
        cover=torch.zeros(n, 8, 8, dtype=torch.long),
        rotation=rotation,
        translation_mm=torch.tensor([0.0, 0.0, -800.0]).expand(n, 3),
        focal_px=torch.full((n,), 200.0),
        principal_point_px=torch.full((n, 2), size / 2),
        coefficients={name: torch.zeros(n, 2) for name in SIGMAS[:4]},
        is_of_model=torch.ones(n, dtype=torch.bool),
        irradiance_sh=torch.zeros(n, 9, 3),
        tone=torch.full((n,), 0.3),
    )


def test_crops_are_centred_on_what_was_seen():
    batch = a_batch(5)
    centred = around(batch, batch.points_px / SIDE)
    face = centred.points_px[:, :468]
    low, high = face.amin(1), face.amax(1)
    torch.testing.assert_close((low + high) / 2, torch.full((5, 2), SIDE / 2))
    torch.testing.assert_close((high - low).amax(1), torch.full((5,), SIDE / 1.6))


def test_errors_are_told_with_the_head_upright():
    """A shift along the head's own axis is one along y, whichever way the head is held."""
    batch = a_batch(4)
    up_px = torch.nn.functional.normalize(batch.rotation[:, :2, 1]) * torch.tensor([1.0, -1.0])
    outputs = Outputs(
        points=(batch.points_px + 2 * up_px[:, None]) / SIDE,
        log_sigma=torch.full((4, 478, 2), 0.02).log(),
        correlation=torch.zeros(4, 478),
        coefficients={}, log_sigmas={}, pose=batch.pose, light_asinh=torch.zeros(4, 9, 3),
        log_tone=torch.zeros(4), cover=torch.zeros(4, 6, 8, 8),
    )  # fmt: skip
    seen = compare(outputs, batch, torch.zeros(4, 478, 3))
    expected = np.broadcast_to([0, 2 * 800 / 200], (4, 478, 2))
    np.testing.assert_allclose(seen.error_mm, expected, atol=1e-3)
    assert seen.told_mm is not None
    sigma_mm = 0.02 * SIDE * 800 / 200
    np.testing.assert_allclose(seen.told_mm[0, 0], sigma_mm * np.eye(2), atol=1e-3)


def test_too_few_pictures_for_a_table_end_in_a_sentence():
    model = load_model(level=0)
    network = FaceNetwork(NetworkSettings("lite0", 478, 1, 1, 1, 1), torch.rand(478, 2)).eval()
    with pytest.raises(InputError, match="1000 pictures or more, got 0"):
        learn_network_errors(network, [], model, (POINTS,), SIDE)
