"""Several photos of one person: each alone first, then all together.

Identity, detail and albedo are shared and their priors count once; pose, expression, light, focal
length and what the detectors make of it are each photo's own. Photos weigh by what they tell, since
each term has its noise; nothing else says how much a photo counts. What a photo tells of the person
(`fitting.shape_evidence`) makes the start of the joint problem, finds photos of somebody else
(`fitting.strangers`), and is what is said of each photo's share.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._parallel import Progress
from fit3dmm._settings import Settings, ranged
from fit3dmm._tensors import TensorRecord
from fit3dmm._threads import torch_threads
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.pipeline import (
    Ending,
    Run,
    advanced,
    ending_of,
    result_of,
    run_stages,
    stage_problem,
)
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.recognition import Recognition, pair_log_odds
from fit3dmm.fitting.result import FitResult, StageReport
from fit3dmm.fitting.shape_evidence import (
    PersonEvidence,
    PhotoModel,
    information_shares,
    photo_model,
    summed,
)
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.strangers import Strangers, verify
from fit3dmm.fitting.uncertainty import posteriors
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve.join import join, member
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.solve.noise import summed_products
from fit3dmm.solve.problem import Problem, Values
from fit3dmm.solve.solvers import solve
from fit3dmm.unknowns import ALBEDO, DETAIL, IDENTITY, LOG_FOCAL, bounds_of, coefficients_of

FEWEST, MOST = 2, 50
"""Photos of a person that are fitted together."""
_PERSON = (IDENTITY, DETAIL, ALBEDO)
_FOCAL = "focal"
"""The evidence on focal lengths alone, which photos of one camera share."""


@dataclass(frozen=True)
class Together(Settings):
    """How photos of one person are brought together."""

    same_camera: bool = False
    """Whether all photos of one size are of one camera whose focal length did not change; else
    those are whose EXIF tells the same focal length."""
    alone_decrease: float = ranged(1e-2, 0.0)
    """Share of its energy by which a step must lower it for another to follow, in the last stage
    that each photo runs alone: all photos go on together from there, and what each tells of the
    person is told by its slope, too."""
    strangers: Strangers = field(default_factory=Strangers)
    """When a photo counts as one of somebody else."""
    recognition: Recognition | None = field(default_factory=Recognition)
    """What the recognition network says of that, too; None asks the shapes alone."""


@dataclass(frozen=True)
class SeveralFit(TensorRecord):
    """One person in several photos, in the order in which they were given."""

    identity: Coefficients
    """The person at rest: identity, detail and albedo by all photos that count."""
    fits: tuple[FitResult, ...]
    """Of each photo. Those that count have the person's coefficients, and uncertainties by all of
    them; a stranger's is by itself."""
    information_share: tuple[float, ...]
    """Of what the photos tell of the shape, beyond what is known of people, how much each does.
    They add up to 1; a stranger's is 0."""
    same_person_log_odds: tuple[float, ...]
    """Of each photo: natural logarithm of how much more likely it is if it shows the same person as
    the others, than if it shows anybody. Near 0 where it tells too little."""
    outliers: tuple[int, ...]
    """Photos that do not fit the others, and do not count. Never one of two, as nothing says which
    of them is wrong: look at their odds."""
    contradict: bool
    """Whether there are two photos that count, and they do not go together."""
    seconds: float

    @property
    def remarks(self) -> tuple[str, ...]:
        """What speaks against the photos' being of one person, in sentences."""
        if self.contradict:
            return (
                "The two photos do not go together: are they of one person? Nothing says which of "
                "them to believe; a third photo would.",
            )
        return tuple(
            f"{self.fits[k].observation.name} does not fit the others and was left out: is it of "
            "the same person?"
            for k in self.outliers
        )

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Of each photo, in its `photo` frame."""
        return tuple(one.scene for one in self.fits)


def fit_together(
    prepared: PreparedModel,
    observations: Sequence[Observation],
    config: FitConfig | None = None,
    together: Together | None = None,
    recognised: Float[Tensor, "photos photos"] | None = None,
    progress: Progress = lambda doing, done, total: None,
) -> SeveralFit:
    """Fit one person in several photos.

    Args:
        prepared: the model (`prepare`).
        observations: of the person's face, one a photo (`look`).
        config: settings of each photo's fit; the default ones if left out. The last stage that
            moves the shape, and what follows it, all photos take together.
        together: how the photos are brought together.
        recognised: what another witness says in the place of the recognition network: for each pair
            of photos the natural logarithm of how much more likely they are of one person than of
            two.
        progress: called with what is being done, how much of it is done, and of how much.

    Raises:
        InputError: there are too few or too many photos, the settings move no shape, or as
            `fit_observation`.
    """
    config, together = config or FitConfig(), together or Together()
    n = len(observations)
    if not FEWEST <= n <= MOST:
        raise InputError(f"Expected {FEWEST} to {MOST} photos of one person, got {n}.")
    if config.crop_focal_px is not None:
        raise InputError(
            f"The preset {config.preset} has a camera for each crop, and can't fit several photos "
            "of one person together: choose another preset."
        )
    if recognised is not None and recognised.shape != (n, n):
        raise InputError(f"Expected what is recognised for {n} x {n} pairs of photos.")
    began = time.perf_counter()
    with torch.no_grad(), torch_threads(config.threads):
        alone, jointly = _schedule(config, together)
        like = prepared.model.mean_mm
        seen = [one.to(device=like.device, dtype=like.dtype) for one in observations]
        sitting = _Sitting(prepared, seen, config, together)
        runs, models, priors = [], [], []
        for k, one in enumerate(seen):
            progress("each alone", k, n)
            run = run_stages(prepared, one, config, alone)
            assert run.last is not None
            problem = replace(run.last[1], start=run.values)
            models.append(sitting.model(problem))
            priors = priors or [sitting.prior(problem)]
            # Of many photos the problems are large, and the next stage has its own.
            runs.append(replace(run, last=None))
        ((prior, n_shape),) = priors
        shape_prior = prior[:n_shape, :n_shape]
        shapes = [one.of_person.of_first(n_shape, prior) for one in models]
        if recognised is None and together.recognition is not None:
            recognised = pair_log_odds(seen, together.recognition)
        who = verify(shapes, shape_prior, together.strangers, recognised)
        counting = [k for k in range(n) if k not in who.strangers]
        progress("together", n, n)
        person = summed([models[k].of_person for k in counting]).mean(prior)
        runs = [
            sitting.moved(run, model, person) if k in counting else run
            for k, (run, model) in enumerate(zip(runs, models, strict=True))
        ]
        for stage in jointly:
            if stage.solver.max_steps:
                runs = sitting.solved(runs, counting, stage)
        fits, at_end = sitting.judged(runs, counting)
        shares = dict(
            zip(
                counting,
                information_shares([one.of_first(n_shape, prior) for one in at_end], shape_prior),
                strict=True,
            )
        )
    found = coefficients_of(runs[counting[0]].values)
    return SeveralFit(
        found.neutral(),
        tuple(fits),
        tuple(shares.get(k, 0.0) for k in range(n)),
        who.log_odds,
        who.strangers,
        who.contradict,
        time.perf_counter() - began,
    )


def _schedule(config: FitConfig, together: Together) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """The stages that each photo runs alone, and those which all run together.

    Raises:
        InputError: there is none.
    """
    moving = [
        k
        for k, stage in enumerate(config.stages)
        if IDENTITY in stage.free and stage.solver.max_steps
    ]
    if not moving:
        raise InputError(
            f"The settings {config.preset} move no shape, so that photos tell each other nothing: "
            "choose the preset default, landmarks or fine."
        )
    last = moving[-1]
    # Where one stage alone moves the shape it is run twice.
    *alone, before = config.stages[: last if len(moving) > 1 else last + 1]
    solver = before.solver
    if isinstance(solver, LevenbergMarquardt):
        least = max(solver.relative_decrease, together.alone_decrease)
        before = replace(before, solver=replace(solver, relative_decrease=least))
    return (*alone, before), config.stages[last:]


@dataclass(frozen=True)
class _Sitting:
    """What all steps look at."""

    prepared: PreparedModel
    observations: Sequence[Observation]
    config: FitConfig
    together: Together

    def begun(self, k: int, run: Run, stage: Stage) -> tuple[Context, Problem]:
        """A stage on one photo, as it begins."""
        before = None if run.last is None else run.last[0]
        seen = self.observations[k]
        context = context_at(self.prepared, seen, stage, run.values, before)
        return context, stage_problem(context, self.config)

    def model(self, problem: Problem) -> PhotoModel:
        """What a photo tells of the person, at the start of its problem."""
        shared = self.config.of_person()
        terms = {name: term for name, term in problem.terms.items() if name not in shared}
        own = replace(problem, terms=terms)
        curvature, gradient = own.normal_equations(own.evaluate(own.flat_start()))
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
            found[k] = replace(runs[k], values=values, reports=reports, last=lasts[k])
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
        sums = summed_products(ending.problem, own)
        person = _of_person(ending.problem.free)
        return photo_model(ending.problem, person, sums.curvature.dense(), sums.gradient).of_person

    def _joined(self, problems: Sequence[Problem], counting: Sequence[int]) -> Problem:
        groups = _same_cameras([self.observations[k] for k in counting], self.together.same_camera)
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
