"""The term of a stage that compares colours, and how much each point of the face counts in it."""

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage, blurred
from fit3dmm.energy.photometric import photometric_term
from fit3dmm.energy.robust import cauchy
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.unknowns import coefficients_of
from fit3dmm.solve.problem import Term

# Surface that is seen at a grazing angle tells little of colour; below the first cosine nothing.
_GRAZING = (0.1, 0.4)
_REFERENCE_SIZE_PX = 224
# The median length of a vector of three unit normals.
_MEDIAN_OF_NORM = 1.5382


def build_photometric(context: Context) -> Term:
    """Colours of the seen face, with the noise that the stage finds at its start."""
    weight, in_mean_light = _term_maker(context)
    sigma = unexplained_colour(in_mean_light(1.0), weight, context)
    low, high = context.config.photometric_sigma_range
    return in_mean_light(min(max(sigma, low), high))


def colour_error(context: Context) -> float:
    """What is unexplained at the context's values, as a share of the face's mean light."""
    weight, in_mean_light = _term_maker(context)
    return unexplained_colour(in_mean_light(1.0), weight, context)


def _term_maker(context: Context) -> tuple[Float[Tensor, "seen"], Callable[[float], Term]]:
    """Weights of the seen points, and the term for a sigma in units of the face's mean light."""
    config, observation = context.config, context.observation
    weight = photometric_weights(context)
    (rows,) = torch.nonzero(weight > 1e-3 * weight.max(), as_tuple=True)
    model = context.prepared.model
    skin = context.prepared.skin.select(rows).relinearised(
        context.surface.shape_mm, model.surface.triangles, coefficients_of(context.values)
    )
    blur_px = context.stage.blur_px * observation.size_px / _REFERENCE_SIZE_PX
    image = SmoothImage(blurred(observation.image_linear.to(weight), blur_px))
    T_crop_photo = observation.T_crop_photo.to(dtype=weight.dtype)
    light = mean_light(context, weight)
    loss = cauchy(config.photometric_turn)

    def make(sigma: float) -> Term:
        return photometric_term(
            skin, weight[rows], image, T_crop_photo, context.frame, sigma * light, loss
        )

    return weight[rows], make


def unexplained_colour(term: Term, weight: Float[Tensor, "seen"], context: Context) -> float:
    """Robust standard deviation of a colour channel: from the weighted median of differences.

    Args:
        term: of unit sigma.
    """
    if not len(weight):
        return math.inf
    distance = term(context.values).residual.reshape(-1, 3).norm(dim=1)
    order = distance.argsort()
    share = weight[order].cumsum(0) / weight.sum()
    median = float(distance[order][int((share < 0.5).sum())])
    return median / _MEDIAN_OF_NORM


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
