"""Laws of the statistics of the Commons build: the sexes, and what people's expressions showed."""

import numpy as np
import pytest

from commons.expression_figures import (
    ExpressionFigures,
    left_share,
    read_expression_figures,
    spread_of_activations,
)
from commons.measure_expressions import Fits, lacking_mm, symmetric_spread
from commons.measures import compare_points, read_survey
from commons.population import Gaussian, conditioned, principal_components
from fit3dmm.model.files import load_model


@pytest.fixture(scope="module")
def coarse():
    return load_model(level=0)


def test_half_the_people_of_the_survey_are_women():
    survey = read_survey()
    np.testing.assert_allclose(survey.mean_mm + survey.half_gap_mm, survey.men_mm)
    np.testing.assert_allclose(survey.mean_mm - survey.half_gap_mm, survey.women_mm)
    # The variance of two groups of one size is that within them and that of their means.
    drawn = np.concatenate(
        [
            mean + survey.sd_within_mm * np.random.default_rng(k).normal(size=(40_000, 1))
            for k, mean in enumerate((survey.men_mm, survey.women_mm))
        ]
    )
    np.testing.assert_allclose(drawn.std(axis=0), survey.sd_mm, rtol=0.02)


def test_principal_components_keep_the_sexes_and_the_covariance():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(9, 5, 3))
    components, variances = principal_components(Gaussian(np.zeros((5, 3)), factor), np.ones(5))
    np.testing.assert_array_equal(components[0], factor[0])
    before, after = (rows.reshape(9, -1) for rows in (factor, components))
    np.testing.assert_allclose(after.T @ after, before.T @ before, atol=1e-10)
    assert (np.diff(variances[1:]) <= 0).all()


def test_conditioning_gives_the_measurement_the_mean_and_spread_of_the_population():
    rng = np.random.default_rng(1)
    prior = Gaussian(rng.normal(size=(6, 3)), rng.normal(size=(30, 6, 3)))
    jacobian = rng.normal(size=(2, 18))
    covariance = np.array([[0.5, 0.2], [0.2, 0.3]])
    found = conditioned(prior, jacobian, np.array([1.0, -2.0]), covariance, np.full(2, 1e-4))
    moved = jacobian @ (found.mean_mm - prior.mean_mm).ravel()
    np.testing.assert_allclose(moved, [1.0, -2.0], atol=1e-5)
    seen = found.factor_mm.reshape(len(found.factor_mm), -1) @ jacobian.T
    np.testing.assert_allclose(seen.T @ seen, covariance, atol=1e-5)


def test_the_model_that_ships_has_the_sizes_of_men_and_women():
    model = load_model()
    points, triangles = model.landmarks["anthropometry"], model.surface.triangles
    components = model.surface.lift(model.identity_basis_mm)
    found = list(
        compare_points(
            points.names,
            points.locate(model.shape_mm(model.zeros()), triangles).double().numpy(),
            points.locate(components, triangles).double().numpy(),
        )
    )
    for sizes in ([c.men_mm for c in found], [c.women_mm for c in found]):
        people, ours = np.array(sizes).T
        assert abs(np.median(ours / people) - 1) < 0.01
    by_name = {c.name: c for c in found}
    for name in ("exocanthion_breadth", "lip_length", "menton_sellion_length", "head_breadth"):
        people, ours = np.array([by_name[name].men_mm, by_name[name].women_mm]).T
        assert (abs(ours / people - 1) < 0.025).all(), name


def test_units_without_figures_keep_their_sigma_and_go_with_no_other():
    figures = ExpressionFigures(
        vertices=np.array([0]),
        lacking_mm={},
        names=("smile", "jaw"),
        sigma=np.array([0.5, 0.1]),
        correlation=np.array([[1.0, 0.6], [0.6, 1.0]]),
    )
    usual = np.array([0.2, 0.3, 0.3])
    sigma, factor = spread_of_activations(figures, ("blink", "jaw", "smile"), usual)
    covariance = factor @ factor.T
    assert not np.triu(factor, 1).any()
    np.testing.assert_allclose(np.diag(covariance), sigma**2)
    assert sigma[0] == usual[0]
    assert sigma[2] == pytest.approx(0.5)
    assert 0.1 < sigma[1] < 0.3, "so few photos don't say that jaws hardly open"
    np.testing.assert_allclose(covariance[0, 1:], 0, atol=1e-12)
    assert covariance[1, 2] / (sigma[1] * sigma[2]) == pytest.approx(0.6)


def test_figures_are_symmetric_and_of_a_covariance():
    figures = read_expression_figures()
    names = figures.names
    other = [names.index(_mirrored(name)) for name in names]
    np.testing.assert_array_equal(figures.sigma[other], figures.sigma)
    np.testing.assert_array_equal(figures.correlation[np.ix_(other, other)], figures.correlation)
    assert np.linalg.eigvalsh(figures.correlation).min() > 0.05
    assert len(figures.vertices) == len(figures.lacking_mm["mouthSmile"])


def _mirrored(name: str) -> str:
    return name.replace("Left", "?").replace("Right", "Left").replace("?", "Right")


def test_the_two_halves_of_a_movement_add_up():
    places = np.random.default_rng(2).normal(scale=30, size=(50, 3))
    np.testing.assert_allclose(left_share(places) + left_share(places * [-1, 1, 1]), 1)


def test_what_units_lack_is_found_whatever_people_look_like(coarse):
    rng = np.random.default_rng(3)
    n_people, names = 30, coarse.expression_names
    mean = coarse.mean_mm.double().numpy()
    identity = coarse.identity_basis_mm.double().numpy()
    # People who, when they smile, seem to be somebody else by what a pucker does.
    truth = -coarse.expression_basis_mm[names.index("mouthPucker")].double().numpy()
    smile = rng.uniform(0.2, 0.9, n_people)
    activations = np.zeros((2 * n_people, len(names)))
    for side in ("Left", "Right"):
        activations[1::2, names.index(f"mouthSmile{side}")] = smile
    own = mean + np.tensordot(rng.normal(size=(n_people, len(identity))), identity, axes=1)
    seen = np.repeat(own, 2, axis=0)
    seen[1::2] += smile[:, None, None] * truth
    found = lacking_mm(Fits(seen, activations, np.zeros((2 * n_people, 51, 51))), coarse)
    mouth = np.linalg.norm(truth, axis=1) > 1
    error = np.linalg.norm(found[0] - truth, axis=1)[mouth].mean()
    assert error < 0.15 * np.linalg.norm(truth, axis=1)[mouth].mean()
    assert np.abs(found[1:]).max() < 0.5


def test_correlations_are_shrunk_and_sigmas_are_not():
    names = ("aLeft", "aRight", "b")
    moments = np.array([[0.3, 0.2, 0.1], [0.2, 0.5, 0.0], [0.1, 0.0, 0.2]])
    sigma, correlation = symmetric_spread(moments, names)
    np.testing.assert_allclose(sigma**2, [0.4, 0.4, 0.2])
    np.testing.assert_array_equal(np.diag(correlation), 1)
    assert 0 < correlation[0, 1] < 0.2 / 0.4
    assert correlation[0, 2] == correlation[1, 2]
