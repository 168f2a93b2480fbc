"""Triangle meshes: what meets what, and normals."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class Topology(TensorRecord):
    """A triangle mesh without its positions. Triangles are counter-clockwise seen from outside."""

    n_vertices: int
    triangles: Int[Tensor, "triangles 3"]
    """Vertex indices, int32 (the kernels' type)."""
    edges: Int[Tensor, "edges 2"]
    """Vertex pairs in increasing order, each edge once."""
    edge_triangles: Int[Tensor, "edges 2"]
    """The two triangles at an edge; the second is -1 at a border. Where more than two meet, two."""


def build_topology(triangles: Int[Tensor, "triangles 3"], n_vertices: int) -> Topology:
    """Find the edges and what meets there. Takes some 50 ms for 70,000 triangles: keep the result.

    Raises:
        ValueError: a triangle names a vertex that does not exist.
    """
    corners = triangles.long()
    if corners.numel() and not 0 <= int(corners.min()) <= int(corners.max()) < n_vertices:
        raise ValueError(
            f"Triangles must index 0..{n_vertices - 1}, got {int(corners.min())}.."
            f"{int(corners.max())}: files that count from 1 need 1 subtracted."
        )
    edges, edge_triangles = _edges(corners, n_vertices)
    return Topology(n_vertices, corners.int().contiguous(), edges.int(), edge_triangles.int())


def _edges(corners: Tensor, n_vertices: int) -> tuple[Tensor, Tensor]:
    n = len(corners)
    sides = corners[:, [1, 2, 2, 0, 0, 1]].reshape(-1, 2).sort(dim=1).values
    keys = sides[:, 0] * n_vertices + sides[:, 1]
    order = torch.argsort(keys, stable=True)
    keys, counts = torch.unique_consecutive(keys[order], return_counts=True)
    first = counts.cumsum(0) - counts
    triangle = torch.arange(n, device=corners.device).repeat_interleave(3)[order]
    second = torch.where(counts > 1, triangle[(first + 1).clamp(max=max(3 * n - 1, 0))], -1)
    edges = torch.stack([keys // n_vertices, keys % n_vertices], -1)
    return edges, torch.stack([triangle[first], second], -1)


def triangle_normals(
    points: Float[Tensor, "*batch vertices 3"], triangles: Int[Tensor, "triangles 3"]
) -> Float[Tensor, "*batch triangles 3"]:
    """Outward normals, as long as twice the triangle's area."""
    a, b, c = points[..., triangles.long(), :].unbind(-2)
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(
    points: Float[Tensor, "*batch vertices 3"], topology: Topology
) -> Float[Tensor, "*batch vertices 3"]:
    """Unit normals of the vertices: the sum of the triangles' normals, weighted by area.

    A vertex without a triangle, or whose triangles cancel out, gets zero.
    """
    faces = triangle_normals(points, topology.triangles)
    total = torch.zeros_like(points)
    for corner in topology.triangles.long().unbind(-1):
        total = total.index_add(-2, corner, faces)
    squared = (total * total).sum(-1, keepdim=True)
    # The clamp is far below the squared area of any real triangle, in mm^4.
    return total * squared.clamp_min(1e-20).rsqrt()
