"""A network that another model than its own borrows: what it sees counts, its people do not."""

from dataclasses import replace

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.fitting import FitConfig, fit_photo, prepare
from fit3dmm.model.files import load_model
from fit3dmm.observe.detection import NETWORK
from fit3dmm.observe.photo import read_photo
from fit3dmm.regress.library import regressor_of
from fit3dmm.regress.outputs import BLOCKS, SIGMAS


@pytest.fixture(scope="module")
def own():
    return load_model(level=0)


@pytest.fixture(scope="module")
def other(own):
    """As wide as no other, and with fewer components."""
    stretch = torch.tensor([1.03, 1.0, 1.0])
    return own.replace(mean_mm=own.mean_mm * stretch, identity_basis_mm=own.identity_basis_mm[:30])


@pytest.fixture(scope="module")
def photo():
    return read_photo(data_path("examples") / "astronaut.png")


def test_only_its_own_model_takes_coefficients(own, other):
    known, borrowed = regressor_of(own), regressor_of(other)
    assert known is not None
    assert borrowed is not None
    assert known.knows_coefficients
    assert not borrowed.knows_coefficients
    assert borrowed.network is known.network


def test_a_model_without_its_points_has_none(own):
    fewer = {name: one for name, one in own.landmarks.items() if name != "spread200"}
    assert regressor_of(own.replace(landmarks=fewer)) is None


def test_its_points_are_seen_and_its_person_is_not(own, other, photo):
    config = FitConfig()
    n = config.photometric.n_samples
    (mine,) = fit_photo(photo, prepare(own, n, regressor=regressor_of(own)), config)
    (theirs,) = fit_photo(photo, prepare(other, n, regressor=regressor_of(other)), config)
    seen, same = mine.observation, theirs.observation
    assert torch.equal(seen.detections[NETWORK].points_px, same.detections[NETWORK].points_px)
    assert torch.equal(seen.predicted.tone, same.predicted.tone)
    for name in BLOCKS:
        told = getattr(same.predicted, name)
        assert told.shape == getattr(other.zeros(), name).shape
        assert not told.any()
        assert float(same.predicted.log_sigmas[SIGMAS.index(name)]) == 0
    assert theirs.start == "landmarks"
    scene = theirs.scene
    face_mm = other.landmarks_mm("mediapipe478", scene.coefficients)
    fitted_px = scene.camera.project(scene.pose.T_cam_model @ face_mm)
    told_px = same.detections[NETWORK].points_px[:478]
    height_px = told_px[:, 1].max() - told_px[:, 1].min()
    assert (fitted_px - told_px).norm(dim=1).mean() < 0.015 * height_px


def test_it_can_not_say_the_start(other, photo):
    config = replace(FitConfig(), init="regressor")
    with pytest.raises(InputError, match="none looked that knows the coefficients"):
        fit_photo(photo, prepare(other, 400, regressor=regressor_of(other)), config)
