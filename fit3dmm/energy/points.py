"""Points that ride on a model's surface, and where they appear in the photo.

What moves points is the model's own matter: `Points.at` says where they are and how that changes
with each unknown, and everything behind it follows by the chain rule. So a model with joints takes
the same terms as a linear one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import perspective, perspective_jacobian
from fit3dmm.geometry.rotation import cross_matrix, left_jacobian, rotation_matrix
from fit3dmm.geometry.sparse import sparse_matrix
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import (
    DETAIL,
    EXPRESSION,
    IDENTITY,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    PhotoIntrinsics,
)


@dataclass(frozen=True)
class Located:
    """Points of a model at some values of the unknowns, in `model`."""

    coordinates: Float[Tensor, "*batch points c"]
    """The place in mm; where a point has a normal, three more for it."""
    wrt: Mapping[str, Float[Tensor, "*any points c n"]]
    """Derivatives of the coordinates with respect to each unknown that they depend on. Where one is
    the same at all values, so is the tensor that is given."""

    @property
    def mm(self) -> Float[Tensor, "*batch points 3"]:
        return self.coordinates[..., :3]

    @property
    def normal(self) -> Float[Tensor, "*batch points 3"]:
        """Not of unit length."""
        return self.coordinates[..., 3:]


@runtime_checkable
class Points(Protocol):
    """Points on a model's surface, whatever moves it."""

    def __len__(self) -> int: ...

    def at(self, values: Values) -> Located:
        """Where they are; batch axes that lead the values lead the points too."""
        ...

    def select(self, rows: Tensor) -> "Points":
        """Some of the points."""
        ...

    def shifted(self, by: Float[Tensor, "points c"]) -> "Points":
        """The same points, elsewhere by a constant."""
        ...


@dataclass(frozen=True)
class LinearPoints(TensorRecord):
    """Points that are linear in some unknowns: they carry their own bases, and a step of the solver
    touches nothing else of the model."""

    mean: Float[Tensor, "points c"]
    """On the mean face."""
    basis: Float[Tensor, "points c k"]
    """Movement by each coefficient of the unknowns, one unknown after another."""
    unknowns: tuple[str, ...]
    sizes: tuple[int, ...]
    """Coefficients of each unknown."""

    def __len__(self) -> int:
        return self.mean.shape[0]

    def at(self, values: Values) -> Located:
        """See `Points`."""
        moved = combined(self.basis, torch.cat([values[name] for name in self.unknowns], -1))
        return Located(self.mean + moved, self._wrt)

    @cached_property
    def _wrt(self) -> dict[str, Float[Tensor, "points c n"]]:
        # Always the same tensors, so that what is made of them can be kept.
        parts = zip(self.unknowns, self.basis.split(self.sizes, -1), strict=True)
        return {name: part for name, part in parts if part.shape[-1]}

    def select(self, rows: Tensor) -> "LinearPoints":
        """See `Points`."""
        return self.replace(mean=self.mean[rows], basis=self.basis[rows])

    def followed_by(self, *others: "LinearPoints") -> "LinearPoints":
        """These points and others of the same unknowns, one after another."""
        every = (self, *others)
        return self.replace(
            mean=torch.cat([one.mean for one in every]),
            basis=torch.cat([one.basis for one in every]),
        )

    def shifted(self, by: Float[Tensor, "points c"]) -> "LinearPoints":
        """See `Points`."""
        return self.replace(mean=self.mean + by)


def combined(
    basis: Float[Tensor, "points c k"], coefficients: Float[Tensor, "*batch k"]
) -> Float[Tensor, "*batch points c"]:
    """Sum of the columns of a basis, each times its coefficient."""
    flat = coefficients @ basis.flatten(0, 1).mT
    return flat.unflatten(-1, basis.shape[:2])


def model_points(model: MorphableModel, places: SurfacePoints[Tensor]) -> LinearPoints:
    """Gather the bases of points on the surface; a set of candidate lines is flattened."""
    flat = places.flat()
    return _linear(model, lambda fields: point_values(model, flat, fields))


def base_points(model: MorphableModel, rows: Int[Tensor, "points"]) -> LinearPoints:
    """Vertices of the mesh that the bases are stored on, which the surface hardly leaves."""
    return _linear(model, lambda fields: fields[:, rows].transpose(0, 1))


