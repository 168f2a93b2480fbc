"""Triangle meshes: what meets what, and normals."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.subdivision import unique_edges


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
    edges, edge_of_side, uses = unique_edges(corners.cpu().numpy())
    sides = np.argsort(edge_of_side.ravel(), kind="stable")
    first = np.cumsum(uses) - uses
    second = np.where(uses > 1, sides[np.minimum(first + 1, len(sides) - 1)] // 3, -1)
    edge_triangles = np.stack([sides[first] // 3, second], axis=1)
    return Topology(
        n_vertices,
        corners.int().contiguous(),
        *(torch.from_numpy(rows).int().to(corners.device) for rows in (edges, edge_triangles)),
    )


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
