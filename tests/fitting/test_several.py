"""Several photos of one person: what they tell adds up, whatever their order, and no stranger's."""

from dataclasses import replace

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.fitting import (
    FitConfig,
    Iris,
    Photometric,
    Together,
    fit_observation,
    fit_together,
    prepare,
    preset,
)
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.pipeline import ending_of
from fit3dmm.fitting.run import run_stages
from fit3dmm.fitting.shape_evidence import PersonEvidence, information_shares, summed
from fit3dmm.fitting.sitting import Sitting
from fit3dmm.fitting.strangers import Strangers, verify
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.observation import Observation
from tests.fitting.synthetic import observe_scene
from tests.fitting.test_fit import aligned_error_mm, random_scene
from tests.toy import toy_model

# The toy's irises are painted anywhere: their size says nothing about its scale.
WHOLE = FitConfig(photometric=Photometric(n_samples=400), iris=Iris(noise_mm=1e3), size_px=112)
CONFIG = replace(WHOLE, stages=preset("landmarks").stages)
# What is painted on the toy is no face to a network that recognises people.
ALONE = Together(recognition=None)


@pytest.fixture(scope="module")
def prepared():
    return prepare(toy_model(), 400, {MEDIAPIPE: exact_detector(468, 0.5)})


@pytest.fixture(scope="module")
def truths(prepared):
    """One person in three scenes, and another person in a fourth."""
    scenes = [random_scene(prepared.model, seed) for seed in (30, 31, 32, 33)]
    person = scenes[0].coefficients
    own = [one.coefficients.expression for one in scenes]
    same = [
        one.replace(coefficients=person.replace(expression=expression))
        for one, expression in zip(scenes[:3], own, strict=False)
    ]
    return [*same, scenes[3]]


@pytest.fixture(scope="module")
def seen(prepared, truths) -> list[Observation]:
    return [observe_scene(prepared.model, one, 112) for one in truths]


@pytest.fixture(scope="module")
def three(prepared, seen):
    return fit_together(prepared, seen[:3], CONFIG, ALONE)


def test_two_photos_tell_more_than_each(prepared, truths, seen):
    both = fit_together(prepared, seen[:2], WHOLE, ALONE)
    truth = truths[0].coefficients
    alone = [fit_observation(one, prepared, WHOLE) for one in seen[:2]]
    off = [aligned_error_mm(prepared.model, one.scene.coefficients.neutral(), truth.neutral())
           for one in alone]  # fmt: skip
    together = aligned_error_mm(prepared.model, both.identity, truth.neutral())
    assert together < min(off)
    assert both.outliers == ()
    assert not both.remarks
    # Each has the one person, and its own expression.
    for fit, truth in zip(both.fits, truths, strict=False):
        assert torch.equal(fit.scene.coefficients.identity, both.identity.identity)
        error = fit.scene.coefficients.expression - truth.coefficients.expression
        assert error.abs().max() < 0.4
        assert [stage.name for stage in fit.stages[-2:]] == ["fine", "skin"]
    for one, fit in zip(alone, both.fits, strict=True):
        # They are surer together, of the person and of what each photo has for itself.
        for name in ("identity", "rotation_rad"):
            assert (fit.uncertainty.sigma(name) < one.uncertainty.sigma(name)).all(), name


def test_the_order_does_not_matter(prepared, seen, three):
    order = (2, 0, 1)
    other = fit_together(prepared, [seen[k] for k in order], CONFIG, ALONE)
    # Nothing differs but the rounding of float32, which the steps magnify.
    assert torch.allclose(other.identity.identity, three.identity.identity, atol=0.02)
    for place, k in enumerate(order):
        assert other.information_share[place] == pytest.approx(three.information_share[k], abs=0.01)
        assert other.same_person_log_odds[place] == pytest.approx(
            three.same_person_log_odds[k], abs=0.2
        )


def test_copies_share_alike_and_agree(prepared, seen):
    copies = fit_together(prepared, [seen[0]] * 3, CONFIG, ALONE)
    assert copies.outliers == ()
    assert copies.information_share == pytest.approx((1 / 3,) * 3, abs=1e-3)
    assert sum(copies.information_share) == pytest.approx(1)
    first, *others = copies.fits
    for other in others:
        assert torch.allclose(
            other.scene.pose.translation_mm, first.scene.pose.translation_mm, rtol=1e-3, atol=0.1
        )


