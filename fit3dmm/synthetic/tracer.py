"""Rays against a triangle mesh: what a ray meets first, and how much light a place is hidden from.

The tree of boxes is the one of `closest_point`. Ray and triangle: T. Möller, B. Trumbore, "Fast,
minimum storage ray-triangle intersection", Journal of Graphics Tools 2(1), 1997.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int

from fit3dmm._kernels import inlined, kernel, run_rows
from fit3dmm.geometry.closest_point import SurfaceIndex

# Barycentrics may leave the triangle by this much, so that no ray slips through between two.
_EDGE = 1e-7


@dataclass(frozen=True)
class Hits:
    """What each ray meets first."""

    triangle: Int[np.ndarray, "rays"]
    """Row of the mesh's triangles; -1 where the ray meets nothing."""
    barycentric: Float[np.ndarray, "rays 3"]
    """Weights of the triangle's corners; zeros where the ray meets nothing."""
    distance: Float[np.ndarray, "rays"]
    """Along the ray in units of its direction's length; infinite where it meets nothing."""


def first_hits(
    surface: SurfaceIndex,
    origin: Float[np.ndarray, "3"],
    directions: Float[np.ndarray, "rays 3"],
) -> Hits:
    """Follow rays that start at one point. Both sides of a triangle count."""
    n = len(directions)
    row, u, v, distance = np.empty(n, dtype=np.int64), *(np.empty(n) for _ in range(3))
    run_rows(
        _first,
        n,
        *(surface.corners, surface.boxes, surface.children),
        np.asarray(origin, dtype=np.float64),
        np.ascontiguousarray(directions, dtype=np.float64),
        *(row, u, v, distance),
    )
    met = row >= 0
    barycentric = np.where(met[:, None], np.stack([1 - u - v, u, v], axis=1), 0.0)
    return Hits(np.where(met, surface.triangle[row], -1), barycentric, distance)


def light_received(
    surface: SurfaceIndex,
    points: Float[np.ndarray, "points 3"],
    normals: Float[np.ndarray, "points 3"],
    towards: Float[np.ndarray, "lights 3"],
    power: Float[np.ndarray, "lights c"],
    start_mm: float = 0.3,
) -> tuple[Float[np.ndarray, "points c"], Float[np.ndarray, "points c"]]:
    """Cosine-weighted light of far lamps, with and without what the mesh hides.

    Args:
        surface: everything that casts shadows.
        points: on it, in mm.
        normals: there, of unit length.
        towards: unit vectors to the lamps.
        power: any quantities of each lamp that add up.
        start_mm: rays start this far off the surface, which would hide itself otherwise.

    Returns:
        Sums over the lamps of power * max(0, cosine): of those that are seen, and of all.
    """
    places, facing, lamps, amounts = (
        np.ascontiguousarray(a, dtype=np.float64) for a in (points, normals, towards, power)
    )
    tree = (surface.corners, surface.boxes, surface.children)
    seen, all_of_it = np.zeros((2, len(places), amounts.shape[1]))
    run_rows(
        *(_receive, len(places), *tree, places, facing, lamps, amounts),
        *(float(start_mm), seen, all_of_it),
    )
    return seen, all_of_it


# The kernels are marked no_type_check because numba can't compile through the wrappers that the
# tests put around every other function to check shapes.


@kernel
@no_type_check
def _first(start, end, corners, boxes, children, origin, directions, row, u, v, distance):
    for i in range(start, end):
        row[i], u[i], v[i], distance[i] = _follow(
            corners, boxes, children, origin, directions[i], False
        )


@kernel
@no_type_check
def _receive(
    start, end, corners, boxes, children, points, normals, towards, power, start_mm, seen, all_of_it
):
    n_channels = power.shape[1]
    for i in range(start, end):
        normal = normals[i]
        origin = points[i] + start_mm * normal
        for k in range(towards.shape[0]):
            towards_k = towards[k]
            cosine = normal[0] * towards_k[0] + normal[1] * towards_k[1] + normal[2] * towards_k[2]
            if cosine <= 0:
                continue
            for c in range(n_channels):
                all_of_it[i, c] += cosine * power[k, c]
            if _follow(corners, boxes, children, origin, towards_k, True)[0] < 0:
                for c in range(n_channels):
                    seen[i, c] += cosine * power[k, c]


