"""Covariances of estimates whose noise is not what their energy takes it for."""

from dataclasses import replace

import pytest
import torch

from fit3dmm.solve import Problem, Residuals, join, sum_of_squares
from fit3dmm.solve.block_arrow import BlockArrow
from fit3dmm.solve.noise import curvature_and_noise, in_common, sandwich
from tests.solve.test_join import _random_arrow


@pytest.mark.parametrize("tips", [[], [3], [3, 1, 5]])
def test_the_covariance_of_an_arrow_is_that_of_its_dense_matrix(tips):
    curvature = _random_arrow(4, tips)
    noise = BlockArrow(
        2 * curvature.head + torch.ones(4, 4).double(),
        tuple(0.3 * arm for arm in curvature.arms),
        tuple(3 * tip for tip in curvature.tips),
    )
    inverse = torch.linalg.inv(curvature.dense())
    wanted = inverse @ noise.dense() @ inverse
    found = sandwich(curvature, noise)
    at = 4
    assert torch.allclose(found.head, wanted[:4, :4], rtol=1e-6)
    for n, arm, tip in zip(tips, found.arms, found.tips, strict=True):
        own = slice(at, at + n)
        assert torch.allclose(arm, wanted[:4, own], rtol=1e-6, atol=1e-9)
        assert torch.allclose(tip, wanted[own, own], rtol=1e-6, atol=1e-9)
        at += n


def test_noise_as_the_energy_takes_it_gives_the_inverse_of_the_curvature():
    curvature = _random_arrow(4, [3, 2])
    found = sandwich(curvature, curvature)
    wanted = torch.linalg.inv(curvature.dense())
    assert torch.allclose(found.head, wanted[:4, :4], rtol=1e-6)


def test_channels_that_err_alike_are_not_taken_for_several_observations():
    """The spread of many estimates is what a single one says of itself."""
    factor = torch.linalg.cholesky(0.1 * torch.eye(3).double() + 0.9)
    slope = torch.linspace(0.5, 1.5, 60).double().repeat_interleave(3)
    generator = torch.Generator().manual_seed(0)
    found, told, taken = [], [], []
    for _ in range(200):
        noise = torch.randn(60, 3, generator=generator, dtype=torch.float64)
        seen = (noise @ factor.mT).flatten()

        def colours(values, seen=seen):
            rows = sum_of_squares(slope * values["x"] - seen, lambda free: {"x": slope[:, None]})
            return replace(rows, together=3)

        problem = Problem({"x": torch.zeros(1).double()}, ("x",), {"colours": colours})
        at = problem.evaluate((slope @ seen / (slope @ slope))[None])
        curvature, known = curvature_and_noise(problem, at)
        found.append(at.x)
        told.append(sandwich(curvature, known).head[0, 0])
        taken.append(sandwich(curvature, curvature).head[0, 0])
    spread = torch.stack(found).var()
    # 200 draws know a variance to 10 %; three channels that count as three are 2.8 times off.
    assert torch.stack(told).mean() == pytest.approx(float(spread), rel=0.3)
    assert torch.stack(taken).mean() < 0.5 * spread
    seen_in = in_common(at.terms["colours"])
    assert seen_in.trace() == pytest.approx(3)
    assert 0.8 < float(seen_in[0, 1]) < 1


def test_a_term_held_to_more_than_its_noise_allows_makes_the_result_less_sure():
    def term(values, variance):
        return replace(sum_of_squares(values["x"] / 0.5), variance=variance)

    def variance_told(factor):
        problem = Problem(
            {"x": torch.zeros(1).double()},
            ("x",),
            {"prior": lambda v: term(v, factor), "seen": lambda v: sum_of_squares(v["x"] - 1)},
        )
        return float(
            sandwich(*curvature_and_noise(problem, problem.evaluate(problem.flat_start()))).head
        )

    # Curvature 4 + 1; the noise of the first is so many times its curvature.
    assert variance_told(1.0) == pytest.approx(1 / 5)
    assert variance_told(4.0) == pytest.approx((16 + 1) / 25)


def test_what_no_term_depends_on_is_not_known():
    start = {"x": torch.zeros(1).double(), "y": torch.zeros(1).double()}
    problem = Problem(start, ("x", "y"), {"x": lambda v: sum_of_squares(v["x"])})
    found = sandwich(*curvature_and_noise(problem, problem.evaluate(problem.flat_start()))).head
    assert found[0, 0] == pytest.approx(1)
    assert found[1, 1] > 1e6


def test_noise_without_residuals_is_taken_as_independent():
    nothing = Residuals(torch.zeros(6), torch.zeros(()), together=3)
    assert torch.equal(in_common(nothing), torch.eye(3).double())


def test_copies_of_a_photo_know_what_is_shared_so_much_better():
    """K copies divide the variance of what all see by K, and leave the order without a say."""

    def photo(slope: float) -> Problem:
        return Problem(
            {"person": torch.zeros(1).double(), "pose": torch.zeros(1).double()},
            ("person", "pose"),
            {
                "seen": lambda v: sum_of_squares(torch.cat([v["person"] + v["pose"], v["person"]])),
                "pose": lambda v: sum_of_squares(slope * v["pose"]),
            },
        )

    def head(*photos: Problem) -> float:
        joined = join(photos, ("person",))
        return float(
            sandwich(*curvature_and_noise(joined, joined.evaluate(joined.flat_start()))).head
        )

    one = head(photo(1.0))
    assert head(*[photo(1.0)] * 4) == pytest.approx(one / 4)
    assert head(photo(1.0), photo(3.0)) == pytest.approx(head(photo(3.0), photo(1.0)))
    # A photo whose pose is hardly known adds what it sees of the person alone.
    assert one / 2 < head(photo(1.0), photo(0.01)) < one
