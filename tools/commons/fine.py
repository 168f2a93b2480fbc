"""The head at the level that its colours are made on, and smoothing along its surface."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla

from commons.head import PARTS, Head
from fit3dmm.geometry.subdivision import (
    composed_operator,
    quads_to_triangles,
    refine_levels,
    refine_vertex_map,
)

_HEAT_STEPS = 3


@dataclass(frozen=True)
class FineHead:
    """The mean head, subdivided. Rows 0..base-1 of everything are the base vertices."""

    head: Head
    level: int
    lift: sp.csr_matrix
    """(vertices, base) Catmull-Clark operator."""
    points_mm: np.ndarray
    """(vertices, 3) of the mean shape."""
    triangles: np.ndarray
    mirror: np.ndarray
    """(vertices,) the vertex mirrored across x = 0."""
    part: np.ndarray
    """(vertices,) index in PARTS; rim vertices of lips and lids count as skin."""
    lip_rim: np.ndarray
    """Vertices between lip skin and mouth, in no order."""
    lid_rims: tuple[np.ndarray, np.ndarray]
    """The same for the left and the right eye."""
    makehuman_uv: np.ndarray
    """(uv points, 2) where the corners lie in MakeHuman's skin textures."""
    from_uv: sp.csr_matrix
    """(vertices, uv points) mean over the corners that meet in a vertex: seams lie in between."""
    eye_centres_mm: tuple[np.ndarray, np.ndarray]
    """(3,) of the left and the right eyeball."""
    mass: np.ndarray
    """(vertices,) a third of the area of the triangles around, mm^2."""
    stiffness: sp.csr_matrix
    """Cotangent Laplacian, positive semidefinite."""

    @property
    def n_vertices(self) -> int:
        return len(self.points_mm)

    def in_part(self, *names: str) -> np.ndarray:
        """(vertices,) mask."""
        return np.isin(self.part, [PARTS.index(name) for name in names])

    def normals(self) -> np.ndarray:
        """(vertices, 3) unit normals, outwards."""
        a, b, c = (self.points_mm[self.triangles[:, k]] for k in range(3))
        of_triangle = np.cross(b - a, c - a)
        normals = np.zeros_like(self.points_mm)
        for k in range(3):
            np.add.at(normals, self.triangles[:, k], of_triangle)
        return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)

    def symmetric(self, values: np.ndarray) -> np.ndarray:
        """Mean of (vertices, ...) values and their mirror image."""
        return (values + values[self.mirror]) / 2

    def smooth(self, values: np.ndarray, sigma_mm: float) -> np.ndarray:
        """Diffuse (vertices, n) values over the surface, about as a Gaussian of sigma would."""
        time = sigma_mm**2 / 2 / _HEAT_STEPS
        mass = sp.diags(self.mass)
        factor = spla.splu(
            (mass + time * self.stiffness).tocsc(),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        smoothed = np.asarray(values, dtype=np.float64)
        for _ in range(_HEAT_STEPS):
            smoothed = factor.solve(mass @ smoothed)
        return smoothed

    def smooth_within(self, values: np.ndarray, trust: np.ndarray, sigma_mm: float) -> np.ndarray:
        """The same from trusted vertices only (weights 0..1); they also fill in the others."""
        together = np.concatenate([values * trust[:, None], trust[:, None]], axis=1)
        smoothed = self.smooth(together, sigma_mm)
        return smoothed[:, :-1] / np.maximum(smoothed[:, -1:], 1e-9)


def refine_head(head: Head, shape_mm: np.ndarray, level: int) -> FineHead:
    """Subdivide the base shape (base, 3) and all that rides on it."""
    n_base, n_uv = head.n_base, len(head.makehuman_uv)
    steps = refine_levels(head.quads, n_base, level)
    uv_steps = refine_levels(head.makehuman_uv_quads, n_uv, level, smooth=False)
    mirror = head.mirror
    for step in steps:
        mirror = refine_vertex_map(mirror, step)
    lift = composed_operator(steps, n_base)
    points_mm = lift @ shape_mm
    quads, uv_quads = steps[-1].quads, uv_steps[-1].quads
    pairs = np.unique(np.stack([quads.ravel(), uv_quads.ravel()], axis=1), axis=0)
    uses = np.bincount(pairs[:, 0], minlength=len(points_mm))
    uv = composed_operator(uv_steps, n_uv) @ head.makehuman_uv
    from_uv = sp.csr_matrix(
        (1 / uses[pairs[:, 0]], (pairs[:, 0], pairs[:, 1])), shape=(len(points_mm), len(uv))
    )
    triangles = quads_to_triangles(quads)
    mass, stiffness = _surface_operators(points_mm, triangles)
    part, rims = _parts(head, quads, points_mm)
    return FineHead(
        head=head,
        level=level,
        lift=lift,
        points_mm=points_mm,
        triangles=triangles,
        mirror=mirror,
        part=part,
        lip_rim=rims["mouth"],
        lid_rims=(
            rims["socket"][points_mm[rims["socket"], 0] > 0],
            rims["socket"][points_mm[rims["socket"], 0] < 0],
        ),
        eye_centres_mm=(
            head.origin_mm("eye_left", shape_mm),
            head.origin_mm("eye_right", shape_mm),
        ),
        makehuman_uv=uv,
        from_uv=from_uv,
        mass=mass,
        stiffness=stiffness,
    )


def _parts(head: Head, quads: np.ndarray, points_mm: np.ndarray):
    """Part of each fine vertex, and the fine vertices between the skin and other parts."""
    # Child quads are numbered such that the remainder is the base quad.
    of_quad = head.quad_part[np.arange(len(quads)) % len(head.quads)]
    part = np.full(len(points_mm), -1)
    for index in reversed(range(len(PARTS))):
        part[quads[of_quad == index]] = index
    skin = quads[of_quad == PARTS.index("skin")]
    rims = {
        name: np.intersect1d(skin, quads[of_quad == PARTS.index(name)])
        for name in ("mouth", "socket")
    }
    return part, rims


def _surface_operators(points_mm, triangles) -> tuple[np.ndarray, sp.csr_matrix]:
    n = len(points_mm)
    corners = points_mm[triangles]
    doubled_area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    doubled_area = np.maximum(doubled_area, 1e-6)
    mass = np.bincount(triangles.ravel(), np.repeat(doubled_area / 6, 3), minlength=n)
    stiffness = sp.csr_matrix((n, n))
    for k in range(3):
        i, j = triangles[:, k - 2], triangles[:, k - 1]
        to_i, to_j = corners[:, k - 2] - corners[:, k], corners[:, k - 1] - corners[:, k]
        # Slivers around the lids have negative cotangents; without them diffusion stays monotone.
        half = np.maximum((to_i * to_j).sum(axis=1) / doubled_area / 2, 1e-3)
        edges = sp.coo_matrix((half, (i, j)), shape=(n, n))
        stiffness = stiffness + edges + edges.T
    degree = sp.diags(np.asarray(stiffness.sum(axis=1)).ravel())
    return np.maximum(mass, 1e-6), sp.csr_matrix(degree - stiffness)
