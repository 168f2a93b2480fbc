"""The fit that starts from given coefficients, and what decides whether it may replace them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from fit3dmm._threads import torch_threads
from fit3dmm.fitting.config import (
    COLOUR,
    DETECTOR,
    LANDMARK_STAGES,
    POSE,
    FitConfig,
)
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.presets import REGRESSOR_STAGES
from fit3dmm.fitting.result import FitResult, Refinement
from fit3dmm.fitting.stage import Stage
from fit3dmm.observe.observation import Observation
from fit3dmm.refining.given import told
from fit3dmm.refining.held_out import (
    Gain,
    HeldOut,
    colour_sigma,
    compares_colours,
    gain,
    held_out,
    partial_config,
)
from fit3dmm.refining.place import is_placed, placed
from fit3dmm.refining.start import Start
from fit3dmm.solve import LevenbergMarquardt
from fit3dmm.unknowns import IRRADIANCE


@dataclass(frozen=True)
class Step:
    """One refinement: what of the given face may be left, and how far."""

    trust: float | None
    """Sigma of the given identity, in the model's; 0 leaves it as it is, None where it was no more
    than a start."""
    moment_trust: float | None
    """The same of the expression, in those of the model's spread."""
    margin: float
    """By how much what was kept back must be better explained, in units of energy; and by no less
    than its own noise."""


STEPS = (
    Step(0.0, 0.0, 0.0),
    Step(0.0, 0.8, 4.0),
    Step(0.2, 0.8, 1.5),
    Step(None, None, 20.0),
)
"""From where the face is to what it is. A regressor that is good errs by half of people's spread in
the identity, and by most of it in the expression; a third of that leaves room for what a photo's
evidence errs itself. The margins were chosen on rendered people (docs/refine.md). What a detector
errs on many points alike is in the points that are kept back, too, and a face that is free follows
it: so the last one, for identities that are somebody else's, must gain far more."""


def refine_observation(
    observation: Observation,
    prepared: PreparedModel,
    start: Start,
    config: FitConfig | None = None,
) -> FitResult:
    """Fit one observed face from given coefficients, or keep them.

    A fifth of the detectors' points and of the face's colours is kept back. The input, put in its
    place in the photo and lit, and what each refinement makes of the rest are compared by what they
    say of that fifth, step by step: where the face is; its expression, too; its identity a little;
    all of it. A step is taken where it explains that fifth better by more than the noise of that
    difference, and the last one that was taken is the result. Where none was, it is the input.

    Args:
        observation: one face of a photo (`fitting.look`).
        prepared: the model of the coefficients.
        start: the coefficients and what their system says of the camera.
        config: settings of the fit; the default ones if left out.

    Raises:
        InputError: the coefficients are of another photo or model, or nothing was seen.
    """
    config = config or FitConfig()
    with torch.no_grad(), torch_threads(config.threads):
        observation = observation.to(
            device=prepared.model.mean_mm.device, dtype=prepared.model.mean_mm.dtype
        )
        judge = Judge(observation, prepared, config)
        return chosen(judge, start, attempts(judge, start))


@dataclass(frozen=True)
class Tried:
    """A fit that saw four fifths of a photo."""

    step: Step | None
    """None for the input, in its place and lit."""
    result: FitResult


@dataclass(frozen=True)
class Judge:
    """Looks at what was kept back of a photo."""

    observation: Observation
    prepared: PreparedModel
    config: FitConfig

    def prefers(self, found: Tried, best: Tried) -> bool:
        """Whether a step is taken."""
        if found.step is None or found.result.quality.verdict == "failed":
            return False
        difference = gain(*self.scores(best, found))
        # Every comparison with what is no number is false, so such a fit is not chosen.
        return difference.value > max(found.step.margin, difference.noise)

    def scores(self, *tried: Tried) -> list[HeldOut]:
        """Of some fits, with one noise of colours for all: that of whichever explains most."""
        seen = (self.observation, self.prepared, self.config)
        scenes = [one.result.scene for one in tried]
        sigma = None
        if compares_colours(self.config):
            sigma = min(colour_sigma(*seen, scene) for scene in scenes)
        return [held_out(*seen, scene, sigma) for scene in scenes]


def attempts(judge: Judge, start: Start) -> Iterator[Tried]:
    """The input, then what each step makes of it; each is fitted when it is asked for.

    Args:
        judge: of the photo.
        start: what was given.

    Raises:
        InputError: the coefficients are of another photo or model, or nothing was seen.
    """
    observation, prepared, config = judge.observation, judge.prepared, judge.config
    scene = placed(start, observation, prepared, config)
    part = partial_config(config)
    stages = _stages_of_input(start, prepared, config)
    result = fit_observation(observation, prepared, replace(part, stages=stages), scene)
    yield Tried(None, result)
    begin = result.scene
    for step in STEPS:
        settings = told(part, begin.coefficients, step.trust, step.moment_trust)
        yield Tried(step, fit_observation(observation, prepared, settings, begin))


def chosen(judge: Judge, start: Start, tried: Iterable[Tried]) -> FitResult:
    """The last step that was taken, with what decided.

    Args:
        judge: of the photo.
        start: what was given.
        tried: what `attempts` gives, of which no more is asked for than decides.
    """
    steps = iter(tried)
    best = given = next(steps)
    for found in steps:
        if judge.prefers(found, best):
            best = found
        elif best is not given:
            break
    return _with_reasons(judge, start, given, best)


def _stages_of_input(start: Start, prepared: PreparedModel, config: FitConfig) -> tuple[Stage, ...]:
    """The face stays what it is; where it is, if nobody said, and how it is lit, is found."""
    has_modes = any(one.errors.n_modes for one in prepared.detectors.values())
    free = (() if is_placed(start) else POSE) + (DETECTOR if has_modes else ())
    place = (
        Stage(
            "place",
            free,
            ("landmarks", "network", "detector_modes", "distance", "focal"),
            solver=LevenbergMarquardt(max_steps=10, relative_decrease=1e-3),
        ),
    )
    place = place if free else ()
    if not compares_colours(config):
        still = LevenbergMarquardt(max_steps=0)
        return *place, replace(LANDMARK_STAGES[-1], name="judgement", solver=still)
    said = bool((start.coefficients.albedo != 0).any())
    light = Stage(
        "light",
        (IRRADIANCE,) if said else COLOUR,
        ("photometric", "albedo", "light", "positive_light"),
        blur_px=2.0,
        solver=LevenbergMarquardt(max_steps=6, relative_decrease=1e-2),
    )
    return *place, light, REGRESSOR_STAGES[-1]


def _with_reasons(judge: Judge, start: Start, given: Tried, best: Tried) -> FitResult:
    """The result with what decided."""
    kept = best.step is None
    before, after = judge.scores(given, best)
    won = Gain(0.0, 0.0) if kept else gain(before, after)
    refinement = Refinement(
        source=start.source,
        kept=kept,
        trust=None if best.step is None else best.step.trust,
        moment_trust=None if best.step is None else best.step.moment_trust,
        gain=won.value,
        gain_noise=won.noise,
        points_before=before.point,
        points_after=after.point,
        pixels_before=before.colour,
        pixels_after=after.colour,
        remarks=start.remarks,
    )
    return best.result.replace(refinement=refinement)