@kernel
@no_type_check
def _follow(corners, boxes, children, origin, direction, any_will_do):
    """Row of the corners that the ray meets first (or at all), barycentrics, and the distance."""
    ox, oy, oz = origin[0], origin[1], origin[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    # Axis-parallel rays: a huge inverse keeps the slab test right where 1/0 would make it nan.
    ix = 1 / dx if abs(dx) > 1e-12 else np.copysign(1e12, dx)
    iy = 1 / dy if abs(dy) > 1e-12 else np.copysign(1e12, dy)
    iz = 1 / dz if abs(dz) > 1e-12 else np.copysign(1e12, dz)
    best, best_row, best_u, best_v = np.inf, -1, 0.0, 0.0
    waiting = np.empty(64, dtype=np.int64)
    waiting[0] = 0
    depth = 1
    while depth > 0:
        depth -= 1
        node = waiting[depth]
        if _enter(boxes[node], ox, oy, oz, ix, iy, iz) >= best:
            continue
        first, end = children[node, 0], children[node, 1]
        if end < 0:
            near, far = first, first + 1
            if _enter(boxes[far], ox, oy, oz, ix, iy, iz) < _enter(
                boxes[near], ox, oy, oz, ix, iy, iz
            ):
                near, far = far, near
            waiting[depth], waiting[depth + 1] = far, near
            depth += 2
            continue
        for row in range(first, end):
            t, u, v = _meet(corners[row], ox, oy, oz, dx, dy, dz)
            if 0 < t < best:
                best, best_row, best_u, best_v = t, row, u, v
                if any_will_do:
                    return best_row, best_u, best_v, best
    return best_row, best_u, best_v, best


@inlined
@no_type_check
def _enter(box, ox, oy, oz, ix, iy, iz):
    """Where a ray enters a box; infinite where it misses, 0 where it starts inside."""
    x0, x1 = (box[0] - ox) * ix, (box[3] - ox) * ix
    y0, y1 = (box[1] - oy) * iy, (box[4] - oy) * iy
    z0, z1 = (box[2] - oz) * iz, (box[5] - oz) * iz
    enter = max(max(min(x0, x1), min(y0, y1)), max(min(z0, z1), 0.0))
    leave = min(min(max(x0, x1), max(y0, y1)), max(z0, z1))
    return enter if enter <= leave else np.inf


@inlined
@no_type_check
def _meet(corner, ox, oy, oz, dx, dy, dz):
    """Distance and barycentrics of the second and third corner; distance -1 for a miss."""
    ax, ay, az = corner[0], corner[1], corner[2]
    ex, ey, ez = corner[3] - ax, corner[4] - ay, corner[5] - az
    fx, fy, fz = corner[6] - ax, corner[7] - ay, corner[8] - az
    px, py, pz = dy * fz - dz * fy, dz * fx - dx * fz, dx * fy - dy * fx
    volume = ex * px + ey * py + ez * pz
    if volume == 0:
        return -1.0, 0.0, 0.0
    tx, ty, tz = ox - ax, oy - ay, oz - az
    u = (tx * px + ty * py + tz * pz) / volume
    if u < -_EDGE or u > 1 + _EDGE:
        return -1.0, 0.0, 0.0
    qx, qy, qz = ty * ez - tz * ey, tz * ex - tx * ez, tx * ey - ty * ex
    v = (dx * qx + dy * qy + dz * qz) / volume
    if v < -_EDGE or u + v > 1 + _EDGE:
        return -1.0, 0.0, 0.0
    return (fx * qx + fy * qy + fz * qz) / volume, u, v