def _linear(
    model: MorphableModel,
    at_points: Callable[[Float[Tensor, "k base 3"]], Float[Tensor, "points k 3"]],
) -> LinearPoints:
    mean = at_points(model.mean_mm[None])[:, 0]
    bases = (model.identity_basis_mm, model.detail_basis_mm, model.expression_basis_mm)
    basis = torch.cat([at_points(basis) for basis in bases], dim=1)
    sizes = (model.n_identity, model.n_detail, model.n_expression)
    return LinearPoints(mean, basis.mT.contiguous(), (IDENTITY, DETAIL, EXPRESSION), sizes)


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
    """Points of a model in a photo, at some values of the unknowns."""

    located: Located
    turned_mm: Float[Tensor, "*batch points 3"]
    """Rotated but not shifted: `cam` axes, the model's origin."""
    cam_mm: Float[Tensor, "*batch points 3"]
    px: Float[Tensor, "*batch points 2"]
    """In the photo."""
    rotation: Float[Tensor, "*batch 3 3"]
    rotation_jacobian: Float[Tensor, "*batch 3 3"]
    """`left_jacobian` of the rotation vector."""
    px_wrt_cam: Float[Tensor, "*batch points 2 3"]
    """Derivative of `px` with respect to `cam_mm`."""
    px_wrt_log_focal: Float[Tensor, "*batch points 2"]

    def pull_back(
        self, wrt_px: Float[Tensor, "*any points rows 2"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "*batch all_rows _"]]:
        """Derivatives with respect to the free unknowns of rows whose derivatives with respect to
        `px` are given."""
        parts = self.pull_back_cam(wrt_px @ self.px_wrt_cam, free)
        if LOG_FOCAL in free:
            rows = wrt_px @ self.px_wrt_log_focal[..., None]
            parts[LOG_FOCAL] = rows.flatten(-3, -2)
        return parts

    def pull_back_cam(
        self, wrt_cam: Float[Tensor, "*batch points rows 3"], free: tuple[str, ...]
    ) -> dict[str, Float[Tensor, "*batch all_rows _"]]:
        """The same for rows whose derivatives with respect to `cam_mm` are given."""
        parts = {}
        if TRANSLATION in free:
            parts[TRANSLATION] = wrt_cam.flatten(-3, -2)
        if ROTATION in free:
            rows = wrt_rotation(self.turned_mm, wrt_cam, self.rotation_jacobian)
            parts[ROTATION] = rows.flatten(-3, -2)
        wrt_model = unturned(wrt_cam, self.rotation)
        for name, coordinates in self.located.wrt.items():
            if name in free:
                parts[name] = (wrt_model @ coordinates[..., :3, :]).flatten(-3, -2)
        return parts


def project(points: Points, values: Values, intrinsics: PhotoIntrinsics) -> Projection:
    """Where the points are, and how they move."""
    located = points.at(values)
    focal_px = intrinsics.focal_px(values)
    rotation = rotation_matrix(values[ROTATION])
    turned = located.mm @ rotation.mT
    cam = turned + values[TRANSLATION][..., None, :]
    from_axis = perspective(cam, focal_px)
    return Projection(
        located,
        turned,
        cam,
        from_axis + intrinsics.principal_point_px[..., None, :],
        rotation,
        left_jacobian(values[ROTATION]),
        perspective_jacobian(cam, focal_px),
        # The distance from the axis is proportional to the focal length.
        from_axis,
    )


def wrt_rotation(
    turned: Float[Tensor, "*batch points 3"],
    wrt_turned: Float[Tensor, "*batch points rows 3"],
    rotation_jacobian: Float[Tensor, "*batch 3 3"],
) -> Float[Tensor, "*batch points rows 3"]:
    """Derivatives with respect to the rotation vector of rows whose derivatives with respect to a
    turned vector are given."""
    return unturned(-(wrt_turned @ cross_matrix(turned)), rotation_jacobian)


def unturned(
    wrt_turned: Float[Tensor, "*batch points rows 3"], rotation: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch points rows 3"]:
    """Derivatives with respect to vectors before a linear map, from those behind it."""
    # One product for all rows: for each point by itself it takes far longer.
    rows = wrt_turned.flatten(-3, -2) @ rotation
    return rows.unflatten(-2, wrt_turned.shape[-3:-1])


def isotropic_whitening(sigma_px: Float[Tensor, "points"]) -> Float[Tensor, "points 2 2"]:
    """For `Projection.pull_back`: the same noise in all directions."""
    return torch.eye(2, dtype=sigma_px.dtype, device=sigma_px.device) / sigma_px[:, None, None]
