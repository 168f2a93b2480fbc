"""Points on the head's skin: found at level 2, where it is smooth, and kept at level 0.

A stored point is a base quad with parameters (u, v), written as a triangle of `quads_to_triangles`
and barycentrics. Two mirrored points have mirrored parameters; as level 0 splits a quad along one
diagonal only, they are exact mirror images from level 1 on.
"""

from dataclasses import dataclass, replace

import numpy as np

from commons.head import PARTS, Head
from fit3dmm.geometry.closest_point import SurfaceIndex, closest_points, index_surface
from fit3dmm.geometry.subdivision import (
    composed_operator,
    quads_to_triangles,
    refine_levels,
    refine_points,
    refine_vertex_map,
)
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals

LEVEL = 2


@dataclass(frozen=True)
class Points:
    """Level-0 surface points: `triangle` (*points) and `barycentric` (*points, 3)."""

    triangle: np.ndarray
    barycentric: np.ndarray

    def __getitem__(self, rows) -> "Points":
        return Points(self.triangle[rows], self.barycentric[rows])

    def __len__(self) -> int:
        return len(self.triangle)

    def replaced(self, rows, others: "Points") -> "Points":
        """A copy with other points in some rows."""
        triangle, barycentric = self.triangle.copy(), self.barycentric.copy()
        triangle[rows], barycentric[rows] = others.triangle, others.barycentric
        return Points(triangle, barycentric)


@dataclass(frozen=True)
class HeadSurface:
    """The surface of one shape at level 2."""

    head: Head
    vertices_mm: np.ndarray
    quads: np.ndarray
    triangles: np.ndarray
    normals: np.ndarray
    """Unit, of the vertices."""
    mirror: np.ndarray
    """(vertices,) the vertex mirrored across x = 0."""
    rows: dict[str, np.ndarray]
    """For each part of the head (and each named area), its rows of `triangles`."""
    index: dict[str, SurfaceIndex]
    """Of the triangles of each."""
    control_mm: np.ndarray
    """(base, 3) the shape that was subdivided."""

    def locate(self, points: Points) -> np.ndarray:
        """(*points, 3) positions."""
        triangle, barycentric = refine_points(
            points.triangle, points.barycentric, len(self.head.quads), LEVEL
        )
        corners = self.vertices_mm[self.triangles[triangle]]
        return np.einsum("...kc,...k->...c", corners, barycentric)

    def normals_at(self, points: Points) -> np.ndarray:
        triangle, barycentric = refine_points(
            points.triangle, points.barycentric, len(self.head.quads), LEVEL
        )
        normals = np.einsum("...kc,...k->...c", self.normals[self.triangles[triangle]], barycentric)
        return normals / np.linalg.norm(normals, axis=-1, keepdims=True)

    def nearest(self, positions_mm: np.ndarray, part: str = "skin") -> Points:
        """The points of a part that lie nearest to positions (points, 3)."""
        found = closest_points(self.index[part], np.asarray(positions_mm, dtype=np.float64))
        triangle = self.rows[part][found.triangle]
        corners = self.vertices_mm[self.triangles[triangle]]
        return self.to_base(triangle, barycentric_of(found.points, corners))

    def with_area(self, name: str, rows: np.ndarray) -> "HeadSurface":
        """The same surface that knows some of its triangles by another name."""
        index = index_surface(self.vertices_mm, self.triangles[rows])
        return replace(self, rows={**self.rows, name: rows}, index={**self.index, name: index})

    def to_base(self, triangle: np.ndarray, barycentric: np.ndarray) -> Points:
        """Carry points of the level-2 triangles to level 0: the inverse of `refine_points`."""
        second, third = barycentric[..., 1], barycentric[..., 2]
        lower = triangle % 2 == 0
        u = np.where(lower, second + third, second)
        v = np.where(lower, third, second + third)
        quad, n_quads = triangle // 2, len(self.quads)
        for _ in range(LEVEL):
            n_quads //= 4
            corner, quad = quad // n_quads, quad % n_quads
            u, v = u / 2, v / 2
            u, v = np.choose(corner, [u, 1 - v, 1 - u, v]), np.choose(corner, [v, u, 1 - v, 1 - u])
        return from_parameters(quad, u, v)

    def mirrored(self, points: Points) -> Points:
        """The same points on the other side."""
        quad, u, v = to_parameters(points)
        image = _mirrored_quads(self.head)
        corner = image.corner[quad]
        # Seen from the corner that is the image of the first one, the axes are swapped.
        u, v = (
            np.choose(corner, [v, 1 - u, 1 - v, u]),
            np.choose(corner, [u, v, 1 - u, 1 - v]),
        )
        return from_parameters(image.quad[quad], u, v)

    def on_midline(self, points: Points) -> Points:
        """Points that lie in quads beside the mid-line, moved onto it along their quad."""
        quad, u, v = to_parameters(points)
        middle = (self.head.mirror == np.arange(len(self.head.mirror)))[self.head.quads[quad]]
        side = [middle[:, k] & middle[:, (k + 1) % 4] for k in range(4)]
        if not np.any(side, axis=0).all():
            raise SystemExit("A point that belongs on the mid-line does not lie beside it.")
        u = np.where(side[1], 1.0, np.where(side[3], 0.0, u))
        v = np.where(side[0], 0.0, np.where(side[2], 1.0, v))
        return from_parameters(quad, u, v)


