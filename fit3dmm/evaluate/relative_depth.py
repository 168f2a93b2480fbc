"""How sure a fit is of relative depths, in the form that the synthetic set scores."""

import numpy as np
from jaxtyping import Float, Int

from fit3dmm.energy.model_points import base_points
from fit3dmm.fitting.misfit import misfit_mm
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.vertex_sigma import face_rows, in_photo, relief_variance_mm2
from fit3dmm.model.morphable import MorphableModel


def relative_depth_sigma_mm(
    result: FitResult, model: MorphableModel
) -> tuple[Int[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
    """Standard deviation of each vertex's depth less the mean depth of all of them.

    Returns:
        Rows of the face's base vertices, which are also rows of the surface, and their sigmas.
    """
    rows = face_rows(model)
    at = in_photo(result, base_points(model, rows))
    variance = relief_variance_mm2(result, at, misfit_mm(model, model.mean_mm[rows]))
    return rows.cpu().numpy(), variance.sqrt().cpu().double().numpy()
