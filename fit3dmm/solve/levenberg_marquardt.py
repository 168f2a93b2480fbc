"""Damped Gauss-Newton for robust least squares with bounds.

K. Levenberg 1944, D. Marquardt 1963; the damping follows K. Madsen, H. B. Nielsen, O. Tingleff,
"Methods for non-linear least squares problems", 2004, algorithm 3.16. Bounds are kept by an active
set: what would leave its interval is put on the border and the others are solved for again.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.solve.block_arrow import BlockArrow
from fit3dmm.solve.block_chain import BlockChain
from fit3dmm.solve.problem import Evaluation, Problem
from fit3dmm.solve.solution import Reason, Solution, Step


@dataclass(frozen=True)
class LevenbergMarquardt(Settings):
    """Damped Gauss-Newton steps with closed-form or automatic Jacobians."""

    max_steps: int = ranged(30, 0)
    """Accepted steps."""
    relative_decrease: float = ranged(1e-4, 0.0)
    """Stop when a step lowers the energy by less than this share of it (and was predicted to)."""
    gradient_tolerance: float = ranged(1e-8, 0.0)
    """Stop when no element of the gradient, times the reach of its unknown, is larger than this
    share of the energy."""
    initial_damping: float = 1e-3
    """In units of the curvature's diagonal."""
    max_damping: float = 1e8
    """At which no step that lowers the energy is looked for any more."""


def solve_levenberg_marquardt(
    problem: Problem, settings: LevenbergMarquardt, begun: Solution | None = None
) -> Solution:
    """Minimise. A failure is a reason in the solution and not an exception.

    Args:
        begun: what fewer steps of the same settings made of the same problem: then these are not
            taken again, and the solution is that of all steps at once.
    """
    bounds, tolerance = problem.flat_bounds(), settings.gradient_tolerance
    if begun is not None and begun.at is not None:
        if begun.reason is not Reason.STEP_LIMIT:
            return begun
        at, history = begun.at, list(begun.history)
    else:
        with torch.no_grad():
            at = problem.evaluate(problem.flat_start())
        history = [Step(float(at.energy), settings.initial_damping, float("nan"), 1)]
    energy = float(at.energy)
    evaluations, damping, growth = history[-1].evaluations, history[-1].damping, 2.0
    if not torch.isfinite(at.energy):
        return _solution(at, Reason.NOT_FINITE, history)

    while len(history) <= settings.max_steps:
        with torch.no_grad():
            curvature, gradient = problem.normal_equations(at)
        if _is_flat(curvature, gradient, at.x, bounds, tolerance * max(energy, 1e-30)):
            return _solution(at, Reason.FLAT, history)
        while True:
            step = bounded_step(curvature, gradient, at.x, bounds, damping)
            predicted = -float(gradient @ step + 0.5 * step @ (curvature @ step))
            with torch.no_grad():
                trial = problem.evaluate(at.x + step.to(at.x))
            evaluations += 1
            decrease = energy - float(trial.energy)
            gain = decrease / predicted if predicted > 0 else -1.0
            if decrease > 0 and gain > 0:
                break
            if predicted <= settings.relative_decrease * energy * 1e-2:
                return _solution(at, Reason.CONVERGED, history)
            damping, growth = damping * growth, growth * 2
            if not damping < settings.max_damping:
                return _solution(at, Reason.NO_DESCENT, history)
        at, energy = trial, float(trial.energy)
        damping, growth = damping * max(1 / 3, 1 - (2 * gain - 1) ** 3), 2.0
        damping = max(damping, 1e-12)
        history.append(Step(energy, damping, gain, evaluations))
        # A short step may be short because of its damping: then the decrease says nothing.
        if decrease <= settings.relative_decrease * energy and damping < 1:
            return _solution(at, Reason.CONVERGED, history)
    return _solution(at, Reason.STEP_LIMIT, history)


def bounded_step(
    curvature: BlockArrow | BlockChain,
    gradient: Float[Tensor, "n"],
    x: Float[Tensor, "n"],
    bounds: tuple[Float[Tensor, "n"], Float[Tensor, "n"]],
    damping: float,
) -> Float[Tensor, "n"]:
    """Minimiser of the damped quadratic model within the bounds, by an active set.

    Unknowns only ever enter the set of those held at a border, so that at most n rounds are made;
    the next step of the solver releases them where the gradient points inwards.

    Args:
        curvature: Gauss-Newton matrix of the energy at x.
        gradient: of the energy at x.
        x: where the step starts, within the bounds.
        bounds: lowest and highest values of each unknown.
        damping: share of its diagonal that is added to the curvature.
    """
    diagonal = curvature.diagonal()
    # An unknown that no term depends on must not move, and must not make the matrix singular.
    floor = 1e-12 * diagonal.max().clamp_min(1e-30)
    damped = curvature.with_added(damping * diagonal + floor)
    low, high = (bound.double() - x.double() for bound in bounds)
    held = ((low >= 0) & (gradient > 0)) | ((high <= 0) & (gradient < 0))
    step = torch.zeros_like(gradient)
    while not held.all():
        step = _solve_unheld(damped, gradient, step, held)
        outside = ((step < low) | (step > high)) & ~held
        step = torch.minimum(torch.maximum(step, low), high)
        if not outside.any():
            break
        held = held | outside
    return step


def _solve_unheld(
    matrix: BlockArrow | BlockChain, gradient: Tensor, step: Tensor, held: Bool[Tensor, "n"]
) -> Float[Tensor, "n"]:
    """Solve for the elements that are not held; the held ones keep their part of the step."""
    fixed = torch.where(held, step, torch.zeros_like(step))
    right = -(gradient + matrix @ fixed)[~held]
    solved = matrix.select(~held).solve(right)
    return fixed.masked_scatter(~held, solved)


def _is_flat(
    curvature: BlockArrow,
    gradient: Tensor,
    x: Tensor,
    bounds: tuple[Tensor, Tensor],
    tolerance: float,
) -> bool:
    """Whether moving any single unknown by its own standard deviation would change next to nothing.

    Gradients that push against a bound do not count.
    """
    low, high = bounds
    pushing = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
    reach = curvature.diagonal().clamp_min(1e-30).rsqrt()
    slope = torch.where(pushing, torch.zeros_like(gradient), gradient * reach)
    return bool((slope.square() <= tolerance).all())


def _solution(at: Evaluation, reason: Reason, history: list[Step]) -> Solution:
    values = {name: value.detach() for name, value in at.values.items()}
    return Solution(values, float(at.energy), at.energies(), reason, tuple(history), at)
