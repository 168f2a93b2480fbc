"""Covariances of estimates of which one term errs as all the others do."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.fitting.uncertainty import laplace, posterior, posteriors
from fit3dmm.solve import Problem, join, sum_of_squares
from fit3dmm.solve.alike import with_alike
from fit3dmm.solve.noise import TermProduct, term_products

CORRELATION = 0.8
SLOPES = torch.tensor([[1.0, 0.5], [0.3, 2.0], [-0.4, 0.7]]).double()


def _problem(seen: torch.Tensor, looked: torch.Tensor, alike: float) -> Problem:
    """Three numbers seen of x and y, and a look at x alone, held to twice what its noise allows."""

    def look(values):
        row = (values["x"] - looked) / 0.5
        rows = sum_of_squares(row, lambda free: {"x": torch.tensor([[2.0]]).double()})
        return replace(rows, variance=4.0, alike=alike)

    def points(values):
        at = SLOPES @ torch.cat([values["x"], values["y"]])
        return sum_of_squares(at - seen, lambda free: {"x": SLOPES[:, :1], "y": SLOPES[:, 1:]})

    start = {name: torch.zeros(1).double() for name in "xy"}
    return Problem(start, ("x", "y"), {"look": look, "points": points})


def _products(problem: Problem) -> dict[str, TermProduct]:
    at = problem.evaluate(problem.flat_start())
    return with_alike(problem, at, term_products(problem, at))


@pytest.mark.parametrize("correlation", [0.0, CORRELATION, 1.0])
def test_two_looks_that_err_alike_are_as_sure_as_many_estimates_spread(correlation):
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(4000, 4, generator=generator, dtype=torch.float64)
    # The points alone are off in x by this combination of their noise.
    off = torch.linalg.pinv(SLOPES)[0]
    common = noise[:, :3] @ off / off.norm()
    own = (1 - correlation**2) ** 0.5
    looked = 1.0 * (correlation * common + own * noise[:, 3])
    whole = torch.cat([SLOPES, torch.tensor([[2.0, 0.0]]).double()])
    estimates = torch.linalg.lstsq(whole, torch.cat([noise[:, :3], 2 * looked[:, None]], 1).mT)
    zero = torch.zeros(3).double()
    problem = _problem(zero, zero[:1], correlation)
    told = posterior(problem, _products(problem))
    # 4,000 draws know a variance to 2 %.
    assert torch.allclose(told.covariance, torch.cov(estimates.solution), rtol=0.08, atol=0.01)


def test_more_in_common_is_less_sure_and_moves_nothing_else():
    zero = torch.zeros(3).double()
    problems = [_problem(zero, zero[:1], alike) for alike in (0.0, 0.5, 1.0)]
    sigmas = [posterior(one, _products(one)).sigma("x")[0] for one in problems]
    assert sigmas[0] < sigmas[1] < sigmas[2]
    by_energy = [laplace(one, _products(one)).covariance for one in problems]
    assert torch.equal(by_energy[0], by_energy[2])
    for one in problems:
        assert torch.linalg.eigvalsh(posterior(one, _products(one)).covariance).min() > 0
    assert set(_products(problems[0])) == {"look", "points"}


def test_photos_of_one_person_each_have_their_own():
    zero = torch.zeros(3).double()
    photo = _problem(zero, zero[:1], CORRELATION)
    alone = posterior(photo, _products(photo))
    (same,) = posteriors(join([photo], ("y",)), [photo], [_products(photo)])
    assert torch.allclose(same.covariance, alone.covariance)
    several = [photo, _problem(zero, zero[:1], 0.0)]
    joined = join(several, ("y",))
    first, second = posteriors(joined, several, [_products(one) for one in several])
    assert second.sigma("x")[0] < first.sigma("x")[0] < alone.sigma("x")[0]


def test_only_one_row_can_be_like_all_others():
    zero = torch.zeros(3).double()
    problem = _problem(zero, zero[:1], 0.0)
    terms = {**problem.terms, "two": lambda v: replace(sum_of_squares(v["x"].repeat(2)), alike=0.5)}
    problem = replace(problem, terms=terms)
    with pytest.raises(ValueError, match="several rows"):
        _products(problem)
