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
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.recognition import Recognition, pair_log_odds
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.run import run_stages
from fit3dmm.fitting.shape_evidence import information_shares, summed
from fit3dmm.fitting.sitting import Sitting
from fit3dmm.fitting.stage import Stage
from fit3dmm.fitting.strangers import Strangers, verify
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve.levenberg_marquardt import LevenbergMarquardt
from fit3dmm.unknowns import IDENTITY, coefficients_of

FEWEST, MOST = 2, 50
"""Photos of a person that are fitted together."""


@dataclass(frozen=True)
class Together(Settings):
    """How photos of one person are brought together."""

    same_camera: bool = False
    """Whether all photos of one size are of one camera whose focal length did not change; else
    those are whose EXIF tells the same focal length."""
    alone_decrease: float = ranged(0.1, 0.0)
    """Share of its energy by which a step must lower it for another to follow, in the last stage
    that each photo runs alone: all photos go on together from there, and what each tells of the
    person is told by its slope, too."""
    early_decrease: float = ranged(2e-3, 0.0)
    """The same in the stages before it."""
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
        sitting = Sitting(prepared, seen, config, together.same_camera)
        runs, models, priors = [], [], []
        for k, one in enumerate(seen):
            progress("each alone", k, n)
            run = run_stages(prepared, one, config, alone)
            assert run.last is not None
            problem = replace(run.last[1], start=run.values)
            models.append(sitting.model(problem, run.at))
            priors = priors or [sitting.prior(problem)]
            # Of many photos the problems are large, and the next stage has its own.
            runs.append(replace(run, last=None, at=None))
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
    *early, before = config.stages[: last if len(moving) > 1 else last + 1]
    alone = [_stopping_at(together.early_decrease, stage) for stage in early]
    return (*alone, _stopping_at(together.alone_decrease, before)), config.stages[last:]


def _stopping_at(least: float, stage: Stage) -> Stage:
    """The same that is left when steps lower its energy by less than this share."""
    solver = stage.solver
    if not isinstance(solver, LevenbergMarquardt) or solver.relative_decrease >= least:
        return stage
    return replace(stage, solver=replace(solver, relative_decrease=least))
