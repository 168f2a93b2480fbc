"""What of a photo is kept back from a fit, and how well a scene explains it.

A detector errs on neighbouring points alike, and so do colours: what is kept back are patches of
the face, not single points between those that are fitted.
"""

import math
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.energy.robust import Loss
from fit3dmm.fitting.config import DETECTOR, FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.evidence import Landmarks, Photometric
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.run import stage_problem
from fit3dmm.fitting.stage import Stage
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve import LevenbergMarquardt, Values, solve
from fit3dmm.unknowns import starts

_PATCH_MM = 20.0
_ONE_IN = 5
_SIDE = 64
"""Patches in a row of the square in which a face lies with room to spare."""
_POINTS = Stage(
    "held-out points",
    DETECTOR,
    ("landmarks", "network", "detector_modes"),
    solver=LevenbergMarquardt(max_steps=4),
)
_PIXELS = Stage("held-out pixels", DETECTOR, ("photometric",), blur_px=0.7)


def is_kept_back(mean_mm: Float[Tensor, "points 3"]) -> Float[Tensor, "points"]:
    """1 for points of the mean face in one patch of five, spread over the face like a knight's
    moves; 0 for the others."""
    column, row = _column_and_row(mean_mm)
    return ((column + 2 * row) % _ONE_IN == 0).to(mean_mm)


