"""The fit that starts from given coefficients, and what decides whether it may replace them."""

from dataclasses import dataclass, replace

import torch

from fit3dmm._threads import torch_threads
from fit3dmm.fitting.config import (
    COLOUR,
    DETECTOR,
    LANDMARK_STAGES,
    POSE,
    REGRESSOR_STAGES,
    FitConfig,
)
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.fitting.prepared import PreparedModel
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

TRUSTS: tuple[float | None, ...] = (0.0, 0.5, None)
"""How far the given identity may be left, in the model's sigmas: each is tried, from not at all to
as far as the photo says."""
# By how much the energy of what was kept back must fall for the given identity to be left. What a
# detector errs on many points alike is in the points that are kept back, too, and a face that is
# free follows it: on rendered people whose identity was given well, such a face gained 3 to 10 and
# was worse, and where it was given badly it gained 8 to 24 and was better.
_MARGIN = 8.0


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
    identity, too, and must be clearly better. Where none is, the result is the input itself.

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
        stages = _stages_of_input(start, config)
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


def _stages_of_input(start: Start, config: FitConfig) -> tuple[Stage, ...]:
    """The face stays what it is; where it is, if nobody said, and how it is lit, is found."""
    place = Stage(
        "place",
        DETECTOR if is_placed(start) else POSE + DETECTOR,
        ("landmarks", "network", "detector_modes", "distance", "focal"),
        solver=LevenbergMarquardt(max_steps=10, relative_decrease=1e-3),
    )
    if not compares_colours(config):
        still = LevenbergMarquardt(max_steps=0)
        return place, replace(LANDMARK_STAGES[-1], name="judgement", solver=still)
    said = bool((start.coefficients.albedo != 0).any())
    light = Stage(
        "light",
        (IRRADIANCE,) if said else COLOUR,
        ("photometric", "albedo", "light", "positive_light"),
        blur_px=2.0,
        solver=LevenbergMarquardt(max_steps=6, relative_decrease=1e-2),
    )
    return place, light, REGRESSOR_STAGES[-1]


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
    # Every comparison with what is no number is false, so such a fit is not chosen.
    best = 0
    for k, one in enumerate(tried):
        margin = 0.0 if one.trust == 0 else _MARGIN
        if energies[k] < energies[best] - margin:
            best = k
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
