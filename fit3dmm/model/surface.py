"""The mesh that a model's shapes live on: base faces, subdivision, triangles, UVs, symmetry."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.geometry.sparse import apply_sparse, sparse_matrix
from fit3dmm.geometry.subdivision import (
    composed_operator,
    quads_to_triangles,
    refine_levels,
    refine_points,
    refine_vertex_map,
)
from fit3dmm.geometry.surface_points import SurfacePoints


@dataclass(frozen=True)
class Surface(TensorRecord):
    """Topology of a model at one subdivision level. Bases live on `base`, pictures on `vertices`.

    Quad models can be refined; triangle models have level 0 only, where base and surface agree.
    """

    base_faces: Int[Tensor, "faces corners"]
    """Quads (4 corners) or triangles (3), counter-clockwise from outside."""
    base_mirror: Int[Tensor, "base"]
    """For each base vertex the one that lies mirrored across x = 0."""
    base_uv: Float[Tensor, "base_uv_points 2"]
    """Texture coordinates, 0..1, origin at the bottom left."""
    base_uv_faces: Int[Tensor, "faces corners"]
    """Rows of `base_uv` for each corner of each face."""
    level: int
    """Catmull-Clark steps between base and surface."""
    operator: Any
    """Sparse CSR tensor (vertices, base), or None where the surface is the base mesh itself."""
    triangles: Int[Tensor, "triangles 3"]
    mirror: Int[Tensor, "vertices"]
    uv: Float[Tensor, "uv_points 2"]
    uv_triangles: Int[Tensor, "triangles 3"]

    @cached_property
    def topology(self) -> Topology:
        """The surface as renderers want it; its edges are found when they are first asked for."""
        return build_topology(self.triangles, self.n_vertices)

    @property
    def n_base(self) -> int:
        return self.base_mirror.shape[0]

    @property
    def n_vertices(self) -> int:
        return self.mirror.shape[0]

    def lift(self, base: Float[Tensor, "*batch base c"]) -> Float[Tensor, "*batch vertices c"]:
        """Values on base vertices to values on surface vertices (linear)."""
        if self.operator is None:
            return base
        *batch, n_base, c = base.shape
        columns = base.reshape(-1, n_base, c).permute(1, 0, 2).reshape(n_base, -1)
        lifted = apply_sparse(self.operator, columns)
        lifted = lifted.reshape(self.n_vertices, -1, c).permute(1, 0, 2)
        return lifted.reshape(*batch, self.n_vertices, c)


def build_surface(
    base_faces: Int[np.ndarray, "faces corners"],
    base_mirror: Int[np.ndarray, "base"],
    base_uv: Float[np.ndarray, "base_uv_points 2"],
    base_uv_faces: Int[np.ndarray, "faces corners"],
    level: int = 0,
) -> Surface:
    """Make the surface of a level.

    Args:
        base_faces: quads, or triangles, as the model stores them.
        base_mirror: for each vertex that on the other side of the face.
        base_uv: points of the UV map, v upwards.
        base_uv_faces: the UV points of the corners of each face.
        level: Catmull-Clark steps.

    Raises:
        ValueError: a triangle mesh is asked for a level above 0.
    """
    n_base = len(base_mirror)
    base = {
        "base_faces": torch.from_numpy(np.ascontiguousarray(base_faces, dtype=np.int64)),
        "base_mirror": torch.from_numpy(np.ascontiguousarray(base_mirror, dtype=np.int64)),
        "base_uv": torch.from_numpy(np.ascontiguousarray(base_uv, dtype=np.float32)),
        "base_uv_faces": torch.from_numpy(np.ascontiguousarray(base_uv_faces, dtype=np.int64)),
    }
    if base_faces.shape[1] == 3:
        if level != 0:
            raise ValueError(f"A triangle mesh can't be subdivided: level must be 0, got {level}.")
        return Surface(
            **base,
            level=0,
            operator=None,
            triangles=base["base_faces"],
            mirror=base["base_mirror"],
            uv=base["base_uv"],
            uv_triangles=base["base_uv_faces"],
        )
    steps = refine_levels(base_faces, n_base, level)
    uv_steps = refine_levels(base_uv_faces, len(base_uv), level, smooth=False)
    mirror = np.asarray(base_mirror, dtype=np.int64)
    for step in steps:
        mirror = refine_vertex_map(mirror, step)
    quads = steps[-1].quads if steps else base_faces
    uv_quads = uv_steps[-1].quads if uv_steps else base_uv_faces
    uv = composed_operator(uv_steps, len(base_uv)) @ base_uv
    return Surface(
        **base,
        level=level,
        operator=_sparse_tensor(composed_operator(steps, n_base)) if steps else None,
        triangles=torch.from_numpy(quads_to_triangles(quads).astype(np.int64)),
        mirror=torch.from_numpy(mirror),
        uv=torch.from_numpy(np.ascontiguousarray(uv, dtype=np.float32)),
        uv_triangles=torch.from_numpy(quads_to_triangles(uv_quads).astype(np.int64)),
    )


def _sparse_tensor(matrix) -> Tensor:
    matrix = matrix.tocsr()
    matrix.sort_indices()
    return sparse_matrix(
        torch.from_numpy(matrix.indptr.astype(np.int64)),
        torch.from_numpy(matrix.indices.astype(np.int64)),
        torch.from_numpy(matrix.data.astype(np.float32)),
        matrix.shape,
    )


def points_at_level(points: SurfacePoints[np.ndarray], surface: Surface) -> SurfacePoints[Tensor]:
    """Carry points from level 0, where files store them, to the level of `surface`."""
    points = points.numpy()
    triangle, barycentric = points.triangle, points.barycentric
    if surface.level > 0:
        triangle, barycentric = refine_points(
            triangle, barycentric, len(surface.base_faces), surface.level
        )
    return SurfacePoints(
        torch.from_numpy(np.ascontiguousarray(triangle, dtype=np.int64)),
        torch.from_numpy(np.ascontiguousarray(barycentric, dtype=np.float32)),
        points.names,
    )
