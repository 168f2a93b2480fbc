"""What must hold in a stored model, each broken rule told in one sentence."""

from typing import TYPE_CHECKING

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.model.levels import MAX_LEVEL, vertex_counts

if TYPE_CHECKING:
    from fit3dmm.model.stored import StoredModel, StoredPoints


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
    n_triangles = n_faces * (corners - 2)
    for name, points in {**stored.landmarks, **stored.contours}.items():
        _check_indices(f"point set {name}", points.triangle, n_triangles)


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
