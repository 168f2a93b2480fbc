"""The perceptual term on a small embedding: energy, gradient and curvature by definition."""

import itertools

import pytest
import torch

from fit3dmm.energy.perceptual import directions_from, perceptual_term
from fit3dmm.energy.priors import normal_prior
from fit3dmm.solve import LevenbergMarquardt, Problem, solve
from fit3dmm.solve.problem import Evaluation

N, SIGMA = 12, 0.3


def embedding(values):
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(5, N, generator=generator, dtype=torch.float64)
    other = torch.randn(2, N, generator=generator, dtype=torch.float64)
    return (values["x"] @ weights).sin() + values["y"] @ other + 0.3


@pytest.fixture
def start():
    return {"x": torch.linspace(-1, 1, 5).double(), "y": torch.tensor([0.2, -0.4]).double()}


@pytest.fixture
def wanted():
    return torch.linspace(1, 2, N).double() ** 2


def evaluated(start, wanted, n_directions) -> tuple[Problem, Evaluation]:
    term = perceptual_term(embedding, wanted, SIGMA, n_directions)
    problem = Problem(start, ("x", "y"), {"perceptual": term})
    return problem, problem.evaluate(problem.flat_start())


@pytest.mark.parametrize("n_directions", [1, 3, N])
def test_energy_is_the_cosine_distance_and_the_gradient_is_exact(start, wanted, n_directions):
    problem, at = evaluated(start, wanted, n_directions)
    distance = 1 - torch.nn.functional.cosine_similarity(embedding(start), wanted, dim=0)
    assert float(at.energy) == pytest.approx(float(distance) / SIGMA**2, rel=1e-12)
    _, gradient = problem.normal_equations(at)
    _, by_autograd = problem.energy_and_gradient(at.x)
    torch.testing.assert_close(gradient, by_autograd, rtol=1e-9, atol=1e-12)


def test_directions_add_curvature_up_to_that_of_all_rows(start, wanted):
    curvatures = []
    for n_directions in (1, 4, N):
        problem, at = evaluated(start, wanted, n_directions)
        curvatures.append(problem.normal_equations(at)[0].dense())
    for less, more in itertools.pairwise(curvatures):
        assert torch.linalg.eigvalsh(more - less).min() > -1e-9

    def unit(x):
        found = embedding({"x": x[:5], "y": x[5:]})
        return found / found.norm() / SIGMA

    x = torch.cat([start["x"], start["y"]])
    jacobian = torch.autograd.functional.jacobian(unit, x)
    torch.testing.assert_close(curvatures[-1], jacobian.mT @ jacobian, rtol=1e-9, atol=1e-9)


def test_beside_priors_one_direction_leads_as_low_as_all(start):
    wanted = embedding({"x": start["x"] + 0.4, "y": start["y"] - 0.3})
    found = []
    for n_directions in (1, N):
        terms = {
            "perceptual": perceptual_term(embedding, wanted, 0.1, n_directions),
            "x": normal_prior("x", start["x"], 1.0),
            "y": normal_prior("y", start["y"], 1.0),
        }
        problem = Problem(start, ("x", "y"), terms)
        solver = LevenbergMarquardt(max_steps=40, relative_decrease=1e-9)
        found.append(solve(problem, solver))
    one, every = found
    assert every.energy < 0.1 * every.history[0].energy
    assert one.energy == pytest.approx(every.energy, rel=0.02)


@pytest.mark.parametrize("seed", range(4))
def test_directions_are_orthonormal_and_the_first_is_along(seed):
    residual = torch.randn(N, generator=torch.Generator().manual_seed(seed)).double()
    found = directions_from(residual, 5)
    torch.testing.assert_close(found.mT @ found, torch.eye(5).double())
    assert float((residual @ found[:, 0]).abs()) == pytest.approx(float(residual.norm()))
    # Where there is nothing to descend, any directions do.
    assert torch.isfinite(directions_from(torch.zeros(N), 3)).all()
