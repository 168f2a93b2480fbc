"""How sure a fit is of relative depths: the covariance of its unknowns, carried to the vertices."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.fitting.result import FitResult
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.morphable import MorphableModel


def relative_depth_sigma_mm(
    result: FitResult, model: MorphableModel
) -> tuple[Int[np.ndarray, "rows"], Float[np.ndarray, "rows"]]:
    """Standard deviation of each vertex's depth less the mean depth of all of them.

    It is what shape and turn of the head leave open; distance is told apart. Carried through the
    bases at base vertices, which smoothing hardly moves against each other.

    Returns:
        Rows of the face's base vertices, which are also rows of the surface, and their sigmas.
    """
    face = model.regions["face"][: model.surface.n_base] > 0.5
    (rows,) = torch.nonzero(face, as_tuple=True)
    uncertainty = result.uncertainty
    slopes = torch.cat([_slopes(name, result, model, rows) for name in uncertainty.names], dim=1)
    slopes = slopes - slopes.mean(0)
    variance = ((slopes @ uncertainty.covariance) * slopes).sum(1)
    return rows.cpu().numpy(), variance.clamp_min(0).sqrt().cpu().double().numpy()


def _slopes(
    name: str, result: FitResult, model: MorphableModel, rows: Tensor
) -> Float[Tensor, "rows n"]:
    """Derivatives of the depths with respect to one unknown; zeros where it moves all alike."""
    scene = result.scene
    bases = {
        "identity": model.identity_basis_mm,
        "detail": model.detail_basis_mm,
        "expression": model.expression_basis_mm,
    }
    depth_axis = -scene.pose.T_cam_model.rotation[2]
    if name in bases:
        return (bases[name][:, rows] @ depth_axis).T
    if name == "rotation_rad":
        points = model.base_shape_mm(scene.coefficients)[rows]
        vector = scene.pose.rotation_rad.detach()
        with torch.enable_grad():
            jacobian = torch.autograd.functional.jacobian(
                lambda r: -points @ rotation_matrix(r)[2], vector
            )
        assert isinstance(jacobian, Tensor)
        return jacobian
    size = dict(zip(result.uncertainty.names, result.uncertainty.sizes, strict=True))[name]
    return depth_axis.new_zeros(len(rows), size)
