"""Where the points of a fitted face are in the photo, and between which borders they really lie."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.model_points import model_points
from fit3dmm.fitting.intervals import PEAKED, reach_in_sigmas
from fit3dmm.fitting.misfit import Misfit, misfit_mm
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.vertex_sigma import in_photo, place_variance_px2
from fit3dmm.model.morphable import MorphableModel


def landmark_places_px(
    result: FitResult, model: MorphableModel, point_set: str = "ibug68"
) -> tuple[Float[Tensor, "landmarks 2"], Float[Tensor, "landmarks 2"]]:
    """Places of named points in the photo, and the standard deviations of their errors, across and
    down.

    Args:
        result: of a fit.
        model: the one that was fitted.
        point_set: one of the model's.
    """
    places = model.landmarks[point_set]
    with torch.no_grad():
        at = in_photo(result, model_points(model, places))
        mean_mm = model.landmarks_mm(point_set, model.zeros())
        beyond_mm = misfit_mm(model, mean_mm, Misfit().across())
        return at.px, place_variance_px2(result, at, beyond_mm).sqrt()


def landmark_interval_px(
    result: FitResult, model: MorphableModel, level: float = 0.95, point_set: str = "ibug68"
) -> tuple[Float[Tensor, "landmarks 2"], Float[Tensor, "landmarks 2"]]:
    """Lowest and highest x and y between which a point's own lies, each with a probability.

    Args:
        result: of a fit.
        model: the one that was fitted.
        level: the probability, of x and of y by itself.
        point_set: one of the model's.
    """
    px, sigma_px = landmark_places_px(result, model, point_set)
    reach_px = reach_in_sigmas(level, PEAKED) * sigma_px
    return px - reach_px, px + reach_px
