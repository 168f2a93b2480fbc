"""Adam and L-BFGS on the same problems: the reference, and the way for terms without Jacobians."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.solve.problem import Problem
from fit3dmm.solve.solution import Reason, Solution, Step


@dataclass(frozen=True)
class Adam(Settings):
    """A fixed number of steps along smoothed gradients; bounds are kept by projection.

    D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
    """

    max_steps: int = 300
    """Steps that are taken; none is left out."""
    learning_rate: float = 0.01
    """Size of the first steps, in units of the problem's `steps`."""
    final_share: float = ranged(0.05, 0.0, 1.0)
    """Of `learning_rate` that is left at the last step; the decay is exponential."""
    beta1: float = ranged(0.9, 0.0, 1.0)
    """Decay of the mean of the gradients, a step."""
    beta2: float = ranged(0.999, 0.0, 1.0)
    """Decay of the mean of their squares, a step."""


@dataclass(frozen=True)
class LBFGS(Settings):
    """Limited-memory BFGS within bounds.

    R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound constrained
    optimization", SIAM J. Sci. Comput. 16(5), 1995, in SciPy's implementation.
    """

    max_steps: int = 200
    """Stop after this many steps."""
    relative_decrease: float = ranged(1e-9, 0.0)
    """Stop when a step lowers the energy by less than this share of it."""
    memory: int = 20
    """Steps from which the curvature is estimated."""


def solve_adam(problem: Problem, settings: Adam) -> Solution:
    """Take the steps."""
    low, high = problem.flat_bounds()
    unit = problem.flat_steps()
    x = problem.flat_start()
    mean, square = torch.zeros_like(x), torch.zeros_like(x)
    history: list[Step] = []
    reason = Reason.STEP_LIMIT
    for k in range(1, settings.max_steps + 1):
        energy, gradient = problem.energy_and_gradient(x)
        history.append(Step(float(energy), 0.0, float("nan"), k))
        if not torch.isfinite(energy):
            reason = Reason.NOT_FINITE
            break
        # With respect to x in these units the derivative is the unit times the gradient.
        scaled = gradient * unit
        mean = settings.beta1 * mean + (1 - settings.beta1) * scaled
        square = settings.beta2 * square + (1 - settings.beta2) * scaled**2
        unbiased = mean / (1 - settings.beta1**k)
        spread = (square / (1 - settings.beta2**k)).sqrt()
        rate = settings.learning_rate * settings.final_share ** (k / settings.max_steps)
        x = x - rate * unit * unbiased / (spread + 1e-12)
        x = torch.minimum(torch.maximum(x, low), high)
    return _solution(problem, x, reason, history)


def solve_lbfgs(problem: Problem, settings: LBFGS) -> Solution:
    """Minimise within the bounds."""
    # SciPy takes a third of a second to import, and few fits are solved by it.
    from scipy.optimize import minimize

    start, unit = problem.flat_start(), problem.flat_steps()
    low, high = (((bound - start) / unit).double().numpy() for bound in problem.flat_bounds())
    history: list[Step] = []
    evaluations = 0

    def at(z: np.ndarray) -> Tensor:
        return start + unit * torch.from_numpy(z).to(start)

    def energy_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations
        evaluations += 1
        energy, gradient = problem.energy_and_gradient(at(z))
        return float(energy), (gradient * unit).double().numpy()

    def record(intermediate_result) -> None:
        history.append(Step(float(intermediate_result.fun), 0.0, float("nan"), evaluations))

    found = minimize(
        energy_and_gradient,
        np.zeros(len(start)),
        jac=True,
        bounds=list(zip(low, high, strict=True)),
        method="L-BFGS-B",
        callback=record,
        options={
            "maxiter": settings.max_steps,
            "maxfun": 20 * settings.max_steps,
            "ftol": settings.relative_decrease,
            "gtol": 0.0,
            "maxcor": settings.memory,
        },
    )
    reasons = {0: Reason.CONVERGED, 1: Reason.STEP_LIMIT, 2: Reason.NO_DESCENT}
    return _solution(problem, at(found.x), reasons[found.status], history)


def _solution(problem: Problem, x: Tensor, reason: Reason, history: list[Step]) -> Solution:
    with torch.no_grad():
        end = problem.evaluate(x)
    return Solution(end.values, float(end.energy), end.energies(), reason, tuple(history))
