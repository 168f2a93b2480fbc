"""What the steps on several photos of one person are made of: what each photo tells, all solved
together, all judged together."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.pipeline import Ending, ending_of, result_of
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import FitResult, StageReport
from fit3dmm.fitting.run import Run, advanced, stage_problem
from fit3dmm.fitting.shape_evidence import PersonEvidence, PhotoModel, photo_model
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.uncertainty import posteriors
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.join import join, member
from fit3dmm.solve.noise import summed_curvature
from fit3dmm.solve.problem import Evaluation, Problem, Values
from fit3dmm.solve.solvers import solve
from fit3dmm.unknowns import ALBEDO, DETAIL, IDENTITY, LOG_FOCAL, bounds_of

_PERSON = (IDENTITY, DETAIL, ALBEDO)
_FOCAL = "focal"
"""The evidence on focal lengths alone, which photos of one camera share."""


@dataclass(frozen=True)
class Sitting:
    """The photos of one person, and what each step makes of them."""

    prepared: PreparedModel
    observations: Sequence[Observation]
    """Of the photos' faces, where the model is."""
    config: FitConfig
    same_camera: bool
    """Whether all photos of one size are of one camera whose focal length did not change."""

    def begun(self, k: int, run: Run, stage: Stage) -> tuple[Context, Problem]:
        """A stage on one photo, as it begins."""
        before = None if run.last is None else run.last[0]
        seen = self.observations[k]
        context = context_at(self.prepared, seen, stage, run.values, before)
        return context, stage_problem(context, self.config)

    def model(self, problem: Problem, at: Evaluation | None = None) -> PhotoModel:
        """What a photo tells of the person, at the start of its problem.

        Args:
            problem: of the photo.
            at: all its terms there, if somebody has evaluated them.
        """
        shared = self.config.of_person()
        terms = {name: term for name, term in problem.terms.items() if name not in shared}
        own = replace(problem, terms=terms)
        if at is None:
            at = own.evaluate(own.flat_start())
        at = replace(at, terms={name: at.terms[name] for name in terms})
        curvature, gradient = own.normal_equations(at)
        return photo_model(own, _of_person(own.free), curvature.dense(), gradient)

    def prior(self, problem: Problem) -> tuple[Float[Tensor, "n n"], int]:
        """Precision of what is known of people, and how many of the unknowns are of shape."""
        shared = self.config.of_person()
        names = _of_person(problem.free)
        terms = {name: term for name, term in problem.terms.items() if name in shared}
        priors = Problem(problem.start, names, terms)
        arrow, _ = priors.normal_equations(priors.evaluate(priors.flat_start()))
        n_shape = sum(problem.start[name].numel() for name in names if name != ALBEDO)
        return arrow.dense(), n_shape

    def moved(self, run: Run, model: PhotoModel, person: Float[Tensor, "n"]) -> Run:
        """The same with another person, to whom the photo's own unknowns follow."""
        values = dict(run.values)
        sizes = [values[name].numel() for name in model.names]
        for name, part in zip(model.names, person.split(sizes), strict=True):
            values[name] = part.to(values[name])
        values |= model.own(person, run.values)
        for name, bounds in bounds_of(values, self.prepared.model).items():
            values[name] = values[name].clamp(bounds[:, 0], bounds[:, 1])
        return replace(run, values=values)

    def solved(self, runs: Sequence[Run], counting: Sequence[int], stage: Stage) -> list[Run]:
        """Those that count together, the others by themselves."""
        began = time.perf_counter()
        found = list(runs)
        lasts = {k: self.begun(k, runs[k], stage) for k in counting}
        problems = [problem for _, problem in lasts.values()]
        solution = solve(self._joined(problems, counting), stage.solver)
        seconds = (time.perf_counter() - began) / len(counting)
        for place, k in enumerate(counting):
            values = member(solution.values, place)
            energies = member(solution.energies, place)
            report = StageReport(stage.name, solution.reason, energies, solution.history, seconds)
            reports = (*runs[k].reports, report)
            found[k] = replace(runs[k], values=values, reports=reports, last=lasts[k], at=None)
        for k in range(len(runs)):
            if k not in counting:
                seen = self.observations[k]
                found[k] = advanced(runs[k], stage, self.prepared, seen, self.config)
        return found

    def judged(
        self,
        runs: Sequence[Run],
        counting: Sequence[int],
    ) -> tuple[list[FitResult], list[PersonEvidence]]:
        """The results, and what each photo that counts tells of the person in the end."""
        endings = [
            ending_of(self.prepared, one, self.config, run)
            for one, run in zip(self.observations, runs, strict=True)
        ]
        problems = [endings[k].problem for k in counting]
        products = [endings[k].products for k in counting]
        found = posteriors(self._joined(problems, counting), problems, products)
        told = dict(zip(counting, found, strict=True))
        fits = [
            result_of(ending, self.config, run, told.get(k))
            for k, (ending, run) in enumerate(zip(endings, runs, strict=True))
        ]
        return fits, [self._evidence(endings[k]) for k in counting]

    def _evidence(self, ending: Ending) -> PersonEvidence:
        shared = self.config.of_person()
        own = {name: one for name, one in ending.products.items() if name not in shared}
        curvature, gradient = summed_curvature(ending.problem, own)
        person = _of_person(ending.problem.free)
        return photo_model(ending.problem, person, curvature.dense(), gradient).of_person

    def _joined(self, problems: Sequence[Problem], counting: Sequence[int]) -> Problem:
        groups = _same_cameras([self.observations[k] for k in counting], self.same_camera)
        return join(problems, self.config.of_person(), {LOG_FOCAL: groups, _FOCAL: groups})


def _of_person(names: Sequence[str] | Values) -> tuple[str, ...]:
    """Those of the person, those of shape first."""
    return tuple(name for name in _PERSON if name in names)


def _same_cameras(observations: Sequence[Observation], told: bool) -> tuple[tuple[int, ...], ...]:
    """Groups of photos with one focal length in px, of two and more."""
    by_camera: dict[tuple[object, ...], list[int]] = {}
    for k, one in enumerate(observations):
        if told or one.exif_focal_px is not None:
            size = sorted((one.photo_width_px, one.photo_height_px))
            focal = None if told else one.exif_focal_px
            by_camera.setdefault((*size, focal), []).append(k)
    return tuple(tuple(group) for group in by_camera.values() if len(group) > 1)
