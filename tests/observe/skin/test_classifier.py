"""The estimator keeps scikit-learn's contracts, and what it learned is evaluated without it."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import check_estimator

from fit3dmm.observe.skin import SkinModel, skin_probability
from fit3dmm.observe.skin.classifier import SkinClassifier
from fit3dmm.observe.skin.spaces import COLOUR_SPACES, in_space
from tests.observe.skin.examples import colours


def test_scikit_learns_own_checks():
    """They give any number of channels, so with numbers as they come."""
    done = check_estimator(
        SkinClassifier(colour_space=None, n_skin=1, n_other=1),
        on_fail=None,
        on_skip=None,
    )
    failed = {one["check_name"]: one["exception"] for one in done if one["status"] == "failed"}
    assert not failed
    assert sum(one["status"] == "passed" for one in done) > 45


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_stored_mixtures_give_scikit_learns_own_posterior(space):
    x, y = colours(2000)
    classifier = SkinClassifier(space, n_skin=3, n_other=4, prior=0.3).fit(x, y)
    model = classifier.model_
    points = colours(300, seed=5)[0]
    coordinates = in_space(torch.from_numpy(points), space).numpy()
    skin, other = (_sklearns(mixture, coordinates) for mixture in (model.skin, model.other))
    wanted = 1 / (1 + np.exp(other - skin) * 0.7 / 0.3)
    np.testing.assert_allclose(classifier.predict_proba(points)[:, 1], wanted, atol=1e-6)


def _sklearns(mixture, points) -> np.ndarray:
    """Log-density by scikit-learn's own code."""
    made = GaussianMixture(mixture.n_components)
    made.weights_, made.means_ = mixture.weights.numpy(), mixture.means.numpy()
    made.covariances_ = mixture.covariances.numpy()
    inverse = np.linalg.inv(made.covariances_)
    made.precisions_cholesky_ = np.linalg.cholesky(inverse)
    return made.score_samples(points)


@pytest.mark.parametrize("space", COLOUR_SPACES)
def test_browns_are_told_from_blues(space):
    classifier = SkinClassifier(space, n_skin=2, n_other=2).fit(*colours(500))
    points, truth = colours(500, seed=1)
    probability = classifier.predict_proba(points)
    np.testing.assert_allclose(probability.sum(axis=1), 1, atol=1e-12)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert classifier.score(points, truth) > 0.97
    assert classifier.fit(*colours(500)).model_.provenance == "500 colours of skin and 500 others"


def test_a_larger_prior_finds_more_skin():
    x, y = colours(300)
    few, many = (SkinClassifier(n_skin=1, n_other=1, prior=p).fit(x, y) for p in (0.1, 0.9))
    assert (many.predict_proba(x)[:, 1] >= few.predict_proba(x)[:, 1]).all()


def test_labels_may_be_words_and_the_greater_is_skins():
    x, y = colours(300)
    named = SkinClassifier(n_skin=1, n_other=1).fit(x, np.where(y, "skin", "other"))
    assert list(named.classes_) == ["other", "skin"]
    assert (named.predict(x) == np.where(y, "skin", "other")).mean() > 0.97


def test_the_published_table_as_an_estimator():
    classifier = SkinClassifier.jones_rehg()
    assert classifier.get_params()["n_skin"] == 16
    x = colours(100)[0]
    np.testing.assert_allclose(
        classifier.predict_proba(x)[:, 1], skin_probability(torch.from_numpy(x)), atol=1e-12
    )
    assert clone(classifier).get_params() == classifier.get_params()


def test_the_trained_one_as_an_estimator():
    assert SkinClassifier.trained().model_ is SkinModel.trained()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"colour_space": "cmyk"}, "colour_space must be one of rgb, ycbcr, log-chromaticity"),
        ({"prior": 1.0}, "prior must lie between 0 and 1, got 1.0"),
        ({"n_skin": 40, "n_other": 1}, "40 Gaussians need 80 samples, and the label .*True"),
    ],
)
def test_what_cannot_be_learned_is_said(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        SkinClassifier(**change).fit(*colours(50))


def test_colours_have_three_channels():
    with pytest.raises(ValueError, match="Colours have 3 channels, got 2"):
        SkinClassifier().fit(colours(50)[0][:, :2], colours(50)[1])
