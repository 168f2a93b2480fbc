"""Makes the terms of a stage. A new kind of evidence is a builder here and a name in a stage."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
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
from fit3dmm.energy.points import PhotoFrame
from fit3dmm.energy.priors import distance_prior, light_prior, normal_prior
from fit3dmm.energy.robust import charbonnier
from fit3dmm.fit.config import FitConfig, Stage
from fit3dmm.fit.initialise import observed_expression
from fit3dmm.fit.prepared import DETECTOR_POINTS, PreparedModel
from fit3dmm.fit.unknowns import coefficients_of, scene_of
from fit3dmm.fit.visibility import VisibleSurface, visible_surface
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detect import FACE_OVAL
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Term, Values

# Facing below which a point of the outline may slide along it, and the slack that it then has.
_OUTLINE_FACING = 0.5
_OUTLINE_SLACK_MM = 12.0
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
    prepared, config = context.prepared, context.config
    whitening = landmark_whitening(context)
    # The irises say where the eyes look, which few models can follow; their size has its own term.
    rows = torch.arange(_IRIS_CENTRES[0])
    return landmark_term(
        prepared.landmarks.select(rows),
        context.observation.points_px.to(whitening)[rows],
        whitening[rows],
        context.frame,
        charbonnier(config.landmark_turn),
    )


def landmark_whitening(context: Context) -> Float[Tensor, "478 2 2"]:
    """Whitening of the error in px of each of the detector's points."""
    sigma_px = context.prepared.landmark_sigma_mm * context.config.landmark_scale
    sigma_px = sigma_px * context.px_per_mm
    seen = context.surface.at(context.prepared.model.landmarks[DETECTOR_POINTS])
    hidden = (seen.facing < 0) | ~seen.in_front
    sigma_px = torch.where(hidden, _HIDDEN_FACTOR * sigma_px, sigma_px)
    whitening = isotropic_whitening(sigma_px)
    # On the outline the normal lies in the picture, and y is up in `cam`.
    oval = torch.tensor(FACE_OVAL)
    across = seen.normal_cam[oval, :2] * seen.normal_cam.new_tensor([1.0, -1.0])
    across = torch.nn.functional.normalize(across, dim=1)
    edge = (1 - seen.facing[oval].abs() / _OUTLINE_FACING).clamp(0, 1)
    slack_px = _OUTLINE_SLACK_MM * context.px_per_mm * edge
    whitening[oval] = sliding_whitening(sigma_px[oval], across, slack_px)
    return whitening


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
