"""Catmull-Clark subdivision as a linear operator, and what rides on it: points, mirror maps, UVs.

E. Catmull, J. Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes",
Computer-Aided Design 10(6), 1978; borders are cubic B-spline curves as in T. DeRose, M. Kass,
T. Truong, "Subdivision surfaces in character animation", SIGGRAPH 1998.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Refinement:
    """One step from a quad mesh to one with four times the quads.

    The finer vertices are, in this order: the old vertices (moved), one for each edge, one for each
    quad. Child quad `k * quads + q` lies at corner k of quad q and has the corners (old corner k,
    edge k, centre, edge k - 1), so its first corner is always the parent's corner.
    """

    operator: sp.csr_matrix
    """(finer, coarser): positions of the finer vertices from those of the coarser."""
    quads: Int[np.ndarray, "finer_quads 4"]
    edges: Int[np.ndarray, "edges 2"]
    """Sorted vertex pairs; edge e became vertex `coarser + e`."""
    coarser_quads: Int[np.ndarray, "quads 4"]

    n_coarser: int
    """Vertices before the step."""

    @property
    def n_finer(self) -> int:
        """Vertices after it."""
        return self.n_coarser + len(self.edges) + len(self.coarser_quads)


def refine(quads: Int[np.ndarray, "quads 4"], n_vertices: int, smooth: bool = True) -> Refinement:
    """One Catmull-Clark step; with `smooth=False` the bilinear one, which moves no old vertex.

    Vertices that no quad uses stay where they are. A border vertex with other than two border edges
    (where two patches touch in a point) stays too.
    """
    m = len(quads)
    edges, edge_of_side, uses = unique_edges(quads)
    n_edges = len(edges)

    centre = _incidence(np.repeat(np.arange(m), 4), quads.ravel(), (m, n_vertices)) * 0.25
    midpoint = (
        _incidence(np.repeat(np.arange(n_edges), 2), edges.ravel(), (n_edges, n_vertices)) / 2
    )
    vertex_point = sp.identity(n_vertices, format="csr")
    edge_point = midpoint
    if smooth:
        border = uses == 1
        quad_of_edge = _incidence(edge_of_side.ravel(), np.repeat(np.arange(m), 4), (n_edges, m))
        edge_point = (
            sp.diags(np.where(border, 1.0, 0.5)) @ midpoint
            + sp.diags(np.where(border, 0.0, 0.25)) @ quad_of_edge @ centre
        )
        vertex_point = _smoothed_vertices(quads, edges, border, midpoint, centre, n_vertices)

    edge_vertex = edge_of_side + n_vertices
    centre_vertex = np.arange(m) + n_vertices + n_edges
    finer = np.concatenate(
        [
            np.stack([quads[:, k], edge_vertex[:, k], centre_vertex, edge_vertex[:, k - 1]], axis=1)
            for k in range(4)
        ]
    )
    operator = sp.csr_matrix(sp.vstack([vertex_point, edge_point, centre]))
    operator.eliminate_zeros()
    return Refinement(operator, finer, edges, quads, n_vertices)


def _smoothed_vertices(quads, edges, border, midpoint, centre, n_vertices) -> sp.csr_matrix:
    m, n_edges = len(quads), len(edges)
    valence = np.bincount(edges.ravel(), minlength=n_vertices)
    at_border = np.zeros(n_vertices, dtype=bool)
    at_border[edges[border]] = True
    inner = ~at_border & (valence > 0)
    safe = np.maximum(valence, 1).astype(float)
    quad_of_vertex = _incidence(quads.ravel(), np.repeat(np.arange(m), 4), (n_vertices, m))
    edge_of_vertex = _incidence(
        edges.ravel(), np.repeat(np.arange(n_edges), 2), (n_vertices, n_edges)
    )
    border_of_vertex = edge_of_vertex @ sp.diags(border.astype(float))
    n_border = np.asarray(border_of_vertex.sum(axis=1)).ravel()
    curve = at_border & (n_border == 2)
    fixed = (at_border & ~curve) | (valence == 0)
    identity = sp.identity(n_vertices, format="csr")
    return sp.csr_matrix(
        sp.diags(inner / safe**2) @ quad_of_vertex @ centre
        + sp.diags(inner * 2 / safe**2) @ edge_of_vertex @ midpoint
        + sp.diags(inner * (safe - 3) / safe) @ identity
        + sp.diags(curve * 0.25) @ border_of_vertex @ midpoint
        + sp.diags(curve * 0.5) @ identity
        + sp.diags(fixed * 1.0) @ identity
    )


def _incidence(rows, columns, shape) -> sp.csr_matrix:
    return sp.csr_matrix(sp.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=shape))


def refine_levels(
    quads: Int[np.ndarray, "quads 4"], n_vertices: int, levels: int, smooth: bool = True
) -> list[Refinement]:
    """`levels` steps after one another.

    Args:
        quads: of the base mesh.
        n_vertices: of the base mesh.
        levels: how many steps.
        smooth: move vertices as Catmull and Clark do; else only split.
    """
    steps: list[Refinement] = []
    for _ in range(levels):
        step = refine(quads, n_vertices, smooth)
        quads, n_vertices = step.quads, step.n_finer
        steps.append(step)
    return steps


def composed_operator(steps: list[Refinement], n_vertices: int) -> sp.csr_matrix:
    """(finest, coarsest) operator of several steps; the identity for none."""
    operator = sp.csr_matrix(sp.identity(n_vertices))
    for step in steps:
        operator = sp.csr_matrix(step.operator @ operator)
    return operator


def quads_to_triangles(quads: Int[np.ndarray, "quads 4"]) -> Int[np.ndarray, "triangles 3"]:
    """Split along the diagonal from corner 0 to corner 2: triangles 2q and 2q + 1 are quad q's."""
    return quads[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3)


