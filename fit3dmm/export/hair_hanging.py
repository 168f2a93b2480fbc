"""Hair that hangs down from a head: a closed sheet of its own, with a picture of its own.

The raised scalp (`export.hair_raised`) ends above the ears. What hangs lower is a curtain that runs
from one rim beside the face around the back of the neck to the other: a grid of points, whose
columns go around and whose rows go down, folded at the rims so that the second half of the columns
is its inner side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from fit3dmm.geometry.mesh import Topology, build_topology, vertex_normals

HANGING = "hair"
"""Name of the part of an avatar."""
HAIR_ROUGHNESS = 0.75
"""Of its surface, as glTF and USD count it: a judgement."""
OUTER = 0.9
"""Share of the picture that shows the outer side."""


@dataclass(frozen=True, eq=False)
class HangingHair:
    """The curtain, in the `model` frame."""

    points_mm: Float[np.ndarray, "rows columns 3"]
    """From the top down, and from the rim at the subject's left around the back to the right one
    and back on the inner side. The last column hangs together with the first."""
    srgb: UInt8[np.ndarray, "height width 3"]
    """Base colour; row 0 lies along the top, and columns as those of the points."""

    @cached_property
    def topology(self) -> Topology:
        """Of `vertices_mm`, counter-clockwise seen from outside."""
        return _topology(*self.points_mm.shape[:2])

    @property
    def vertices_mm(self) -> Float[Tensor, "vertices 3"]:
        """Row by row, the first column of each twice: the picture is cut open there."""
        return torch.from_numpy(_cut(self.points_mm)).float().reshape(-1, 3)

    @property
    def normals(self) -> Float[Tensor, "vertices 3"]:
        """Unit vectors, the same on both sides of the cut."""
        rows, columns = self.points_mm.shape[:2]
        closed = _closed_topology(rows, columns)
        found = vertex_normals(torch.from_numpy(self.points_mm.reshape(-1, 3)).float(), closed)
        return torch.from_numpy(_cut(found.reshape(rows, columns, 3).numpy())).reshape(-1, 3)

    @property
    def uv(self) -> Float[Tensor, "vertices 2"]:
        """Places in the picture, 0..1, origin at the bottom left."""
        rows, columns = self.points_mm.shape[:2]
        height, width = self.srgb.shape[:2]
        u = (0.5 + column_places(columns + 1) * (width - 1)) / width
        v = 1 - (0.5 + np.arange(rows) / (rows - 1) * (height - 1)) / height
        grid = np.stack(np.broadcast_arrays(u[None], v[:, None]), -1)
        return torch.from_numpy(grid).float().reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class HairMesh:
    """All sheets of a person as one mesh with one picture."""

    vertices_mm: Float[Tensor, "vertices 3"]
    """In the `model` frame."""
    normals: Float[Tensor, "vertices 3"]
    uv: Float[Tensor, "vertices 2"]
    topology: Topology
    srgb: UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, eq=False)
class HairShape:
    """Where a person's hair is, as an avatar has it."""

    raised_mm: Float[Tensor, "vertices"]
    """How far it stands off the scalp at each vertex (`export.hair_volume`)."""
    hanging: HangingHair | None = None
    """What hangs below."""
    fringe: HangingHair | None = None
    """What hangs over the forehead, from the right rim to the left one and back on the inner
    side; its picture is as wide as that of what hangs below."""

    @cached_property
    def mesh(self) -> HairMesh | None:
        """All that hangs; None where nothing does."""
        sheets = [one for one in (self.hanging, self.fringe) if one is not None]
        return _joined(sheets) if sheets else None


def column_places(columns: int) -> Float[np.ndarray, "columns"]:
    """Where in the picture columns lie, 0..1: the inner side, which nobody sees, is narrow."""
    outer = columns // 2
    return np.concatenate(
        [np.linspace(0, OUTER, outer), np.linspace(OUTER, 1, columns - outer + 1)[1:]]
    )


def raised_of(hair: HairShape | None) -> Float[Tensor, "vertices"] | None:
    """How far hair stands off; None where it lies flat."""
    return None if hair is None else hair.raised_mm


def hanging_of(hair: HairShape | None) -> HairMesh | None:
    """What hangs; None where nothing does."""
    return None if hair is None else hair.mesh


def _joined(sheets: Sequence[HangingHair]) -> HairMesh:
    """Sheets side by side, and their pictures one below the other."""
    pictures = [one.srgb for one in sheets]
    height = sum(len(one) for one in pictures)
    triangles, places, vertices, rows = [], [], 0, 0
    for one in sheets:
        uv, tall = one.uv, len(one.srgb)
        u, down = uv[:, 0], rows + (1 - uv[:, 1]) * tall
        places.append(torch.stack([u, 1 - down / height], 1))
        triangles.append(one.topology.triangles + vertices)
        vertices, rows = vertices + len(uv), rows + tall
    return HairMesh(
        torch.cat([one.vertices_mm for one in sheets]),
        torch.cat([one.normals for one in sheets]),
        torch.cat(places),
        build_topology(torch.cat(triangles), vertices),
        np.concatenate(pictures),
    )


def _cut(grid: Float[np.ndarray, "rows columns 3"]) -> Float[np.ndarray, "rows columns_1 3"]:
    return np.concatenate([grid, grid[:, :1]], 1)


def _topology(rows: int, columns: int) -> Topology:
    return build_topology(_triangles(rows, columns + 1, columns), rows * (columns + 1))


def _closed_topology(rows: int, columns: int) -> Topology:
    triangles = _triangles(rows, columns + 1, columns).long()
    row, column = triangles // (columns + 1), triangles % (columns + 1)
    return build_topology(row * columns + column % columns, rows * columns)


def _triangles(rows: int, stride: int, columns: int) -> Int[Tensor, "triangles 3"]:
    """Two for each cell of a grid."""
    first = torch.arange(rows - 1)[:, None] * stride + torch.arange(columns)
    a, b, c, d = first, first + stride, first + stride + 1, first + 1
    both = torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)], -2)
    return both.reshape(-1, 3).int()
