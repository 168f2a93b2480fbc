"""Stages run one after another, from one start or from the better of two."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.initialise import starting_values, values_at
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import StageReport
from fit3dmm.fitting.stage import Stage
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve.join import scaled
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.solve.problem import Evaluation, Problem, Values
from fit3dmm.solve.solution import Solution
from fit3dmm.solve.solvers import solve
from fit3dmm.unknowns import IDENTITY, LOG_FOCAL, bounds_of, steps_of

_STEPS_TO_COMPARE = 3


@dataclass(frozen=True)
class Run:
    """How far a fit has come from one start."""

    start: str
    values: Values
    reports: tuple[StageReport, ...] = ()
    last: tuple[Context, Problem] | None = field(default=None, compare=False, repr=False)
    """Of the last stage, from where it began."""
    at: Evaluation | None = field(default=None, compare=False, repr=False)
    """All terms of the last stage where it ended, from solvers that have them."""


def run_stages(
    prepared: PreparedModel,
    observation: Observation,
    config: FitConfig,
    stages: Sequence[Stage],
    start: Scene | None = None,
) -> Run:
    """Run some stages on one observed face, which must be where the model is.

    Args:
        prepared: the model.
        observation: of the face.
        config: settings, whose stages are left aside.
        stages: what is run.
        start: as for `fit_observation`.

    Raises:
        InputError: as `fit_observation`.
    """
    if start is None:
        beginnings = starting_values(prepared, observation, config)
    else:
        beginnings = {"given": values_at(start, prepared)}
    runs = [Run(name, values) for name, values in beginnings.items()]
    for stage in stages:
        if len(runs) > 1 and IDENTITY in stage.free:
            runs = [_better(runs, stage, prepared, observation, config)]
        else:
            runs = [advanced(run, stage, prepared, observation, config) for run in runs]
    return runs[0]


def advanced(
    run: Run,
    stage: Stage,
    prepared: PreparedModel,
    observation: Observation,
    config: FitConfig,
) -> Run:
    """Run one stage, from where a fit has come."""
    began = time.perf_counter()
    context, problem = _posed(run, stage, prepared, observation, config)
    return _ended(run, context, problem, solve(problem, stage.solver), began)


def _posed(
    run: Run, stage: Stage, prepared: PreparedModel, observation: Observation, config: FitConfig
) -> tuple[Context, Problem]:
    """What a stage minimises from where a fit has come."""
    before = None if run.last is None else run.last[0]
    context = context_at(prepared, observation, stage, run.values, before)
    return context, stage_problem(context, config)


def _ended(run: Run, context: Context, problem: Problem, solution: Solution, began_s: float) -> Run:
    report = _report(context.stage, solution, time.perf_counter() - began_s)
    reports = (*run.reports, report)
    last = (context, problem)
    return replace(run, values=solution.values, reports=reports, last=last, at=solution.at)


def _better(
    runs: list[Run],
    stage: Stage,
    prepared: PreparedModel,
    observation: Observation,
    config: FitConfig,
) -> Run:
    """Run one stage from the start from which its first steps lead lower, as a fit does that was
    told to begin there."""
    began = time.perf_counter()
    posed = [_posed(run, stage, prepared, observation, config) for run in runs]
    goes_on = isinstance(stage.solver, LevenbergMarquardt)
    solver = stage.solver if goes_on else LevenbergMarquardt()
    few = replace(solver, max_steps=min(_STEPS_TO_COMPARE, solver.max_steps))
    found = [solve(problem, few) for _, problem in posed]
    # Every comparison with what is no number is false.
    energies = [one.energy if math.isfinite(one.energy) else math.inf for one in found]
    k = energies.index(min(energies))
    context, problem = posed[k]
    solution = solve(problem, stage.solver, found[k] if goes_on else None)
    return _ended(runs[k], context, problem, solution, began)


def stage_problem(context: Context, config: FitConfig) -> Problem:
    """The minimisation that a stage stands for, from the context's values; any solver takes it."""
    values, evidence = context.values, config.evidence()
    made = {name: evidence[name].term(context) for name in context.stage.terms}
    terms = {name: term for name, term in made.items() if term is not None}
    terms = {
        name: scaled(term, 1 / share) if (share := config.share_of(name)) != 1 else term
        for name, term in terms.items()
    }
    fixed = (LOG_FOCAL,) if config.focal_px is not None else ()
    free = [
        name
        for family in context.stage.free
        for name in values
        if name.partition("/")[0] == family and name not in fixed and values[name].numel()
    ]
    bounds = bounds_of(values, context.prepared.model)
    return Problem(values, tuple(free), terms, bounds, steps_of(values))


def _report(stage: Stage, solution: Solution, seconds: float) -> StageReport:
    return StageReport(stage.name, solution.reason, solution.energies, solution.history, seconds)
