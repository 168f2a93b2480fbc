"""Nearest points of a triangle mesh, among triangles that face the same way and belong together.

For registration: candidates come from a tree of triangle centres and the point in each is exact, so
the nearest triangle is missed only where triangles differ much in size. Scores of the benchmarks
use the exact search of `closest_point`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import KDTree

from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.geometry.triangle_mesh import Mesh, triangle_normals

_CANDIDATES = 12
_SAME_WAY = 0.4
"""Least cosine between the normals of a point and its match."""


@dataclass(frozen=True)
class Match:
    """The nearest compatible point for each query."""

    points_mm: Float[np.ndarray, "queries 3"]
    triangle: Int[np.ndarray, "queries"]
    barycentric: Float[np.ndarray, "queries 3"]
    distance_mm: Float[np.ndarray, "queries"]
    """Infinite where no candidate was compatible; the other fields then mean nothing."""
    at_border: Bool[np.ndarray, "queries"]
    """The point lies on an open edge: the surface that was looked for may lie beyond it."""


class NearestSurface:
    """A mesh prepared for queries."""

    def __init__(
        self,
        vertices_mm: Float[np.ndarray, "vertices 3"],
        triangles: Int[np.ndarray, "triangles 3"],
        part: Int[np.ndarray, "triangles"] | None = None,
    ) -> None:
        self._corners = vertices_mm[triangles]
        self._part = np.zeros(len(triangles), dtype=np.int64) if part is None else part
        self._normals = triangle_normals(Mesh(vertices_mm, triangles))
        self._trees: dict[int, tuple[KDTree, np.ndarray]] = {}
        for label in np.unique(self._part):
            rows = np.flatnonzero(self._part == label)
            self._trees[int(label)] = (KDTree(self._corners[rows].mean(axis=1)), rows)
        self._border = _open_edges(triangles)

    def closest(
        self,
        points_mm: Float[np.ndarray, "queries 3"],
        normals: Float[np.ndarray, "queries 3"] | None = None,
        part: Int[np.ndarray, "queries"] | None = None,
    ) -> Match:
        """Nearest points.

        Args:
            normals: matches must face the same way as these; None lets them face any way.
            part: matches must belong to the same part; None searches part 0.
        """
        n = len(points_mm)
        part = np.zeros(n, dtype=np.int64) if part is None else part
        triangle = np.zeros(n, dtype=np.int64)
        barycentric = np.zeros((n, 3))
        distance = np.full(n, np.inf)
        for label, (tree, rows) in self._trees.items():
            ask = np.flatnonzero(part == label)
            if len(ask) == 0:
                continue
            k = min(_CANDIDATES, len(rows))
            candidates = rows[np.asarray(tree.query(points_mm[ask], k=k)[1]).reshape(len(ask), k)]
            weights = closest_in_triangles(points_mm[ask][:, None], self._corners[candidates])
            places = np.einsum("qkc,qkcx->qkx", weights, self._corners[candidates])
            apart = np.linalg.norm(places - points_mm[ask][:, None], axis=2)
            if normals is not None:
                facing = np.einsum("qkx,qx->qk", self._normals[candidates], normals[ask])
                apart = np.where(facing > _SAME_WAY, apart, np.inf)
            best = apart.argmin(axis=1)
            row = np.arange(len(ask))
            triangle[ask] = candidates[row, best]
            barycentric[ask] = weights[row, best]
            distance[ask] = apart[row, best]
        places = np.einsum("qc,qcx->qx", barycentric, self._corners[triangle])
        # On side k (from corner k to k + 1) the weight of the third corner vanishes.
        on_side = barycentric[:, [2, 0, 1]] < 1e-9
        at_border = np.any(on_side & self._border[triangle], axis=1)
        return Match(places, triangle, barycentric, distance, at_border)


def closest_in_triangles(
    points: Float[np.ndarray, "*batch 3"], corners: Float[np.ndarray, "*batch2 3 3"]
) -> Float[np.ndarray, "*batch2 3"]:
    """Barycentrics of the point of each triangle that is nearest to each point.

    The projection where it lies inside, else the nearest point of the three sides.
    """
    a, b, c = corners[..., 0, :], corners[..., 1, :], corners[..., 2, :]
    inside = _plane_barycentric(points - a, b - a, c - a)
    best = np.where(inside.min(axis=-1, keepdims=True) >= 0, inside, np.nan)
    shortest = np.where(np.isnan(best[..., 0]), np.inf, -1.0)
    for k in range(3):
        start, end = corners[..., k, :], corners[..., (k + 1) % 3, :]
        side = end - start
        along = np.sum((points - start) * side, axis=-1) / np.maximum(
            np.sum(side * side, axis=-1), 1e-20
        )
        along = np.clip(along, 0, 1)
        apart = np.linalg.norm(points - start - along[..., None] * side, axis=-1)
        weights = np.zeros(inside.shape)
        weights[..., k], weights[..., (k + 1) % 3] = 1 - along, along
        nearer = apart < shortest
        best = np.where(nearer[..., None], weights, best)
        shortest = np.where(nearer, apart, shortest)
    return best


def _plane_barycentric(offset: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    uu, uv, vv = (np.sum(p * q, axis=-1) for p, q in ((u, u), (u, v), (v, v)))
    ou, ov = np.sum(offset * u, axis=-1), np.sum(offset * v, axis=-1)
    area = np.maximum(uu * vv - uv * uv, 1e-20)
    second = (vv * ou - uv * ov) / area
    third = (uu * ov - uv * ou) / area
    return np.stack([1 - second - third, second, third], axis=-1)


def _open_edges(triangles: np.ndarray) -> np.ndarray:
    """(triangles, 3) whether side k, from corner k to k + 1, belongs to this triangle only."""
    _, edge_of_side, uses = unique_edges(triangles)
    return uses[edge_of_side] == 1
