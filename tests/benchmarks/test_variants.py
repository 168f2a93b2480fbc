"""Variants of the fit look at a photo as a fit with their settings does."""

import pytest

from fit3dmm._files import data_path
from fit3dmm.fitting import FitConfig, preset
from fit3dmm.fitting.look import look
from fit3dmm.observe.choice import NoFaceError
from fit3dmm.observe.detection import MEDIAPIPE, NETWORK
from tests.shared_data import shared
from variants import DEFAULT, VARIANTS, trial_of

EXAMPLE = data_path("examples/astronaut.png")


@pytest.fixture(scope="module")
def trial():
    """The default fit of the example before it is run."""
    found = trial_of(EXAMPLE, focal_px=700.0)
    assert found is not None
    return found


def changed(trial, name):
    return VARIANTS[name].change(trial)


@pytest.mark.parametrize("name", ["crop of 384 px", "focal known", "no network"])
def test_what_is_seen_is_what_a_fit_sees(trial, name):
    variant = changed(trial, name)
    (seen,) = look(trial.photo, variant.prepared, variant.config, "largest")
    assert variant.observation.size_px == variant.config.size_px
    assert variant.observation.detections.keys() == seen.detections.keys()
    assert (NETWORK in seen.detections) == (name != "no network")
    for source, one in seen.detections.items():
        assert one.points_px.equal(variant.observation.detections[source].points_px)


def test_where_settings_see_the_same_nothing_is_looked_at_again(trial):
    for name in (DEFAULT, "no iris", "distance prior / 10", "accurate"):
        assert changed(trial, name).observation is trial.observation


def test_presets_take_their_own_crop_and_samples(trial):
    paper, fast = changed(trial, "deng2019-paper"), changed(trial, "fast")
    assert paper.observation.detections.keys() == {MEDIAPIPE}
    assert not paper.observation.T_crop_photo.scale.equal(trial.observation.T_crop_photo.scale)
    assert len(fast.prepared.neighbours) == preset("fast").photometric.n_samples
    assert fast.observation is trial.observation


def test_a_prior_that_is_weakened_is_weaker(trial):
    weaker = changed(trial, "distance prior / 10").config.distance
    seen = trial.observation
    assert weaker.of(seen)[1] ** 2 == pytest.approx(10 * FitConfig().distance.of(seen)[1] ** 2)


def test_a_profile_is_measured_by_who_sees_it():
    profile = trial_of(shared("lee_perry_smith") / "lps_f700_yaw-60_light0.png")
    assert profile is not None
    assert MEDIAPIPE not in profile.observation.detections
    with pytest.raises(NoFaceError, match="With these settings nobody sees a face"):
        changed(profile, "no network")
