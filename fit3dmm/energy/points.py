"""Points that ride on a model's surface, and where they appear in the photo.

A point is linear in the shape coefficients, so a few hundred or thousand points carry their own
bases, and a step of the solver touches nothing else of the model. The unknowns are `identity`,
`detail`, `expression`, `rotation_rad`, `translation_mm` and `log_focal` (of the focal length in px
of the photo, one element).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.rotation import cross_matrix, left_jacobian, rotation_matrix
from fit3dmm.geometry.sparse import sparse_matrix
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import PhotoIntrinsics

SHAPE = ("identity", "detail", "expression")
"""The unknowns that shape the face, in the order of the columns of `ModelPoints.basis_mm`."""


@dataclass(frozen=True)
class ModelPoints(TensorRecord):
    """Points on the surface with the bases that move them."""

    mean_mm: Float[Tensor, "points 3"]
    """On the mean face, in `model`."""
    basis_mm: Float[Tensor, "points 3 shape"]
    """Movement by each coefficient of identity, detail and expression, one after another."""
    sizes: tuple[int, int, int]
    """Numbers of identity, detail and expression coefficients."""

    def __len__(self) -> int:
        return self.mean_mm.shape[0]

    def select(self, rows: Tensor) -> "ModelPoints":
        """Some of the points."""
        return self.replace(mean_mm=self.mean_mm[rows], basis_mm=self.basis_mm[rows])

    def shape_columns(self, free: tuple[str, ...]) -> dict[str, slice]:
        """Columns of the basis that belong to the free unknowns."""
        columns, at = {}, 0
        for name, size in zip(SHAPE, self.sizes, strict=True):
            if name in free and size:
                columns[name] = slice(at, at + size)
            at += size
        return columns

    def shape_coefficients(self, values: Values) -> Float[Tensor, "shape"]:
        """The coefficients as one vector."""
        return torch.cat([values[name] for name in SHAPE])

    def positions_mm(self, values: Values) -> Float[Tensor, "points 3"]:
        """Where the points are in `model`."""
        moved = self.basis_mm.flatten(0, 1) @ self.shape_coefficients(values)
        return self.mean_mm + moved.unflatten(0, (-1, 3))


def model_points(model: MorphableModel, places: SurfacePoints[Tensor]) -> ModelPoints:
    """Gather the bases of points on the surface; a set of candidate lines is flattened."""
    flat = places.flat()
    mean = point_values(model, flat, model.mean_mm[None])[:, 0]
    bases = (model.identity_basis_mm, model.detail_basis_mm, model.expression_basis_mm)
    basis = torch.cat([point_values(model, flat, basis) for basis in bases], dim=1)
    sizes = (model.n_identity, model.n_detail, model.n_expression)
    return ModelPoints(mean, basis.transpose(1, 2).contiguous(), sizes)


def point_values(
    model: MorphableModel, places: SurfacePoints[Tensor], fields: Float[Tensor, "k base 3"]
) -> Float[Tensor, "points k 3"]:
    """Values at surface points of fields on the base vertices: rows of the surface's operator."""
    corners = model.surface.triangles[places.triangle]
    used, at = torch.unique(corners, return_inverse=True)
    on_vertices = _lifted_rows(model, used, fields)
    weights = places.barycentric.to(fields.dtype)
    return torch.einsum("pckx,pc->pkx", on_vertices[at], weights)


def _lifted_rows(
    model: MorphableModel, vertices: Int[Tensor, "used"], fields: Float[Tensor, "k base 3"]
) -> Float[Tensor, "used k 3"]:
    """`surface.lift` for some vertices only."""
    flat = fields.transpose(0, 1).flatten(1)
    operator = model.surface.operator
    if operator is None:
        return flat[vertices].unflatten(1, (-1, 3))
    start, column, weight = operator.crow_indices(), operator.col_indices(), operator.values()
    counts = (start[1:] - start[:-1])[vertices]
    row_start = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    entry = torch.arange(int(row_start[-1]), device=vertices.device)
    entry = entry + (start[vertices] - row_start[:-1]).repeat_interleave(counts)
    values = weight[entry].to(flat.dtype)
    rows = sparse_matrix(row_start, column[entry], values, (len(vertices), flat.shape[0]))
    return torch.sparse.mm(rows, flat).unflatten(1, (-1, 3))


@dataclass(frozen=True)
class Projection:
    """Points of a model at some values of the unknowns."""

    points: ModelPoints
    turned_mm: Float[Tensor, "points 3"]
    """Rotated but not shifted: `cam` axes, the model's origin."""
    cam_mm: Float[Tensor, "points 3"]
    px: Float[Tensor, "points 2"]
    """In the photo."""
    rotation: Float[Tensor, "3 3"]
    rotation_jacobian: Float[Tensor, "3 3"]
    """`left_jacobian` of the rotation vector."""
    px_by_cam: Float[Tensor, "points 2 3"]
    """Derivative of `px` by `cam_mm`."""
    px_by_log_focal: Float[Tensor, "points 2"]

    def pull_back(
        self, by_px: Float[Tensor, "points rows 2"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "all_rows _"]]:
        """Derivatives by the free unknowns of rows whose derivatives by `px` are given."""
        parts = self.pull_back_cam(by_px @ self.px_by_cam, free)
        if "log_focal" in free:
            parts["log_focal"] = (by_px @ self.px_by_log_focal[..., None]).flatten(0, 1)
        return parts

    def pull_back_cam(
        self, by_cam: Float[Tensor, "points rows 3"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "all_rows _"]]:
        """The same for rows whose derivatives by `cam_mm` are given."""
        parts = {}
        if "translation_mm" in free:
            parts["translation_mm"] = by_cam.flatten(0, 1)
        if "rotation_rad" in free:
            by_vector = by_rotation(self.turned_mm, by_cam, self.rotation_jacobian)
            parts["rotation_rad"] = by_vector.flatten(0, 1)
        by_model = by_cam @ self.rotation
        for name, column in self.points.shape_columns(free).items():
            parts[name] = (by_model @ self.points.basis_mm[..., column]).flatten(0, 1)
        return parts


def project(points: ModelPoints, values: Values, intrinsics: PhotoIntrinsics) -> Projection:
    """Where the points are, and how they move."""
    camera = intrinsics.camera(values)
    rotation = rotation_matrix(values["rotation_rad"])
    turned = points.positions_mm(values) @ rotation.T
    cam = turned + values["translation_mm"]
    px = camera.project(cam)
    return Projection(
        points,
        turned,
        cam,
        px,
        rotation,
        left_jacobian(values["rotation_rad"]),
        camera.project_jacobian(cam),
        px - intrinsics.principal_point_px,
    )


def by_rotation(
    turned: Float[Tensor, "points 3"],
    by_turned: Float[Tensor, "points rows 3"],
    rotation_jacobian: Float[Tensor, "3 3"],
) -> Float[Tensor, "points rows 3"]:
    """Derivatives by the rotation vector of rows whose derivatives by a turned vector are given."""
    return -(by_turned @ cross_matrix(turned)) @ rotation_jacobian


def isotropic_whitening(sigma_px: Float[Tensor, "points"]) -> Float[Tensor, "points 2 2"]:
    """For `Projection.pull_back`: the same noise in all directions."""
    return torch.eye(2, dtype=sigma_px.dtype, device=sigma_px.device) / sigma_px[:, None, None]
