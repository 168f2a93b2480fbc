"""The meshes that a photo is taken of: each a surface of one material."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals


class Material(enum.IntEnum):
    """How a surface reflects."""

    SKIN = 0
    EYE = 1
    HAIR = 2
    CLOTH = 3
    GLOSS = 4


@dataclass(frozen=True)
class Part:
    """A surface with a colour at each vertex."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    albedo_linear: Float[np.ndarray, "vertices 3"]
    material: Int[np.ndarray, "triangles"]
    """A `Material` for each triangle."""
    hides: bool = False
    """Whether it counts as an occluder of the face."""
    spared: Bool[np.ndarray, "vertices"] | None = None
    """Vertices whose shadows are those of their neighbours; None where all are found."""

    @property
    def mesh(self) -> Mesh:
        """Without its colours."""
        return Mesh(self.vertices_mm, self.triangles)

    def moved(
        self, rotation: Float[np.ndarray, "3 3"], translation_mm: Float[np.ndarray, "3"]
    ) -> "Part":
        """Turned, then shifted."""
        return replace(self, vertices_mm=self.vertices_mm @ rotation.T + translation_mm)


@dataclass(frozen=True)
class Hair:
    """Parts in the `model` frame, and what roots make of the skin."""

    parts: tuple[Part, ...]
    roots: Float[np.ndarray, "vertices"]
    """Share of the skin's colour that is hair's, at each vertex of the head."""
    colour_linear: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class Assembly:
    """All parts as one mesh, for the tracer."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    normals: Float[np.ndarray, "vertices 3"]
    albedo_linear: Float[np.ndarray, "vertices 3"]
    material: Int[np.ndarray, "triangles"]
    part: Int[np.ndarray, "triangles"]
    """Which of the parts."""
    spared: Bool[np.ndarray, "vertices"]
    """As the parts say."""


def assemble(parts: Sequence[Part]) -> Assembly:
    """Join parts; their vertices and triangles keep their order."""
    starts = np.cumsum([0, *(len(part.vertices_mm) for part in parts)])
    return Assembly(
        np.concatenate([part.vertices_mm for part in parts]),
        np.concatenate([p.triangles + s for p, s in zip(parts, starts[:-1], strict=True)]),
        np.concatenate([vertex_normals(part.mesh) for part in parts]),
        np.concatenate([part.albedo_linear for part in parts]),
        np.concatenate([part.material for part in parts]),
        np.concatenate([np.full(len(part.triangles), k) for k, part in enumerate(parts)]),
        np.concatenate([_spared(part) for part in parts]),
    )


def _spared(part: Part) -> Bool[np.ndarray, "vertices"]:
    return np.zeros(len(part.vertices_mm), dtype=bool) if part.spared is None else part.spared


def plain_part(
    vertices_mm: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    colour_linear: Sequence[float] | np.ndarray,
    material: Material,
    hides: bool = False,
) -> Part:
    """Of one colour.

    Args:
        vertices_mm: of the part.
        triangles: of the part.
        colour_linear: albedo of all of it.
        material: how it reflects.
        hides: whether it counts as an occluder of the face.
    """
    colour = np.broadcast_to(np.asarray(colour_linear, dtype=np.float64), vertices_mm.shape)
    kinds = np.full(len(triangles), int(material))
    return Part(vertices_mm, triangles, colour.copy(), kinds, hides)


def grid_triangles(rows: int, columns: int, closed: bool = False) -> Int[np.ndarray, "triangles 3"]:
    """Triangles of a grid of points, row by row; counter-clockwise where rows go down and columns
    go right.

    Args:
        closed: the last column is joined to the first.
    """
    row, column = np.meshgrid(
        np.arange(rows - 1), np.arange(columns if closed else columns - 1), indexing="ij"
    )
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    c, d = (row + 1) * columns + column, (row + 1) * columns + after
    return np.concatenate(
        [np.stack([a, c, d], -1).reshape(-1, 3), np.stack([a, d, b], -1).reshape(-1, 3)]
    )


def tube(
    path_mm: Float[np.ndarray, "points 3"], radius_mm: float | np.ndarray, sides: int = 12
) -> Mesh:
    """A round bar along a line, its ends rounded off."""
    tangent = np.gradient(path_mm, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    helper = np.eye(3)[np.abs(tangent).sum(axis=0).argmin()]
    across = np.cross(tangent, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(across, tangent)
    angle = 2 * np.pi * np.arange(sides) / sides
    radius = np.broadcast_to(radius_mm, len(path_mm)).astype(np.float64)
    # Caps: rings that shrink beyond both ends.
    cap = np.sin(np.linspace(0, np.pi / 2, 5))[1:]
    shrink = np.sqrt(np.clip(1 - cap**2, 0, 1)) + 1e-3
    order = np.concatenate([np.zeros(4, int), np.arange(len(path_mm)), np.full(4, -1)])
    scale = np.concatenate([shrink[::-1], np.ones(len(path_mm)), shrink]) * radius[order]
    beyond = np.concatenate([-cap[::-1], np.zeros(len(path_mm)), cap]) * radius[order]
    centre = path_mm[order] + beyond[:, None] * tangent[order]
    ring = (
        np.cos(angle)[:, None] * across[order, None] + np.sin(angle)[:, None] * other[order, None]
    )
    vertices = centre[:, None] + scale[:, None, None] * ring
    return Mesh(vertices.reshape(-1, 3), grid_triangles(len(order), sides, closed=True))


def ball(centre_mm: Float[np.ndarray, "3"], radii_mm: Float[np.ndarray, "3"], n: int = 24) -> Mesh:
    """An ellipsoid."""
    polar = np.linspace(1e-3, np.pi - 1e-3, n)
    around = 2 * np.pi * np.arange(2 * n) / (2 * n)
    x = np.sin(polar)[:, None] * np.cos(around)
    z = -np.sin(polar)[:, None] * np.sin(around)
    y = np.broadcast_to(np.cos(polar)[:, None], x.shape)
    points = np.stack([x, y, z], -1).reshape(-1, 3)
    return Mesh(centre_mm + points * radii_mm, grid_triangles(n, 2 * n, closed=True))


def joined(meshes: Sequence[Mesh]) -> Mesh:
    """Several meshes as one."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    return Mesh(
        np.concatenate([mesh.vertices for mesh in meshes]),
        np.concatenate([m.triangles + s for m, s in zip(meshes, starts[:-1], strict=True)]),
    )
