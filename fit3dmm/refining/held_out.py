"""What of a photo is kept back from a fit, and how well a scene explains it.

A detector errs on neighbouring points alike, and so do colours: what is kept back are patches of
the face, not single points between those that are fitted.
"""

from dataclasses import dataclass, fields, replace

from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.robust import Loss
from fit3dmm.fitting.config import DETECTOR, FitConfig
from fit3dmm.fitting.context import Context, context_at
from fit3dmm.fitting.evidence import Landmarks, Photometric
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.pipeline import stage_problem
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.stage import Stage
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve import LevenbergMarquardt, solve
from fit3dmm.unknowns import starts

_PATCH_MM = 20.0
_ONE_IN = 5
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
    column, row = (mean_mm[:, :2] / _PATCH_MM).floor().long().unbind(1)
    return ((column + 2 * row) % _ONE_IN == 0).to(mean_mm)


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
    """How well a scene explains what was kept back."""

    points: float
    """Energy, with what the detectors make of these points as likely as it is."""
    n_points: int
    pixel: float | None
    """Mean energy of a colour; None where colours don't count."""
    n_pixels: float
    """Independent observations that the scene sees there."""


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
    energy = _energy_of_points(context, back)
    seen = [one for one in (back.landmarks, back.network) if one.applies(context)]
    masks = [is_kept_back(_of_detector(prepared, one.source)) for one in seen]
    n_points = int(sum(float(mask.sum()) for mask in masks))
    if sigma is None:
        return HeldOut(energy, n_points, None, 0.0)
    colours = replace(back.photometric, sigma_range=(sigma, 1.001 * sigma))
    context = context_at(prepared, observation, _PIXELS, values)
    weight = float(colours.weights(context).sum())
    at = colours.term(context)(values)
    return HeldOut(energy, n_points, float(at.energy) / max(weight, 1e-9), weight)


def _energy_of_points(context: Context, back: FitConfig) -> float:
    """With what the detectors make of these points as likely as it is, where they make anything."""
    if any(one.errors.n_modes for one in context.prepared.detectors.values()):
        return solve(stage_problem(context, back), _POINTS.solver).energy
    terms = (one.term(context) for one in (back.landmarks, back.network))
    return sum(float(term(context.values).energy) for term in terms if term is not None)
