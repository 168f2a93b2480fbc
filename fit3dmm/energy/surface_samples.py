"""Samples of a face's surface for the photometric term: places, normals, albedo and area."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.model_points import linear_fields, model_points
from fit3dmm.energy.points import LinearPoints, Points
from fit3dmm.energy.skinned_points import SkinnedPoints
from fit3dmm.geometry.mesh import triangle_normals
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.solve.problem import Values

# Coefficients whose normals are differentiated at once: bounds the memory that it takes.
_CHUNK = 16


@dataclass(frozen=True)
class SurfaceSamples(TensorRecord):
    """Points spread evenly over the face, with all that a matte surface needs."""

    points: Points
    """With normals. At rest they are linear around the mean face, where they are sums of the
    normals around a point, weighted by area."""
    albedo_mean_linear: Float[Tensor, "points 3"]
    albedo_basis_linear: Float[Tensor, "points 3 albedo"]
    area_mm2: Float[Tensor, "points"]
    """Surface of the mean face that each point stands for, times its share in the face region."""
    places: SurfacePoints[Tensor]
    """Where the points are on the surface."""

    def __len__(self) -> int:
        return len(self.area_mm2)

    def select(self, rows: Tensor) -> "SurfaceSamples":
        """Some of the points."""
        return SurfaceSamples(
            self.points.select(rows),
            self.albedo_mean_linear[rows],
            self.albedo_basis_linear[rows],
            self.area_mm2[rows],
            SurfacePoints(self.places.triangle[rows], self.places.barycentric[rows]),
        )

    def relinearised(
        self, shape_mm: Float[Tensor, "vertices 3"], triangles: Tensor, values: Values
    ) -> "SurfaceSamples":
        """With normals that are exact at some values, whose surface is given."""
        exact = _point_normals(shape_mm[:, None], triangles, self.places)[:, 0]
        off = exact - self.points.at(values).normal
        if isinstance(self.points, SkinnedPoints):
            off = self.points.unturned(values, off)
        return self.replace(points=self.points.shifted(torch.cat([torch.zeros_like(off), off], 1)))


def spread_points(model: MorphableModel, n: int) -> SurfacePoints[Tensor]:
    """About `n` points over the face, each for about the same area of the mean face.

    Triangles are visited in their order, which keeps neighbours together, and a point is set down
    whenever another n-th of the weighted area has passed: stratified and without randomness.
    """
    weight = _triangle_weights(model)
    passed = weight.cumsum(0)
    marks = (torch.arange(n, dtype=passed.dtype) + 0.5) * float(passed[-1]) / n
    triangle = torch.searchsorted(passed, marks.to(passed)).clamp(max=len(weight) - 1)
    # The R2 sequence, folded into the triangle, spreads the points within theirs.
    k = torch.arange(n, dtype=torch.float64)
    u, v = (k * 0.7548776662466927) % 1, (k * 0.5698402909980532) % 1
    over = u + v > 1
    u, v = torch.where(over, 1 - u, u), torch.where(over, 1 - v, v)
    barycentric = torch.stack([1 - u - v, u, v], dim=1).to(model.mean_mm)
    return SurfacePoints(triangle.to(model.mean_mm.device), barycentric)


def surface_samples(model: MorphableModel, n: int = 3000) -> SurfaceSamples:
    """Set up `n` points. Takes some tenths of a second: keep the result for all fits of a model."""
    places = spread_points(model, n)
    triangles = model.surface.triangles
    mean = model.surface.lift(model.mean_mm)
    bases = linear_fields(model)
    normal_basis = [
        _normal_derivatives(model, mean, part, places)
        for basis in bases.values()
        for part in basis.split(_CHUNK)
    ]
    normals = LinearPoints(
        _point_normals(mean[:, None], triangles, places)[:, 0],
        torch.cat(normal_basis, dim=1).mT.contiguous(),
        tuple(bases),
        tuple(len(basis) for basis in bases.values()),
    )
    albedo_basis = places.locate(model.albedo_basis_linear, triangles)
    return SurfaceSamples(
        model_points(model, places, normals),
        places.locate(model.albedo_mean_linear, triangles),
        albedo_basis.permute(1, 2, 0).contiguous(),
        (_triangle_weights(model).sum() / n).to(model.mean_mm).expand(n).clone(),
        places,
    )


def _triangle_weights(model: MorphableModel) -> Tensor:
    """Area of the mean face's triangles times their share in the region that is compared."""
    regions = model.regions
    share = regions["face"].clone()
    for name in ("eyes", "mouth_interior"):
        if name in regions:
            share = share * (1 - regions[name])
    mean = model.surface.lift(model.mean_mm)
    area = triangle_normals(mean, model.surface.triangles).norm(dim=1) / 2
    return area.double() * share[model.surface.triangles].mean(1)


def _point_normals(
    shape: Float[Tensor, "vertices k 3"],
    triangles: Int[Tensor, "triangles 3"],
    places: SurfacePoints[Tensor],
) -> Float[Tensor, "points k 3"]:
    """Sums of the normals around the corners, interpolated; for k shapes at once."""
    around = _Around(triangles, places)
    a, b, c = (shape[corner] for corner in around.triangles.unbind(1))
    return around.gather(torch.linalg.cross(b - a, c - a))


def _normal_derivatives(
    model: MorphableModel,
    mean: Float[Tensor, "vertices 3"],
    basis_mm: Float[Tensor, "k base 3"],
    places: SurfacePoints[Tensor],
) -> Float[Tensor, "points k 3"]:
    """Product rule on the cross products, at the mean face."""
    around = _Around(model.surface.triangles, places)
    change = model.surface.lift(basis_mm).transpose(0, 1)
    a, b, c = (mean[corner][:, None] for corner in around.triangles.unbind(1))
    da, db, dc = (change[corner] for corner in around.triangles.unbind(1))
    by = torch.linalg.cross(db - da, (c - a).expand_as(dc)) + torch.linalg.cross(
        (b - a).expand_as(db), dc - da
    )
    return around.gather(by)


class _Around:
    """The triangles that meet the corners of some points' triangles, and sums over them."""

    def __init__(
        self, triangles: Int[Tensor, "triangles 3"], places: SurfacePoints[Tensor]
    ) -> None:
        corners = triangles[places.triangle]
        vertices, self._corner = torch.unique(corners, return_inverse=True)
        row = torch.full((int(triangles.max()) + 1,), -1, device=triangles.device)
        row[vertices] = torch.arange(len(vertices), device=triangles.device)
        meets = (row[triangles] >= 0).any(dim=1)
        self.triangles = triangles[meets]
        self._row = row[self.triangles]
        self._n = len(vertices)
        self._weights = places.barycentric

    def gather(self, normals: Float[Tensor, "meeting k 3"]) -> Float[Tensor, "points k 3"]:
        total = normals.new_zeros(self._n + 1, *normals.shape[1:])
        for row in self._row.unbind(1):
            # Corners that belong to no point are collected in a last row that is dropped.
            total = total.index_add(0, torch.where(row < 0, self._n, row), normals)
        weights = self._weights.to(normals.dtype)
        return torch.einsum("pckx,pc->pkx", total[self._corner], weights)