def test_a_stranger_is_found_and_changes_nothing(prepared, truths, seen, three):
    settings = Together(strangers=Strangers(spread=1.0), recognition=None)
    with_one = fit_together(prepared, [seen[0], seen[3], *seen[1:3]], CONFIG, settings)
    assert with_one.outliers == (1,)
    assert with_one.information_share[1] == 0
    assert "does not fit the others" in with_one.remarks[0]
    moved = aligned_error_mm(prepared.model, with_one.identity, three.identity)
    assert moved < 0.02
    # The stranger is fitted by itself.
    found = with_one.scenes[1].coefficients
    assert aligned_error_mm(prepared.model, found.neutral(), truths[3].coefficients.neutral()) < 1.2


def test_two_that_contradict_are_said_to(prepared, seen):
    settings = Together(strangers=Strangers(spread=1.0), recognition=None)
    apart = fit_together(prepared, [seen[0], seen[3]], CONFIG, settings)
    assert apart.contradict
    assert apart.outliers == ()
    assert "two photos do not go together" in apart.remarks[0]
    # Another witness may know better, or be the only one to doubt.
    sure = torch.full((2, 2), 1000.0)
    known = fit_together(prepared, [seen[0], seen[3]], CONFIG, settings, recognised=sure)
    assert not known.contradict
    doubted = fit_together(prepared, seen[:2], CONFIG, settings, recognised=-10 * sure)
    assert doubted.contradict


def test_what_has_been_worked_out_is_not_worked_out_otherwise(prepared, seen):
    """Where a fit ended, what the photo tells there, and its colours: as if asked for anew."""
    run = run_stages(prepared, seen[0], WHOLE, WHOLE.stages)
    assert run.last is not None
    assert run.at is not None
    kept = ending_of(prepared, seen[0], WHOLE, run)
    anew = ending_of(prepared, seen[0], WHOLE, replace(run, at=None))
    assert kept.at.energies() == anew.at.energies()
    sitting = Sitting(prepared, seen, WHOLE, same_camera=False)
    problem = replace(run.last[1], start=run.values)
    told, again = sitting.model(problem, run.at), sitting.model(problem)
    assert torch.equal(told.of_person.precision, again.of_person.precision)
    assert torch.equal(told.of_person.pull, again.of_person.pull)
    colours, context = WHOLE.photometric, kept.context
    explained = colours.explained(context)
    fresh = context_at(prepared, seen[0], context.stage, context.values)
    assert colours.explained(fresh) == explained
    energy = colours.term(fresh)(context.values).energy
    other = context_at(prepared, seen[0], context.stage, context.values)
    assert torch.equal(colours.term(other)(context.values).energy, energy)


def test_photos_of_one_camera_share_its_focal_length(prepared, seen):
    by_exif = [
        one.replace(exif_focal_px=focal)
        for one, focal in zip(seen, (900.0, 900.0, 1200.0), strict=False)
    ]
    found = [fit.focal_px for fit in fit_together(prepared, by_exif, CONFIG, ALONE).fits]
    assert found[0] == found[1] != found[2]
    told = fit_together(prepared, seen[:3], CONFIG, Together(same_camera=True, recognition=None))
    assert len({fit.focal_px for fit in told.fits}) == 1
    assert told.fits[0].focal_sigma_px > 0


@pytest.mark.parametrize("n", [1, 51])
def test_too_few_and_too_many_are_refused(prepared, seen, n):
    with pytest.raises(InputError, match=f"Expected 2 to 50 photos of one person, got {n}"):
        fit_together(prepared, [seen[0]] * n, CONFIG)


def test_settings_that_move_no_shape_are_refused(prepared, seen):
    with pytest.raises(InputError, match="move no shape"):
        fit_together(prepared, seen[:2], preset("regressor"))


# --- what photos tell, as numbers ---


def _evidence(seed: int, person: torch.Tensor, n_told: int = 3) -> PersonEvidence:
    """Some directions measured with unit noise."""
    generator = torch.Generator().manual_seed(seed)
    rows = 3 * torch.randn(n_told, len(person), generator=generator, dtype=torch.float64)
    seen = rows @ person + torch.randn(n_told, generator=generator, dtype=torch.float64)
    return PersonEvidence(rows.T @ rows, rows.T @ seen)


PRIOR = torch.eye(6, dtype=torch.float64)
NOTHING = PersonEvidence(0 * PRIOR, PRIOR[0] * 0)