def patch_of(mean_mm: Float[Tensor, "points 3"]) -> Int[Tensor, "points"]:
    """The number of the patch that a point of the mean face lies in."""
    column, row = ((place + _SIDE // 2).clamp(0, _SIDE - 1) for place in _column_and_row(mean_mm))
    return _SIDE * row + column


def _column_and_row(mean_mm: Float[Tensor, "points 3"]) -> tuple[Tensor, Tensor]:
    column, row = (mean_mm[:, :2] / _PATCH_MM).floor().long().unbind(1)
    return column, row


@dataclass(frozen=True)
class PartialLandmarks(Landmarks):
    """The points that are fitted, or those that are kept back."""

    kept_back: bool = False

    def loss(self, context: Context) -> Loss:
        """Nothing for the other points."""
        whole = super().loss(context)
        counts = _counts(_of_detector(context.prepared, self.source), self.kept_back)

        def partial(squared: Tensor) -> tuple[Tensor, Tensor]:
            energy, weight = whole(squared)
            return energy * counts, weight * counts

        return partial


@dataclass(frozen=True)
class PartialPhotometric(Photometric):
    """The colours that are fitted, or those that are kept back."""

    kept_back: bool = False

    def weights(self, context: Context) -> Float[Tensor, "points"]:
        """Nothing for the other samples."""
        prepared = context.prepared
        mean_mm = prepared.samples.points.at(starts(prepared.model)).mm
        return super().weights(context) * _counts(mean_mm, self.kept_back)


def _of_detector(prepared: PreparedModel, source: str) -> Float[Tensor, "points 3"]:
    """Its points on the mean face."""
    return prepared.detectors[source].points.at(starts(prepared.model)).mm


def _counts(mean_mm: Float[Tensor, "points 3"], kept_back: bool) -> Float[Tensor, "points"]:
    back = is_kept_back(mean_mm)
    return back if kept_back else 1 - back


def partial_config(config: FitConfig, kept_back: bool = False) -> FitConfig:
    """Settings that see one part of the photo only."""

    def settings(one: Landmarks | Photometric) -> dict:
        return {field.name: getattr(one, field.name) for field in fields(one)}

    return replace(
        config,
        landmarks=PartialLandmarks(**settings(config.landmarks), kept_back=kept_back),
        network=PartialLandmarks(**settings(config.network), kept_back=kept_back),
        photometric=PartialPhotometric(**settings(config.photometric), kept_back=kept_back),
    )


@dataclass(frozen=True)
class HeldOut:
    """How well a scene explains what was kept back, patch by patch."""

    points: Float[Tensor, "patches"]
    """Energy, with what the detectors make of these points as likely as it is."""
    modes: float
    """Energy of what they make of them, which is of no patch."""
    n_points: int
    colours: Float[Tensor, "patches"]
    """Energy; zeros where colours don't count."""
    n_colours: Float[Tensor, "patches"]
    """Independent observations that the scene sees there."""

    @property
    def point(self) -> float:
        """Mean energy of a point."""
        return (float(self.points.sum()) + self.modes) / max(self.n_points, 1)

    @property
    def colour(self) -> float | None:
        """Mean energy of a colour; None where colours don't count."""
        seen = float(self.n_colours.sum())
        return float(self.colours.sum()) / seen if seen > 0 else None


@dataclass(frozen=True)
class Gain:
    """By how much one scene explains better than another what was kept back."""

    value: float
    """Energy: a difference of log-likelihoods."""
    noise: float
    """Its standard error, from how patches differ: what errs in one, errs in another by itself."""


def gain(before: HeldOut, after: HeldOut) -> Gain:
    """What a second scene explains better; of colours where both see the face."""
    both = torch.minimum(before.n_colours, after.n_colours)
    of_colour = [one.colours / one.n_colours.clamp_min(1e-9) for one in (before, after)]
    of_patch = before.points - after.points + both * (of_colour[0] - of_colour[1])
    asked = of_patch[(before.points > 0) | (after.points > 0) | (both > 0)].double()
    noise = math.inf if len(asked) < 2 else float(asked.std()) * math.sqrt(len(asked))
    return Gain(float(asked.sum()) + before.modes - after.modes, noise)


def compares_colours(config: FitConfig) -> bool:
    """Whether any stage does."""
    return any("photometric" in stage.terms for stage in config.stages)


def colour_sigma(
    observation: Observation, prepared: PreparedModel, config: FitConfig, scene: Scene
) -> float:
    """What a scene leaves unexplained of the fitted colours: the noise of the others."""
    context = context_at(prepared, observation, _PIXELS, values_at(scene, prepared))
    low, high = config.photometric.sigma_range
    return min(max(partial_config(config).photometric.explained(context)[0], low), high)


def held_out(
    observation: Observation,
    prepared: PreparedModel,
    config: FitConfig,
    scene: Scene,
    sigma: float | None,
) -> HeldOut:
    """Look at what was kept back.

    Args:
        observation: the whole of it.
        prepared: the model.
        config: settings of the whole.
        scene: what is to explain it.
        sigma: of colours (`colour_sigma`), the same for all scenes that are compared; None leaves
            colours out.
    """
    back = partial_config(config, kept_back=True)
    values = values_at(scene, prepared)
    context = context_at(prepared, observation, _POINTS, values)
    modes, values = _likely_modes(context, back)
    points = torch.zeros(_SIDE**2).to(prepared.model.mean_mm)
    n_points = 0
    for one in (back.landmarks, back.network):
        term = one.term(context)
        if term is None:
            continue
        mean_mm = _of_detector(prepared, one.source)
        squared = term(values).residual.unflatten(-1, (-1, 2)).square().sum(-1)
        points.index_add_(0, patch_of(mean_mm), one.loss(context)(squared)[0])
        n_points += int(is_kept_back(mean_mm).sum())
    none = torch.zeros_like(points)
    if sigma is None:
        return HeldOut(points, modes, n_points, none, none)
    colours = replace(back.photometric, sigma_range=(sigma, 1.001 * sigma))
    context = context_at(prepared, observation, _PIXELS, values)
    patch = patch_of(prepared.samples.points.at(starts(prepared.model)).mm)
    energy, weight = colours.energies(context, sigma)
    return HeldOut(
        points,
        modes,
        n_points,
        none.index_add(0, patch, energy),
        none.index_add(0, patch, weight),
    )


def _likely_modes(context: Context, back: FitConfig) -> tuple[float, Values]:
    """What the detectors make of these points as likely as it is, where they make anything, and
    the energy of that."""
    if not any(one.errors.n_modes for one in context.prepared.detectors.values()):
        return 0.0, context.values
    found = solve(stage_problem(context, back), _POINTS.solver)
    return found.energies["detector_modes"], found.values
