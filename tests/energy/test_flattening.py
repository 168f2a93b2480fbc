"""Flattening is the variance, by its definition."""

import pytest
import torch

from fit3dmm.energy.flattening import flattening_term
from fit3dmm.solve import LevenbergMarquardt, Problem, solve


def test_energy_is_half_the_variance_and_follows_the_coefficients():
    torch.manual_seed(0)
    mean, basis = torch.rand(40, 3).double(), torch.randn(40, 3, 6).double()
    weight = torch.rand(40).double()
    weight[:7] = 0
    term = flattening_term(mean, basis, weight, 0.2)
    problem = Problem({"albedo": torch.randn(6).double()}, ("albedo",), {"flat": term})
    at = problem.evaluate(problem.flat_start())

    colours = mean + basis @ problem.start["albedo"]
    middle = (weight[:, None] * colours).sum(0) / weight.sum()
    variance = (weight[:, None] * (colours - middle) ** 2).sum() / weight.sum()
    assert float(at.energy) == pytest.approx(float(variance) / (2 * 0.2**2), rel=1e-9)
    _, gradient = problem.normal_equations(at)
    torch.testing.assert_close(gradient, problem.energy_and_gradient(at.x)[1])


def test_what_makes_a_spot_is_undone_and_a_tone_is_left():
    mean = torch.full((30, 3), 0.4).double()
    basis = torch.zeros(30, 3, 2).double()
    basis[:, :, 0] = 0.1
    basis[:5, :, 1] = 0.1
    start = {"albedo": torch.tensor([1.5, 2.0]).double()}
    term = flattening_term(mean, basis, torch.ones(30).double(), 0.05)
    problem = Problem(start, ("albedo",), {"flat": term})
    found = solve(problem, LevenbergMarquardt()).values["albedo"]
    torch.testing.assert_close(found, torch.tensor([1.5, 0.0]).double(), atol=1e-6, rtol=0)
