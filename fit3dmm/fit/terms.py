"""Makes the terms of a stage. A new kind of evidence is a builder here and a name in a stage."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.energy.image import SmoothImage, blurred
from fit3dmm.energy.landmarks import (
    iris_sigma_mm,
    iris_term,
    isotropic_whitening,
    landmark_term,
    sliding_whitening,
)
from fit3dmm.energy.photometric import photometric_term
from fit3dmm.energy.points import ModelPoints, PhotoFrame
from fit3dmm.energy.priors import distance_prior, light_prior, normal_prior
from fit3dmm.energy.robust import charbonnier
from fit3dmm.fit.config import FitConfig, Stage
from fit3dmm.fit.initialise import observed_expression
from fit3dmm.fit.prepared import DETECTOR_OUTLINE, DETECTOR_POINTS, PreparedModel
from fit3dmm.fit.unknowns import coefficients_of, scene_of
from fit3dmm.fit.visibility import VisibleSurface, visible_surface
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detect import FACE_OVAL
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Term, Values

# Facing below which a point of the outline may slide along it, and the slack that it then has.
_OUTLINE_FACING = 0.5
_OUTLINE_SLACK_MM = 12.0
# Where a surface ends for the eye: its last points that are seen well enough to be called its edge.
_LIMB_FACING = 0.1
# Points that the head itself hides are the detector's guess.
_HIDDEN_FACTOR = 3.0
_IRIS_CENTRES = (468, 473)
_IRIS_RIMS = ((469, 471), (470, 472), (474, 476), (475, 477))
# Surface that is seen at a grazing angle tells little of colour; below the first cosine nothing.
_GRAZING = (0.1, 0.4)
_REFERENCE_SIZE_PX = 224


@dataclass(frozen=True)
class Context:
    """All that a builder may look at: one face of one photo at the start of a stage."""

    prepared: PreparedModel
    observation: Observation
    frame: PhotoFrame
    config: FitConfig
    stage: Stage
    values: Values
    surface: VisibleSurface

    @property
    def px_per_mm(self) -> float:
        """Scale of the face in the photo."""
        return float(self.values["log_focal"].exp() / -self.values["translation_mm"][2])


Builder = Callable[[Context], Term | None]
"""Makes a term, or None where the photo or the model has nothing to say about it."""


def stage_terms(context: Context) -> dict[str, Term]:
    """The terms that the stage names, without those that have nothing to say."""
    made = {name: BUILDERS[name](context) for name in context.stage.terms}
    return {name: term for name, term in made.items() if term is not None}


def context_at(
    prepared: PreparedModel,
    observation: Observation,
    frame: PhotoFrame,
    config: FitConfig,
    stage: Stage,
    values: Values,
) -> Context:
    """Render the surface as it is now, to see what is seen."""
    surface = visible_surface(prepared.model, observation, scene_of(values, frame))
    return Context(prepared, observation, frame, config, stage, values, surface)


def _landmarks(context: Context) -> Term:
    inner, outline = inner_points(), torch.tensor(FACE_OVAL)
    points, whitening = _inner_landmarks(context, inner)
    outline_points, outline_whitening = _outline_landmarks(context, outline)
    observed_px = context.observation.points_px.to(whitening)
    return landmark_term(
        points.joined(outline_points),
        torch.cat([observed_px[inner], observed_px[outline]]),
        torch.cat([whitening, outline_whitening]),
        context.frame,
        charbonnier(context.config.landmark_turn),
    )


def inner_points() -> Int[Tensor, "inner"]:
    """The detector's points but for the outline, and for the irises: they say where the eyes look,
    which few models can follow, and their size has its own term."""
    inner = torch.ones(_IRIS_CENTRES[0], dtype=torch.bool)
    inner[list(FACE_OVAL)] = False
    return inner.nonzero()[:, 0]


def _inner_landmarks(context: Context, rows: Tensor) -> tuple[ModelPoints, Tensor]:
    seen = context.surface.at(context.prepared.model.landmarks[DETECTOR_POINTS])
    hidden = ((seen.facing < 0) | ~seen.in_front)[rows]
    sigma_px = _sigma_px(context)[rows]
    sigma_px = torch.where(hidden, _HIDDEN_FACTOR * sigma_px, sigma_px)
    return context.prepared.landmarks.select(rows), isotropic_whitening(sigma_px)


def _outline_landmarks(context: Context, rows: Tensor) -> tuple[ModelPoints, Tensor]:
    """Points of the outline: those that are turned away give way to the point of their line where
    the surface ends for the eye, and what lies near an outline may slide along it."""
    prepared = context.prepared
    seen = context.surface.at(prepared.model.landmarks[DETECTOR_POINTS])
    points = prepared.landmarks.select(rows)
    facing, normal = seen.facing[rows], seen.normal_cam[rows]
    if prepared.outline is not None:
        lines = context.surface.at(prepared.model.contours[DETECTOR_OUTLINE].flat())
        facings = lines.facing.view(len(rows), -1)
        at = (facings - _LIMB_FACING).abs().argmin(1) + torch.arange(len(rows)) * facings.shape[1]
        turned_away = (facing < _LIMB_FACING)[:, None]
        chosen = prepared.outline.select(at)
        points = points.replace(
            mean_mm=torch.where(turned_away, chosen.mean_mm, points.mean_mm),
            basis_mm=torch.where(turned_away[..., None], chosen.basis_mm, points.basis_mm),
        )
        normal = torch.where(turned_away, lines.normal_cam[at], normal)
        facing = torch.where(turned_away[:, 0], lines.facing[at], facing)
    # On an outline the normal lies in the picture; y is up in `cam` and down in the picture.
    across = normal[:, :2] * normal.new_tensor([1.0, -1.0])
    across = torch.nn.functional.normalize(across, dim=1)
    edge = (1 - facing.abs() / _OUTLINE_FACING).clamp(0, 1)
    slack_px = _OUTLINE_SLACK_MM * context.px_per_mm * edge
    return points, sliding_whitening(_sigma_px(context)[rows], across, slack_px)


def _sigma_px(context: Context) -> Float[Tensor, "478"]:
    scale = context.config.landmark_scale * context.px_per_mm
    return context.prepared.landmark_sigma_mm * scale


def _blendshapes(context: Context) -> Term | None:
    score, known = observed_expression(context.prepared.model, context.observation)
    if not known.any():
        return None
    sigma = torch.where(known > 0, context.config.blendshape_sigma, torch.inf)
    return normal_prior("expression", score, sigma)


def iris_diameter_px(observation: Observation, rotation: Float[Tensor, "3 3"]) -> Tensor:
    """Mean diameter in the photo, with the foreshortening by the head's turn undone."""
    points = observation.points_px.to(rotation)
    diameters = []
    for a, b in _IRIS_RIMS:
        direction = points[b] - points[a]
        length = direction.norm().clamp_min(1e-6)
        # The rim lies about in the face's frontal plane; a turn shortens what lies along it.
        slope = (rotation[:2, 2] * direction.new_tensor([1.0, -1.0]) @ direction) / length
        diameters.append(length / (1 - slope**2).clamp_min(0.25).sqrt())
    return torch.stack(diameters).mean()


