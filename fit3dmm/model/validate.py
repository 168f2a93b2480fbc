"""What must hold in a stored model, each broken rule told in one sentence."""

from typing import TYPE_CHECKING

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.model.levels import MAX_LEVEL, vertex_counts

if TYPE_CHECKING:
    from fit3dmm.model.stored import StoredModel, StoredPoints

_SUM_TOLERANCE = 1e-3
"""Of sums over a few thousand float32 numbers."""


def check_model(stored: "StoredModel") -> None:
    """Check shapes, index ranges and that every number is finite.

    Raises:
        InputError: naming the first array that is wrong.
    """
    n_base, n_faces = len(stored.mean_mm), len(stored.base_faces)
    corners = stored.base_faces.shape[-1]
    if corners not in (3, 4):
        raise InputError(f"base_faces must have 3 or 4 corners a face, got {corners}.")
    if not 0 <= stored.albedo_level <= MAX_LEVEL or (corners == 3 and stored.albedo_level):
        raise InputError(f"albedo_level {stored.albedo_level} does not exist for this mesh.")
    k_expression, k_albedo = len(stored.expression_names), len(stored.albedo_basis_linear)
    n_albedo = vertex_counts(stored.base_faces, n_base, stored.albedo_level)[-1]
    if len(stored.albedo_mean_linear) == 0:
        n_albedo = 0
    shapes = {
        "base_faces": (n_faces, corners),
        "base_mirror": (n_base,),
        "base_uv": (len(stored.base_uv), 2),
        "base_uv_faces": (n_faces, corners),
        "mean_mm": (n_base, 3),
        "identity_basis_mm": (len(stored.identity_basis_mm), n_base, 3),
        "detail_basis_mm": (len(stored.detail_basis_mm), n_base, 3),
        "expression_basis_mm": (k_expression, n_base, 3),
        "expression_sigma": (k_expression,),
        "expression_bounds": (k_expression, 2),
        "albedo_mean_linear": (n_albedo, 3),
        "albedo_basis_linear": (k_albedo, n_albedo, 3),
    }
    for name, shape in shapes.items():
        _check_array(name, getattr(stored, name), shape, finite=name != "expression_bounds")
    for name, weights in stored.regions.items():
        _check_array(f"region {name}", weights, (n_base,))
    _check_indices("base_faces", stored.base_faces, n_base)
    _check_indices("base_mirror", stored.base_mirror, n_base)
    _check_indices("base_uv_faces", stored.base_uv_faces, len(stored.base_uv))
    if np.isnan(stored.expression_bounds).any():
        raise InputError("expression_bounds holds values that are not numbers.")
    _check_expression_factor(stored, k_expression)
    _check_parts(stored, n_faces)
    for name, weights in stored.joints.items():
        _check_array(f"joint {name}", weights, (n_base,))
        if abs(weights.sum() - 1) > _SUM_TOLERANCE:
            raise InputError(f"The weights of joint {name} add up to {weights.sum():.4g}, not 1.")
    n_triangles = n_faces * (corners - 2)
    for name, points in {**stored.landmarks, **stored.contours}.items():
        _check_indices(f"point set {name}", points.triangle, n_triangles)


def _check_expression_factor(stored: "StoredModel", k: int) -> None:
    factor = stored.expression_covariance_factor
    if factor is None:
        return
    _check_array("expression_covariance_factor", factor, (k, k))
    if np.triu(factor, 1).any():
        raise InputError("expression_covariance_factor must be lower triangular.")
    deviation = np.sqrt((np.asarray(factor, np.float64) ** 2).sum(axis=1))
    if not np.allclose(deviation, stored.expression_sigma, rtol=_SUM_TOLERANCE):
        raise InputError(
            "The rows of expression_covariance_factor must be as long as expression_sigma says."
        )


def _check_parts(stored: "StoredModel", n_faces: int) -> None:
    if not stored.parts:
        return
    for name, rows in stored.parts.items():
        _check_indices(f"part {name}", rows, n_faces)
    uses = np.bincount(np.concatenate(list(stored.parts.values())), minlength=n_faces)
    if (uses != 1).any():
        face = int((uses != 1).argmax())
        raise InputError(
            f"Each face must belong to one part: face {face} belongs to {int(uses[face])}."
        )


def check_points(points: "StoredPoints") -> None:
    """Check that a point set has one name, triangle and barycentric a point.

    Raises:
        InputError: saying which is missing.
    """
    if points.triangle.shape[:1] != (len(points.names),):
        raise InputError(
            f"A point set has {len(points.names)} names for "
            f"{points.triangle.shape[0] if points.triangle.ndim else 0} points."
        )
    _check_array("barycentric", points.barycentric, (*points.triangle.shape, 3))


def _check_array(
    name: str, values: np.ndarray, shape: tuple[int, ...], finite: bool = True
) -> None:
    if values.shape != shape:
        raise InputError(
            f"{name} has shape {values.shape} where the rest of the model needs {shape}; "
            "the file is damaged or was made by something else."
        )
    if finite and not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite numbers.")


def _check_indices(name: str, values: np.ndarray, count: int) -> None:
    if values.size and (values.min() < 0 or values.max() >= count):
        raise InputError(f"{name} must index 0..{count - 1}, got {values.min()}..{values.max()}.")
