"""Adam and L-BFGS on the same problems: the reference, and the way for terms without Jacobians."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from fit3dmm.solve.problem import Problem, Reason, Solution, Step


@dataclass(frozen=True)
class Adam:
    """Settings. D. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015."""

    max_steps: int = 300
    rate: float = 0.01
    """Size of the first steps, in units of the problem's `scale`."""
    final_rate: float = 0.05
    """Share of `rate` that is left at the last step; the decay is exponential."""
    decay_gradient: float = 0.9
    decay_square: float = 0.999


@dataclass(frozen=True)
class LBFGS:
    """Settings. R. Byrd, P. Lu, J. Nocedal, C. Zhu, "A limited memory algorithm for bound
    constrained optimization", SIAM J. Sci. Comput. 16(5), 1995, in SciPy's implementation."""

    max_steps: int = 200
    relative_decrease: float = 1e-9
    memory: int = 20


def solve_adam(
    problem: Problem,
    settings: Adam | None = None,
    enough: Callable[[float], bool] = lambda energy: False,
) -> Solution:
    """Take a fixed number of steps; bounds are kept by projection.

    Args:
        enough: asked with the energy before each step; true ends the run as converged.
    """
    settings = settings or Adam()
    low, high = problem.flat_bounds()
    scale = problem.flat_scale()
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
        if enough(float(energy)):
            reason = Reason.CONVERGED
            break
        # In units of the scale the derivative is scale times gradient.
        scaled = gradient * scale
        mean = settings.decay_gradient * mean + (1 - settings.decay_gradient) * scaled
        square = settings.decay_square * square + (1 - settings.decay_square) * scaled**2
        unbiased = mean / (1 - settings.decay_gradient**k)
        spread = (square / (1 - settings.decay_square**k)).sqrt()
        rate = settings.rate * settings.final_rate ** (k / settings.max_steps)
        x = x - rate * scale * unbiased / (spread + 1e-12)
        x = torch.minimum(torch.maximum(x, low), high)
    return _solution(problem, x, reason, history)


def solve_lbfgs(problem: Problem, settings: LBFGS | None = None) -> Solution:
    """Minimise with limited-memory BFGS within the bounds."""
    settings = settings or LBFGS()
    start, scale = problem.flat_start(), problem.flat_scale()
    low, high = (((bound - start) / scale).double().numpy() for bound in problem.flat_bounds())
    history: list[Step] = []
    evaluations = 0

    def at(z: np.ndarray) -> Tensor:
        return start + scale * torch.from_numpy(z).to(start)

    def energy_and_gradient(z: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations
        evaluations += 1
        energy, gradient = problem.energy_and_gradient(at(z))
        return float(energy), (gradient * scale).double().numpy()

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
