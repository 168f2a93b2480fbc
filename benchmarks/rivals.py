"""Levenberg-Marquardt, Adam and L-BFGS from the same start to the same energy."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from torch import Tensor

from fit3dmm.solve import (
    LBFGS,
    Adam,
    LevenbergMarquardt,
    Problem,
    Solver,
    solve,
)
from harness import Metric, ratio_metric, time_metric

# Arrived: this share of the decrease that Levenberg-Marquardt finds is still to come.
_LEFT = 0.01
_MOST_STEPS = 4000
# A rate in units of the problem's scales, how many steps, and the share of the rate that is left
# after them: Adam is at its best with a schedule that fits, so it gets several.
_SCHEDULES = [
    *((rate, steps, 0.01) for steps in (250, 500, 1000, 2000) for rate in (0.3, 0.1, 0.03)),
    *((rate, _MOST_STEPS, left) for left in (0.05, 1.0) for rate in (0.3, 0.1, 0.03)),
]
# A time that was taken once.
_ONCE = 0.25


class _Ended(Exception):
    """The target is reached, or it is too late to be of interest."""


@dataclass(frozen=True)
class _Watched(Problem):
    """A problem that ends its solver, and notes the energies that it was asked for."""

    target: float = 0.0
    deadline: float = float("inf")
    asked: list[float] = field(default_factory=list)

    def energy_and_gradient(self, x: Tensor) -> tuple[Tensor, Tensor]:
        energy, gradient = super().energy_and_gradient(x)
        self.asked.append(float(energy))
        if self.asked[-1] <= self.target or time.process_time() > self.deadline:
            raise _Ended
        return energy, gradient


@dataclass(frozen=True)
class _Try:
    """How one rival did, with one thread: processor time feels other work on the machine least."""

    note: str
    """Its settings."""
    seconds: float
    steps: int
    lowest: float
    arrived: bool


def race(problem: Problem, repeats: int) -> Iterator[Metric]:
    """Processor time of each solver until it has all but a hundredth of what there is to gain.

    How much there is to gain is what Levenberg-Marquardt finds when it may run until it converges.
    Adam gets many schedules, of which the fastest counts; a rival that never arrives within
    4,000 steps yields a lower bound, and says so.
    """
    start = float(problem.evaluate(problem.flat_start()).energy)
    end = solve(problem, LevenbergMarquardt(max_steps=60, relative_decrease=0))
    target = end.energy + _LEFT * (start - end.energy)
    needed = next(k for k, step in enumerate(end.history) if step.energy <= target)
    seconds = []
    for _ in range(repeats):
        began = time.process_time()
        solve(problem, LevenbergMarquardt(needed, relative_decrease=0))
        seconds.append(time.process_time() - began)
    ours = time_metric("Levenberg-Marquardt to the target", seconds)
    yield Metric("energy at the start", start, "", None)
    yield Metric("energy at the end", end.energy, "", None)
    yield Metric("steps of Levenberg-Marquardt to the target", needed, "steps")
    yield ours
    watched = _Watched(problem.start, problem.free, problem.terms, problem.bounds, problem.steps,
                       target=target)  # fmt: skip
    yield from _against("L-BFGS", [_lbfgs(watched)], ours)
    yield from _against("Adam", _adam_tries(watched), ours)


def _lbfgs(problem: _Watched) -> _Try:
    settings = LBFGS(max_steps=_MOST_STEPS, relative_decrease=0)
    return _tried("", problem, settings)


def _adam_tries(problem: _Watched) -> list[_Try]:
    tries: list[_Try] = []
    for rate, steps, left in _SCHEDULES:
        best = min((one.seconds for one in tries if one.arrived), default=float("inf"))
        settings = Adam(max_steps=steps, learning_rate=rate, final_share=left)
        fading = "steady" if left == 1 else f"fading to {100 * left:g} % in {steps} steps"
        limited = _Watched(**{**vars(problem), "deadline": time.process_time() + best, "asked": []})
        note = f"rate {rate:g}, {fading}"
        tries.append(_tried(note, limited, settings))
    return tries


def _tried(note: str, problem: _Watched, solver: Solver) -> _Try:
    began = time.process_time()
    with contextlib.suppress(_Ended):
        solve(problem, solver)
    lowest = min(problem.asked)
    seconds = time.process_time() - began
    return _Try(note, seconds, len(problem.asked), lowest, lowest <= problem.target)


def _against(name: str, tries: list[_Try], ours: Metric) -> Iterator[Metric]:
    """The fastest that arrived; where none did, the one that came lowest."""
    arrived = [one for one in tries if one.arrived]
    if arrived:
        best = min(arrived, key=lambda one: one.seconds)
        note = best.note
    else:
        best = min(tries, key=lambda one: one.lowest)
        note = f"at least: {best.note} came down to {best.lowest:.5g} only"
    theirs = Metric(f"{name} to the target", best.seconds, "s", noise=_ONCE, note=note)
    yield theirs
    yield Metric(f"{name}, evaluations", best.steps, "evaluations", None, noise=_ONCE)
    ratio = ratio_metric(f"{name} / Levenberg-Marquardt", theirs, ours)
    yield replace(ratio, note=note if not arrived else "")