def head_surface(head: Head, mean_mm: np.ndarray, parts: tuple[str, ...] = PARTS) -> HeadSurface:
    """Subdivide one shape twice. Positions and the answers are in the frame of `mean_mm`.

    Args:
        parts: those that nearest points are looked for on.
    """
    steps = refine_levels(head.quads, head.n_base, LEVEL)
    vertices = composed_operator(steps, head.n_base) @ mean_mm
    quads = steps[-1].quads
    triangles = quads_to_triangles(quads)
    mirror = head.mirror
    for step in steps:
        mirror = refine_vertex_map(mirror, step)
    rows = {}
    for part in parts:
        quad_in_part = head.quad_part == PARTS.index(part)
        rows[part] = np.flatnonzero(np.repeat(np.tile(quad_in_part, 4**LEVEL), 2))
    return HeadSurface(
        head=head,
        vertices_mm=vertices,
        quads=quads,
        triangles=triangles,
        normals=vertex_normals(Mesh(vertices, triangles)),
        mirror=mirror,
        control_mm=mean_mm,
        rows=rows,
        index={part: index_surface(vertices, triangles[r]) for part, r in rows.items()},
    )


def symmetric_points(
    positions_mm: np.ndarray,
    mirror: np.ndarray,
    surface: HeadSurface,
    area: np.ndarray | None = None,
) -> Points:
    """The nearest skin points: found on the subject's right side and mirrored to the left.

    Args:
        positions_mm: (points, 3), made symmetric first.
        mirror: (points,) the point on the other side of each; itself for one on the mid-line.
        area: (points,) the part or area to stay on, where it is not the skin.
    """
    positions_mm = (positions_mm + positions_mm[mirror] * [-1, 1, 1]) / 2
    area = np.full(len(mirror), "skin") if area is None else area
    points = nearest_in(surface, positions_mm, area)
    middle = np.flatnonzero(mirror == np.arange(len(mirror)))
    left = np.flatnonzero((positions_mm[:, 0] > 0) & (mirror != np.arange(len(mirror))))
    points = points.replaced(middle, surface.on_midline(points[middle]))
    return points.replaced(left, surface.mirrored(points[mirror[left]]))


def nearest_in(surface: HeadSurface, positions_mm: np.ndarray, area: np.ndarray) -> Points:
    """(points,) nearest points, each in the part or area of its own."""
    points = surface.nearest(positions_mm)
    for name in np.unique(area[area != "skin"]):
        rows = np.flatnonzero(area == name)
        points = points.replaced(rows, surface.nearest(positions_mm[rows], str(name)))
    return points


def to_parameters(points: Points) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Base quad and (u, v), with corners (0,0), (1,0), (1,1), (0,1)."""
    second, third = points.barycentric[..., 1], points.barycentric[..., 2]
    lower = points.triangle % 2 == 0
    u = np.where(lower, second + third, second)
    v = np.where(lower, third, second + third)
    return points.triangle // 2, u, v


def from_parameters(quad: np.ndarray, u: np.ndarray, v: np.ndarray) -> Points:
    lower = u >= v
    first = 1 - np.maximum(u, v)
    second = np.where(lower, u - v, u)
    third = np.where(lower, v, v - u)
    return Points(2 * quad + np.where(lower, 0, 1), np.stack([first, second, third], axis=-1))


def barycentric_of(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(n, 3) weights of points (n, 3) in the planes of triangles (n, 3, 3), kept within them."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    p = points - corners[:, 0]
    aa, ab, bb = (a * a).sum(1), (a * b).sum(1), (b * b).sum(1)
    pa, pb = (p * a).sum(1), (p * b).sum(1)
    area = np.maximum(aa * bb - ab * ab, 1e-12)
    second = np.clip((bb * pa - ab * pb) / area, 0, 1)
    third = np.clip((aa * pb - ab * pa) / area, 0, 1 - second)
    return np.stack([1 - second - third, second, third], axis=1)


def joined(parts: list[Points]) -> Points:
    return Points(
        np.concatenate([part.triangle for part in parts]),
        np.concatenate([part.barycentric for part in parts]),
    )


def along_loop(head: Head, loop: np.ndarray, samples: int) -> Points:
    """Points on a closed line of base edges, `samples` an edge, from the loop's first vertex on.

    They are stored in the skin quads beside the line.
    """
    skin = np.flatnonzero(head.in_part("skin")[head.quads].all(axis=1))
    side_of = {
        (a, b): (quad, k)
        for quad in skin.tolist()
        for k, (a, b) in enumerate(
            zip(head.quads[quad].tolist(), np.roll(head.quads[quad], -1).tolist(), strict=True)
        )
    }
    share = np.arange(samples) / samples
    quads, us, vs = [], [], []
    for a, b in zip(loop.tolist(), np.roll(loop, -1).tolist(), strict=True):
        forward = (a, b) in side_of
        quad, side = side_of[(a, b) if forward else (b, a)]
        s = share if forward else 1 - share
        zero, one = np.zeros(samples), np.ones(samples)
        quads.append(np.full(samples, quad))
        us.append([s, one, 1 - s, zero][side])
        vs.append([zero, s, one, 1 - s][side])
    return from_parameters(np.concatenate(quads), np.concatenate(us), np.concatenate(vs))


@dataclass(frozen=True)
class _QuadMirror:
    quad: np.ndarray
    """(quads,) the mirrored quad."""
    corner: np.ndarray
    """(quads,) which of its corners is the image of this quad's first corner."""


def _mirrored_quads(head: Head) -> _QuadMirror:
    images = head.mirror[head.quads]
    order = {tuple(sorted(quad)): i for i, quad in enumerate(head.quads.tolist())}
    quad = np.array([order[tuple(sorted(image))] for image in images.tolist()])
    corner = (head.quads[quad] == images[:, :1]).argmax(axis=1)
    return _QuadMirror(quad, corner)