def refine_points(
    triangle: Int[np.ndarray, "*points"],
    barycentric: Float[np.ndarray, "*points 3"],
    n_quads: int,
    levels: int,
) -> tuple[Int[np.ndarray, "*points"], Float[np.ndarray, "*points 3"]]:
    """Carry surface points from the triangles of `quads_to_triangles` to those of a finer level.

    A point keeps its parameters (u, v) in its quad; the child that holds them takes it over.

    Args:
        triangle: of each point, at level 0.
        barycentric: of each point in it.
        n_quads: of the base mesh.
        levels: how many steps finer.
    """
    quad, u, v = _to_parameters(triangle, barycentric)
    for _ in range(levels):
        right, upper = u > 0.5, v > 0.5
        child = np.where(right, np.where(upper, 2, 1), np.where(upper, 3, 0))
        # The child's first corner is the parent's corner k and its u axis runs along side k.
        towards_u = np.choose(child, [u, v, 1 - u, 1 - v])
        towards_v = np.choose(child, [v, 1 - u, 1 - v, u])
        u, v = 2 * towards_u, 2 * towards_v
        quad = child * n_quads + quad
        n_quads *= 4
    return _from_parameters(quad, u, v)


def _to_parameters(triangle, barycentric):
    """Quad and (u, v) with corners (0,0), (1,0), (1,1), (0,1)."""
    second, third = barycentric[..., 1], barycentric[..., 2]
    lower = triangle % 2 == 0
    u = np.where(lower, second + third, second)
    v = np.where(lower, third, second + third)
    return triangle // 2, u, v


def _from_parameters(quad, u, v):
    lower = u >= v
    triangle = 2 * quad + np.where(lower, 0, 1)
    first = 1 - np.maximum(u, v)
    second = np.where(lower, u - v, u)
    third = np.where(lower, v, v - u)
    return triangle, np.stack([first, second, third], axis=-1)


def refine_vertex_map(
    vertex_map: Int[np.ndarray, "coarser"], step: Refinement
) -> Int[np.ndarray, "finer"]:
    """Carry a map of vertices to vertices that respects the quads (a mirror map) to the finer mesh.

    Raises:
        ValueError: the map does not send every edge to an edge and every quad to a quad.
    """
    n, n_edges = step.n_coarser, len(step.edges)
    edges = _match_rows(np.sort(vertex_map[step.edges], axis=1), step.edges)
    quads = _match_rows(
        np.sort(vertex_map[step.coarser_quads], axis=1), np.sort(step.coarser_quads, axis=1)
    )
    return np.concatenate([vertex_map, n + edges, n + n_edges + quads])


def unique_edges(
    faces: Int[np.ndarray, "faces corners"],
) -> tuple[Int[np.ndarray, "edges 2"], Int[np.ndarray, "faces corners"], Int[np.ndarray, "edges"]]:
    """Sorted vertex pairs in order; the edge of each side of each face; faces that use each edge.

    Side k of a face runs from its corner k to the next.
    """
    first, second = faces.astype(np.int64), np.roll(faces, -1, axis=1).astype(np.int64)
    # One number a pair sorts ten times faster than rows do.
    count = int(faces.max(initial=-1)) + 1
    pairs = np.minimum(first, second) * count + np.maximum(first, second)
    keys, edge_of_side, uses = np.unique(pairs, return_inverse=True, return_counts=True)
    edges = np.stack(np.divmod(keys, max(count, 1)), axis=1)
    return edges, edge_of_side.reshape(faces.shape), uses


def _match_rows(wanted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Index in `rows` of each row of `wanted`."""
    both = np.concatenate([rows, wanted]).astype(np.int64)
    number = both[:, 0]
    for column in both.T[1:]:
        _, number = np.unique(number * (column.max() + 1) + column, return_inverse=True)
    position = np.full(number.max() + 1, -1)
    position[number[: len(rows)]] = np.arange(len(rows))
    found = position[number[len(rows) :]]
    if (found < 0).any():
        raise ValueError("The vertex map does not respect the mesh: an edge or quad has no image.")
    return found