def test_the_share_of_what_tells_nothing_is_nothing():
    person = torch.linspace(-1.5, 1.5, 6, dtype=torch.float64)
    one, other = _evidence(0, person), _evidence(1, person)
    without, with_blank = summed([one, other]), summed([one, NOTHING, other])
    assert torch.equal(without.mean(PRIOR), with_blank.mean(PRIOR))
    shares = information_shares([one, NOTHING, other], PRIOR)
    assert shares[1] == 0
    assert sum(shares) == pytest.approx(1)
    assert verify([one, NOTHING, other], PRIOR, Strangers()).log_odds[1] == pytest.approx(0)


def test_odds_are_those_of_the_two_stories():
    """By sampling: how much likelier two photos are if one person is in both."""
    person = torch.linspace(-1, 1, 6, dtype=torch.float64)
    one, other = _evidence(0, person, 2), _evidence(1, person, 2)
    generator = torch.Generator().manual_seed(5)
    people = torch.randn(400_000, 6, generator=generator, dtype=torch.float64)

    def likelihood(evidence: PersonEvidence) -> torch.Tensor:
        quadratic = ((people @ evidence.precision) * people).sum(1)
        return (people @ evidence.pull - 0.5 * quadratic).exp()

    a, b = likelihood(one), likelihood(other)
    expected = float(((a * b).mean() / (a.mean() * b.mean())).log())
    found = verify([one, other], PRIOR, Strangers(spread=1.0)).log_odds
    assert found[0] == pytest.approx(found[1])
    assert found[0] == pytest.approx(expected, abs=0.1)


def test_of_the_first_unknowns_the_others_are_integrated_out():
    whole = _evidence(2, torch.ones(6, dtype=torch.float64), 8)
    part = whole.of_first(4, PRIOR)
    # The same posterior of the first ones.
    covariance = torch.linalg.inv(PRIOR + whole.precision)[:4, :4]
    assert torch.allclose(torch.linalg.inv(PRIOR[:4, :4] + part.precision), covariance)
    assert torch.allclose(part.mean(PRIOR[:4, :4]), whole.mean(PRIOR)[:4])


def test_a_minority_is_out_and_a_majority_in():
    own = torch.tensor([2.0, -1, 1, 2, -2, 1], dtype=torch.float64)
    evidence = [_evidence(k, own, 8) for k in range(4)] + [_evidence(9, -own, 8)]
    found = verify(evidence, PRIOR, Strangers(spread=1.0))
    assert found.strangers == (4,)
    assert not found.contradict
    assert min(found.log_odds[:4]) > 0 > found.log_odds[4]


def test_what_is_expected_of_the_same_shapes_is_the_information_that_they_have_in_common():
    """By sampling: the mean of the logarithm of the odds over people and what is seen of them."""
    one, other = (_evidence(k, torch.zeros(6, dtype=torch.float64), 8) for k in (0, 1))
    generator = torch.Generator().manual_seed(3)
    factors = [torch.linalg.cholesky(part.precision) for part in (one, other)]
    odds = []
    for _ in range(200):
        person, *noise = torch.randn(3, 6, generator=generator, dtype=torch.float64)
        seen = [
            PersonEvidence(part.precision, part.precision @ person + factor @ by_chance)
            for part, factor, by_chance in zip((one, other), factors, noise, strict=True)
        ]
        odds.append(verify(seen, PRIOR, Strangers(spread=1.0)).log_odds[0])
    together, alone = one + other, (one, other)
    expected = together.log_evidence_parts(PRIOR)[1]
    expected -= sum(part.log_evidence_parts(PRIOR)[1] for part in alone)
    assert expected > 1
    assert sum(odds) / len(odds) == pytest.approx(expected, rel=0.15)


def test_who_says_too_little_for_one_who_is_the_same_is_out_where_a_witness_looks():
    own = torch.tensor([2.0, -1, 1, 2, -2, 1], dtype=torch.float64)
    evidence = [_evidence(k, own, 8) for k in range(4)] + [_evidence(9, 0.9 * own, 8)]
    settings = Strangers(spread=1.0)
    by_shape = verify(evidence, PRIOR, settings)
    assert not by_shape.strangers
    witness = torch.full((5, 5), 10.0)
    witness[4], witness[:, 4] = -0.5, -0.5
    assert verify(evidence, PRIOR, settings, witness).strangers == (4,)
    # A photo that tells nothing is not expected to say anything.
    blank = verify([*evidence[:4], NOTHING], PRIOR, settings, witness.clamp_min(-0.5))
    assert not blank.strangers