def _iris(context: Context) -> Term:
    rotation = rotation_matrix(context.values["rotation_rad"])
    return iris_term(
        context.prepared.landmarks.select(torch.tensor(_IRIS_CENTRES)),
        iris_diameter_px(context.observation, rotation),
        iris_sigma_mm(context.config.iris_noise_mm),
        context.frame,
    )


def _photometric(context: Context) -> Term:
    config, observation = context.config, context.observation
    weight = photometric_weights(context)
    (rows,) = torch.nonzero(weight > 1e-3 * weight.max(), as_tuple=True)
    model = context.prepared.model
    skin = context.prepared.skin.select(rows).relinearised(
        context.surface.shape_mm, model.surface.triangles, coefficients_of(context.values)
    )
    image = observation.image_linear.to(weight)
    blur_px = context.stage.blur_px * observation.size_px / _REFERENCE_SIZE_PX
    return photometric_term(
        skin,
        weight[rows],
        SmoothImage(blurred(image, blur_px)),
        observation.T_crop_photo.to(dtype=weight.dtype),
        context.frame,
        config.photometric_sigma * mean_light(context, weight),
        charbonnier(config.photometric_turn),
    )


def photometric_weights(context: Context) -> Float[Tensor, "points"]:
    """How many independent observations each of the skin points stands for, 0 where unseen."""
    config, skin = context.config, context.prepared.skin
    seen = context.surface.at(skin.places)
    low, high = _GRAZING
    grazing = ((seen.facing - low) / (high - low)).clamp(0, 1)
    colour = context.observation.skin[seen.row, seen.column].to(skin.area_mm2)
    colour = config.skin_floor + (1 - config.skin_floor) * colour
    visible = (seen.in_front & seen.inside).to(colour)
    projected_mm2 = skin.area_mm2 * seen.facing.clamp(min=0)
    return visible * grazing * colour * projected_mm2 / config.photometric_correlation_mm**2


def mean_light(context: Context, weight: Float[Tensor, "points"]) -> float:
    """Mean linear colour of the seen face: the scale of everything that light does."""
    seen = context.surface.at(context.prepared.skin.places)
    colours = context.observation.image_linear[seen.row, seen.column].to(weight).mean(1)
    mean = (weight * colours).sum() / weight.sum().clamp_min(1e-9)
    # A black picture must not divide by zero.
    return max(float(mean), 1e-3)


def _identity(context: Context) -> Term | None:
    return _coefficients(context, "identity", context.config.identity_sigma)


def _detail(context: Context) -> Term | None:
    return _coefficients(context, "detail", context.config.detail_sigma)


def _albedo(context: Context) -> Term | None:
    return _coefficients(context, "albedo", context.config.albedo_sigma)


def _expression(context: Context) -> Term | None:
    sigma = context.prepared.model.expression_sigma * context.config.expression_sigma
    return _coefficients(context, "expression", sigma)


def _coefficients(context: Context, name: str, sigma: Tensor | float) -> Term | None:
    return normal_prior(name, 0.0, sigma) if context.values[name].numel() else None


def _distance(context: Context) -> Term:
    return distance_prior(context.config.distance_mm, context.config.distance_log_sigma)


def _focal(context: Context) -> Term:
    config, frame, observation = context.config, context.frame, context.observation
    if observation.exif_focal_px is not None:
        return normal_prior("log_focal", math.log(observation.exif_focal_px), config.exif_log_sigma)
    typical = config.focal_to_side * max(frame.width_px, frame.height_px)
    return normal_prior("log_focal", math.log(typical), config.focal_log_sigma)


def _light(context: Context) -> Term:
    config = context.config
    return light_prior(
        config.light_level,
        config.light_level_sigma,
        config.light_direct_sigma,
        config.light_tint_sigma,
    )


BUILDERS: Mapping[str, Builder] = {
    "landmarks": _landmarks,
    "blendshapes": _blendshapes,
    "iris": _iris,
    "photometric": _photometric,
    "identity": _identity,
    "detail": _detail,
    "expression": _expression,
    "albedo": _albedo,
    "distance": _distance,
    "focal": _focal,
    "light": _light,
}
