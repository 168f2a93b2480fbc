"""The solvers find minima known by hand and agree with SciPy's."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares, lsq_linear

from fit3dmm.solve import (
    LBFGS,
    Adam,
    LevenbergMarquardt,
    Problem,
    Reason,
    Residuals,
    solve,
    sum_of_squares,
)

TIGHT = LevenbergMarquardt(max_steps=100, relative_decrease=1e-14, gradient_tolerance=1e-18)


def _double(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def _rosenbrock(values):
    x, y = values["x"]
    return sum_of_squares(torch.stack([10 * (y - x * x), 1 - x]) * math.sqrt(2))


SOLVERS = {
    "levenberg_marquardt": TIGHT,
    "lbfgs": LBFGS(max_steps=500, relative_decrease=1e-15),
    "adam": Adam(max_steps=1000, learning_rate=0.1, final_share=1e-3),
}


@pytest.mark.parametrize("solver", ["levenberg_marquardt", "lbfgs"])
def test_rosenbrock(solver):
    problem = Problem({"x": _double(-1.2, 1.0)}, ("x",), {"rosenbrock": _rosenbrock})
    solution = solve(problem, SOLVERS[solver])
    assert torch.allclose(solution.values["x"], _double(1.0, 1.0), atol=1e-5)
    assert solution.history[-1].energy <= solution.history[0].energy
    assert solution.energy == pytest.approx(solution.energies["rosenbrock"])


@pytest.mark.parametrize("solver", SOLVERS)
def test_optimum_by_hand_within_bounds(solver):
    """Minimise (a - 3)^2 + (a + b - 5)^2 / 2 with a <= 2: a = 2, b = 3, energy 1/2."""

    def term(values):
        a, b = values["a"][0], values["b"][0]
        return sum_of_squares(torch.stack([a - 3, (a + b - 5) / math.sqrt(2)]))

    problem = Problem(
        {"a": _double(0.0), "b": _double(0.0)},
        ("a", "b"),
        {"term": term},
        bounds={"a": _double(-math.inf, 2.0)[None]},
    )
    solution = solve(problem, SOLVERS[solver])
    assert solution.values["a"].item() == pytest.approx(2, abs=1e-4)
    assert solution.values["b"].item() == pytest.approx(3, abs=2e-4)
    assert solution.energy == pytest.approx(0.5, abs=1e-4)


def _random_rows(seed: int, rows: int = 40, unknowns: int = 6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, unknowns)), rng.normal(size=rows) * 3


@pytest.mark.parametrize("seed", range(8))
def test_bounded_linear_least_squares_agrees_with_scipy(seed):
    matrix, right = _random_rows(seed)
    low, high = np.full(6, -0.1), np.full(6, 0.25)
    wanted = lsq_linear(matrix, right, (low, high), tol=1e-14).x
    A, b = torch.from_numpy(matrix), torch.from_numpy(right)
    problem = Problem(
        {"x": torch.zeros(6, dtype=torch.float64)},
        ("x",),
        {"rows": lambda values: sum_of_squares(A @ values["x"] - b, lambda free: {"x": A})},
        bounds={"x": torch.from_numpy(np.stack([low, high], axis=1))},
    )
    solution = solve(problem, TIGHT)
    assert np.allclose(solution.values["x"].numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_curve_fit_agrees_with_scipy(seed):
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 3, 50)
    y = 2.5 * np.exp(-1.3 * t) + 0.4 + 0.05 * rng.normal(size=50)
    wanted = least_squares(lambda p: p[0] * np.exp(-p[1] * t) + p[2] - y, [1.0, 1, 0]).x
    T, Y = torch.from_numpy(t), torch.from_numpy(y)

    def term(values):
        size, rate = values["size"], values["rate"]
        return sum_of_squares(size * torch.exp(-rate * T) + values["level"] - Y)

    start = {"size": _double(1.0), "rate": _double(1.0), "level": _double(0.0)}
    solution = solve(Problem(start, tuple(start), {"curve": term}), TIGHT)
    assert solution.reason.is_success
    assert np.allclose([float(solution.values[name]) for name in start], wanted, atol=1e-5)


def _absolute(A: torch.Tensor, b: torch.Tensor, delta: float = 1e-4):
    """Sum of sqrt(r^2 + delta^2): a smooth absolute value."""

    def term(values):
        residual = A @ values["x"] - b
        size = (residual**2 + delta**2).sqrt()
        return Residuals(
            residual, size.sum(), weight=1 / size.detach(), jacobian=lambda free: {"x": A}
        )

    return term


def test_robust_term_finds_the_median():
    numbers = torch.tensor([1.0, 2.0, 3.0, 10.0, 1000.0], dtype=torch.float64)
    term = _absolute(torch.ones(5, 1, dtype=torch.float64), numbers)
    problem = Problem({"x": _double(0.0)}, ("x",), {"absolute": term})
    solution = solve(problem, TIGHT)
    # The absolute value is smoothed over 1e-4, so the median is exact to that.
    assert solution.values["x"].item() == pytest.approx(3.0, abs=1e-3)


def test_robust_gradient_equals_automatic():
    A, b = (torch.from_numpy(v) for v in _random_rows(3))
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)
    problem = Problem({"x": x}, ("x",), {"absolute": _absolute(A, b, delta=0.3)})
    _, gradient = problem.normal_equations(problem.evaluate(x))
    assert torch.allclose(gradient, problem.energy_and_gradient(x)[1])


def test_unknowns_that_are_not_free_stay():
    start = {"a": _double(1.0), "b": _double(7.0)}
    problem = Problem(start, ("a",), {"t": lambda v: sum_of_squares(v["a"] * v["b"] - 21)})
    solution = solve(problem, TIGHT)
    assert solution.values["a"].item() == pytest.approx(3)
    assert torch.equal(solution.values["b"], start["b"])


def test_unknown_that_no_term_sees_does_not_move():
    problem = Problem(
        {"x": _double(0.0, 5.0)}, ("x",), {"t": lambda v: sum_of_squares(v["x"][:1] - 2)}
    )
    solution = solve(problem, TIGHT)
    assert torch.allclose(solution.values["x"], _double(2.0, 5.0))


def test_reasons():
    flat = Problem({"x": _double(2.0)}, ("x",), {"t": lambda v: sum_of_squares(v["x"] - 2)})
    assert solve(flat).reason is Reason.FLAT
    broken = Problem({"x": _double(0.0)}, ("x",), {"t": lambda v: sum_of_squares(1 / v["x"])})
    assert solve(broken).reason is Reason.NOT_FINITE
    short = Problem({"x": _double(-1.2, 1.0)}, ("x",), {"t": _rosenbrock})
    limited = solve(short, LevenbergMarquardt(max_steps=2))
    assert limited.reason is Reason.STEP_LIMIT
    assert not limited.reason.is_success
    assert len(limited.history) == 3


def test_steps_never_climb():
    problem = Problem({"x": _double(-1.2, 1.0)}, ("x",), {"rosenbrock": _rosenbrock})
    energies = [step.energy for step in solve(problem, TIGHT).history]
    assert all(b < a for a, b in itertools.pairwise(energies))


def test_problem_is_checked():
    with pytest.raises(ValueError, match="no start value"):
        Problem({"x": _double(0.0)}, ("y",), {"t": _rosenbrock})
    with pytest.raises(ValueError, match="at least one"):
        Problem({"x": _double(0.0)}, (), {"t": _rosenbrock})


@pytest.mark.parametrize("first", [0, 1, 3, 100])
def test_steps_taken_in_two_goes_are_those_of_one(first):
    problem = Problem({"x": _double(-1.2, 1.0)}, ("x",), {"rosenbrock": _rosenbrock})
    begun = solve(problem, replace(TIGHT, max_steps=first))
    whole, gone_on = solve(problem, TIGHT), solve(problem, TIGHT, begun)
    assert len(begun.history) == min(first + 1, len(whole.history))
    assert torch.equal(gone_on.values["x"], whole.values["x"])
    assert gone_on.history[1:] == whole.history[1:]
    assert gone_on.reason is whole.reason
