"""The fit that starts from given coefficients, and what decides whether it may replace them."""

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
    HeldOut,
    colour_sigma,
    compares_colours,
    held_out,
    partial_config,
)
from fit3dmm.refining.place import is_placed, placed
from fit3dmm.refining.start import Start
from fit3dmm.solve import LevenbergMarquardt
from fit3dmm.unknowns import IRRADIANCE

TRUSTS: tuple[float | None, ...] = (0.0, 0.3, None)
"""How far the given identity may be left, in the model's sigmas: each is tried, from not at all to
as far as the photo says. Published regressors err by six tenths of people's spread or more; half of
that leaves room for what a photo's evidence errs itself."""
_MARGINS = (0.0, 0.0, 20.0)
"""By how much the energy of what was kept back must fall for each of them to be taken.

What a detector errs on many points alike is in the points that are kept back, too, and a face that
is free follows it: on rendered people, chosen for this, the last gained 0.4 to 6 over the one
before and came out worse nine times of twelve."""
_WELL_EXPLAINED = 0.065
"""Energy of a point that was kept back, above which the identity is not left a little: photos
whose points lie further off the given face, put in its place, are those on which detectors err
most. Of eleven rendered people, chosen for this, that were above, the shape of four would have come
out worse, and of seven below none."""


def refine_observation(
    observation: Observation,
    prepared: PreparedModel,
    start: Start,
    config: FitConfig | None = None,
) -> FitResult:
    """Fit one observed face from given coefficients, or keep them.

    A fifth of the detectors' points and of the face's colours is kept back. The input, put in its
    place in the photo and lit, and what each refinement makes of the rest are compared by what they
    say of that fifth. The first finds pose, expression, camera and light; the others may leave the
    identity, too: a little where the face already explains the points well, or altogether where it
    then explains far more. Where none is better, the result is the input itself.

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
        like = prepared.model.mean_mm
        observation = observation.to(device=like.device, dtype=like.dtype)
        scene = placed(start, observation, prepared, config)
        part = partial_config(config)
        stages = _stages_of_input(start, prepared, config)
        tried = [
            _Tried(
                None, fit_observation(observation, prepared, replace(part, stages=stages), scene)
            )
        ]
        given = tried[0].result.scene
        for trust in TRUSTS:
            settings = told(part, given.coefficients, trust)
            tried.append(_Tried(trust, fit_observation(observation, prepared, settings, given)))
        return _best(observation, prepared, config, start, tried)


@dataclass(frozen=True)
class _Tried:
    trust: float | None
    result: FitResult


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


def _best(
    observation: Observation,
    prepared: PreparedModel,
    config: FitConfig,
    start: Start,
    tried: list[_Tried],
) -> FitResult:
    sigma = None
    scenes = [one.result.scene for one in tried]
    if compares_colours(config):
        # One noise for all, that of whichever explains most.
        sigma = min(colour_sigma(observation, prepared, config, scene) for scene in scenes)
    scores = [held_out(observation, prepared, config, scene, sigma) for scene in scenes]
    n_pixels = min(score.n_pixels for score in scores)
    energies = [_energy(score, n_pixels) for score in scores]
    still = next(k for k, one in enumerate(tried) if one.trust == 0)
    well = scores[still].points <= _WELL_EXPLAINED * scores[still].n_points
    best = _chosen(tried, energies, well)
    before, after = scores[0], scores[best]
    refinement = Refinement(
        source=start.source,
        kept=best == 0,
        trust=tried[best].trust,
        gain=energies[0] - energies[best],
        points_before=before.points / max(before.n_points, 1),
        points_after=after.points / max(after.n_points, 1),
        pixels_before=before.pixel,
        pixels_after=after.pixel,
        remarks=start.remarks,
    )
    return tried[best].result.replace(refinement=refinement)


def _energy(score: HeldOut, n_pixels: float) -> float:
    return score.points + (0.0 if score.pixel is None else n_pixels * score.pixel)


def _chosen(tried: list[_Tried], energies: list[float], well: bool) -> int:
    """The input is left for the first refinement that is better, and that for one that leaves the
    identity further only if it is clearly better, step by step.

    Args:
        tried: the input first, then from the nearest to the farthest.
        energies: of what was kept back, by each of them.
        well: whether the given face, in its place, explains the points of the photo well enough for
            them to tell a little more of it.
    """
    best = 0
    for k, (one, margin) in enumerate(zip(tried[1:], _MARGINS, strict=True), start=1):
        if one.result.quality.verdict == "failed" or (one.trust and not well):
            continue
        # Every comparison with what is no number is false, so such a fit is not chosen.
        if energies[k] < energies[best] - margin:
            best = k
        elif best:
            break
    return best
