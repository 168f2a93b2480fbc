"""The term of a stage that compares colours, and how much each point of the face counts in it."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage, blurred
from fit3dmm.energy.photometric import photometric_term
from fit3dmm.energy.robust import charbonnier
from fit3dmm.fit.context import Context
from fit3dmm.fit.unknowns import coefficients_of
from fit3dmm.solve.problem import Term

# Surface that is seen at a grazing angle tells little of colour; below the first cosine nothing.
_GRAZING = (0.1, 0.4)
_REFERENCE_SIZE_PX = 224


def build_photometric(context: Context) -> Term:
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
