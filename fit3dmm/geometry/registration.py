"""Bringing one mesh into register with another: a smooth warp onto the nearest surface.

B. Amberg, S. Romdhani, T. Vetter, "Optimal step nonrigid ICP algorithms for surface registration",
CVPR 2007, with a Laplacian of the displacement instead of affine maps a vertex: in each round every
vertex is drawn to the nearest compatible point of the target while the stiffness falls.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.edge_graph import edge_graph, laplacian
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals


@dataclass(frozen=True)
class RegistrationSettings:
    """How stiff the warp is, from the first round to the last."""

    rounds: int = 15
    """Matchings and solutions, with the pairs below going from one end to the other."""
    stiffness: tuple[float, float] = (200.0, 0.3)
    """Weight of the squared Laplacian of the displacement against a squared mm of a vertex."""
    reach_mm: tuple[float, float] = (30.0, 4.0)
    """A point of the target further away draws no vertex."""
    anchor_weight: tuple[float, float] = (20.0, 0.5)
    """Of the squared distance of each anchor, in the same way."""


@dataclass(frozen=True)
class Registration:
    """The template laid over the target."""

    vertices_mm: Float[np.ndarray, "template 3"]
    distance_mm: Float[np.ndarray, "template"]
    """To the matched point of the target; infinite where there is none."""


def register(
    template_mm: Float[np.ndarray, "template 3"],
    template_triangles: Int[np.ndarray, "template_triangles 3"],
    template_part: Int[np.ndarray, "template"],
    target: NearestSurface,
    anchors: sp.csr_matrix,
    anchors_target_mm: Float[np.ndarray, "anchors 3"],
    settings: RegistrationSettings | None = None,
) -> Registration:
    """Warp a template onto a target.

    Args:
        template_mm: its vertices before they move.
        template_triangles: its triangles.
        template_part: what a vertex may be matched to: target triangles of the same part. Vertices
            of a negative part follow their neighbours.
        target: the surface to lie on.
        anchors: (anchors, template) rows of weights that give each anchor on the template.
        anchors_target_mm: where the anchors lie on the target; at least 3, not on a line.
        settings: of the schedule; the default ones if left out.
    """
    settings = settings or RegistrationSettings()
    start = solve_similarity(anchors @ template_mm, anchors_target_mm) @ template_mm
    stretch = _stiffness(start, template_triangles)
    smoothness = (stretch + 0.2 * stretch.T @ stretch).tocsr()
    to_anchor = anchors_target_mm - anchors @ start
    moved = start
    for k in range(settings.rounds):
        fraction = k / max(settings.rounds - 1, 1)
        stiffness = _between(settings.stiffness, fraction, geometric=True)
        reach = _between(settings.reach_mm, fraction, geometric=True)
        weight = _between(settings.anchor_weight, fraction)
        if k == 0:
            # The first round bends the template by the anchors alone.
            drawn, pull = np.zeros(len(start)), np.zeros_like(start)
        else:
            match = target.closest(
                moved, vertex_normals(Mesh(moved, template_triangles)), template_part
            )
            drawn = ((match.distance_mm < reach) & ~match.at_border).astype(float)
            pull = drawn[:, None] * (np.where(drawn[:, None] > 0, match.points_mm, 0) - start)
        system = sp.diags(drawn) + weight * anchors.T @ anchors + stiffness * smoothness
        # A trace of the identity holds pieces that nothing draws.
        system = (system + 1e-6 * sp.identity(len(start))).tocsc()
        moved = start + _solved(system, pull + weight * (anchors.T @ to_anchor))
    match = target.closest(moved, vertex_normals(Mesh(moved, template_triangles)), template_part)
    return Registration(moved, np.where(match.at_border, np.inf, match.distance_mm))


def _solved(system: sp.csc_matrix, right_side: np.ndarray) -> np.ndarray:
    # The system is symmetric and positive: this order of elimination is many times faster than
    # the general one, and no pivots are needed.
    options = {"SymmetricMode": True}
    factors = splu(system, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
    return factors.solve(right_side)


def _between(ends: tuple[float, float], fraction: float, geometric: bool = False) -> float:
    first, last = ends
    if geometric:
        return float(first * (last / first) ** fraction)
    return first + (last - first) * fraction


def _stiffness(vertices: np.ndarray, triangles: np.ndarray) -> sp.csr_array:
    """Laplacian of the edges; loose pieces (eyeballs) are tied to the nearest points of the
    largest."""
    n = len(vertices)
    edges = unique_edges(triangles)[0]
    graph = edge_graph(edges, n)
    _, piece = connected_components(graph, directed=False)
    largest = piece == np.bincount(piece).argmax()
    loose = np.flatnonzero(~largest)
    if len(loose) > 0:
        _, near = KDTree(vertices[largest]).query(vertices[loose], k=3)
        ties = (np.repeat(loose, 3), np.flatnonzero(largest)[near.ravel()])
        tied = sp.coo_array((np.full(len(ties[0]), 0.3), ties), shape=(n, n)).tocsr()
        graph = graph + tied + tied.T
    return laplacian(graph)
