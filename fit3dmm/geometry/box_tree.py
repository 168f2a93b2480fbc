"""Kernels that build a tree of boxes about triangles, and look for the nearest of them in it.

`geometry.closest_point` says what goes in and comes out. All stand in one file, because numba keeps
what it compiled for as long as the file of the kernel that is called is unchanged.

The distance to a triangle is found by the region of its plane that the point lies over:
C. Ericson, "Real-Time Collision Detection", Morgan Kaufmann 2005, section 5.1.5.
"""

from typing import no_type_check

import numpy as np

from fit3dmm._kernels import inlined, kernel

N_NEAR = 12
"""Triangles that a search collects: those about a vertex where six meet, and some beyond."""

_LEAF_SIZE = 4
# The region test divides by the area, so a triangle whose height is below this share of its length
# is answered by its three edges instead: wrong by half that height at most, where the region test
# would lose as much to rounding.
_SLIVER = 1e-5

# The kernels are marked no_type_check because numba can't compile through the wrappers that the
# tests put around every other function to check shapes.


@kernel
@no_type_check
def build(lowest, highest):
    """Split at the median along the widest axis until a node holds few triangles."""
    n = lowest.shape[0]
    centre = (lowest + highest) / 2
    order = np.arange(n)
    boxes = np.empty((2 * n, 6))
    children = np.empty((2 * n, 2), dtype=np.int64)
    stack = [(0, 0, n)]
    n_nodes = 1
    while len(stack) > 0:
        node, start, end = stack.pop()
        rows = order[start:end]
        axis, widest = 0, -1.0
        for k in range(3):
            low, high = np.inf, -np.inf
            centre_low, centre_high = np.inf, -np.inf
            for row in rows:
                low = min(low, lowest[row, k])
                high = max(high, highest[row, k])
                centre_low = min(centre_low, centre[row, k])
                centre_high = max(centre_high, centre[row, k])
            boxes[node, k], boxes[node, 3 + k] = low, high
            if centre_high - centre_low > widest:
                axis, widest = k, centre_high - centre_low
        if end - start <= _LEAF_SIZE:
            children[node, 0], children[node, 1] = start, end
            continue
        along = np.empty(end - start)
        for i in range(end - start):
            along[i] = centre[rows[i], axis]
        order[start:end] = rows[np.argsort(along)]
        middle = (start + end) // 2
        children[node, 0], children[node, 1] = n_nodes, -1
        stack.append((n_nodes, start, middle))
        stack.append((n_nodes + 1, middle, end))
        n_nodes += 2
    return order, boxes[:n_nodes].copy(), children[:n_nodes].copy()


@kernel
@no_type_check
def query(
    start, end, corners, boxes, children, points, places_before, rows_before, others_before,
    found, row_of, squared, places, rows, others,
):  # fmt: skip
    """Answer the points from `start` to before `end`; the last six arguments are the answers."""
    # Medians halve the rows at each level: 64 entries are enough for 2^60 triangles.
    waiting, waiting_distance = np.empty(64, dtype=np.int64), np.empty(64)
    near_distance = np.empty(N_NEAR)
    row = 0
    for i in range(start, end):
        x, y, z = points[i, 0], points[i, 1], points[i, 2]
        dx, dy, dz = x - places_before[i, 0], y - places_before[i, 1], z - places_before[i, 2]
        moved = np.sqrt(dx * dx + dy * dy + dz * dz)
        nearest = np.inf
        for k in range(N_NEAR):
            if rows_before[i, k] < 0:
                break
            px, py, pz, d = _on_triangle(x, y, z, corners, rows_before[i, k])
            if d < nearest:
                qx, qy, qz, nearest, row = px, py, pz, d, rows_before[i, k]
        # Distances to all triangles have changed by `moved` at most.
        if np.sqrt(nearest) <= others_before[i] - moved:
            places[i], rows[i], others[i] = places_before[i], rows_before[i], others_before[i]
        else:
            # What moves less and less will not move much farther than it has moved now, and
            # a point that moves by m comes nearer to one triangle and leaves another by m.
            # Neighbours in a list of vertices tend to be neighbours on the surface, so the last
            # row is a start.
            qx, qy, qz, nearest, row, others[i] = _search(
                x, y, z, corners, boxes, children, row, 2 * moved,
                waiting, waiting_distance, rows[i], near_distance,
            )  # fmt: skip
            places[i] = points[i]
        found[i, 0], found[i, 1], found[i, 2] = qx, qy, qz
        row_of[i], squared[i] = row, nearest


@kernel
@no_type_check
def _search(
    x, y, z, corners, boxes, children, first_row, margin,
    waiting, waiting_distance, near, near_distance,
):  # fmt: skip
    """Nearest point, squared distance, row, and what no triangle that is not `near` is nearer than.

    Any triangle may be the first; the nearer it is, the fewer boxes are opened. `waiting` and its
    distances are room for the stack, `near_distance` for the squared distances of `near`, which
    becomes the rows of the triangles that are farther than the nearest by `margin` at most.
    """
    bx, by, bz, best = _on_triangle(x, y, z, corners, first_row)
    best_row = first_row
    limit = _widened(best, margin)
    near[:] = -1
    near[0], near_distance[0] = first_row, best
    n_near = 1
    others = np.inf
    waiting[0], waiting_distance[0] = 0, 0.0
    depth = 1
    while depth > 0:
        depth -= 1
        # No more than so many triangles are remembered, however wide the margin: without this, a
        # point that has moved far would look at all.
        if waiting_distance[depth] >= limit or (
            n_near == N_NEAR and waiting_distance[depth] >= near_distance[N_NEAR - 1]
        ):
            others = min(others, waiting_distance[depth])
            continue
        first, end = children[waiting[depth], 0], children[waiting[depth], 1]
        if end >= 0:
            for row in range(first, end):
                if row == first_row:
                    continue
                qx, qy, qz, d = _on_triangle(x, y, z, corners, row)
                if d < best:
                    best, best_row = d, row
                    bx, by, bz = qx, qy, qz
                    limit = _widened(best, margin)
                if d > limit or (n_near == N_NEAR and d >= near_distance[N_NEAR - 1]):
                    others = min(others, d)
                    continue
                if n_near == N_NEAR:
                    others = min(others, near_distance[N_NEAR - 1])
                    n_near -= 1
                k = n_near
                while k > 0 and near_distance[k - 1] > d:
                    near[k], near_distance[k] = near[k - 1], near_distance[k - 1]
                    k -= 1
                near[k], near_distance[k] = row, d
                n_near += 1
            continue
        left, right = first, first + 1
        left_distance = _to_box(x, y, z, boxes, left)
        right_distance = _to_box(x, y, z, boxes, right)
        if right_distance < left_distance:
            left, right = right, left
            left_distance, right_distance = right_distance, left_distance
        waiting[depth], waiting_distance[depth] = right, right_distance
        waiting[depth + 1], waiting_distance[depth + 1] = left, left_distance
        depth += 2
    while n_near > 1 and near_distance[n_near - 1] > limit:
        n_near -= 1
        near[n_near] = -1
        others = min(others, near_distance[n_near])
    return bx, by, bz, best, best_row, np.sqrt(others)


@inlined
@no_type_check
def _widened(squared, margin):
    """The square of a distance plus a margin; never less than the distance's own for rounding."""
    return max(squared, (np.sqrt(squared) + margin) ** 2)


@inlined
@no_type_check
def _to_box(x, y, z, boxes, node):
    """Squared distance to a box; 0 inside."""
    dx = max(boxes[node, 0] - x, 0.0, x - boxes[node, 3])
    dy = max(boxes[node, 1] - y, 0.0, y - boxes[node, 4])
    dz = max(boxes[node, 2] - z, 0.0, z - boxes[node, 5])
    return dx * dx + dy * dy + dz * dz


@kernel
@no_type_check
def _on_triangle(x, y, z, corners, row):
    """Nearest point of one triangle and the squared distance to it."""
    corner = corners[row]
    ax, ay, az = corner[0], corner[1], corner[2]
    ux, uy, uz = corner[3] - ax, corner[4] - ay, corner[5] - az
    vx, vy, vz = corner[6] - ax, corner[7] - ay, corner[8] - az
    uu = ux * ux + uy * uy + uz * uz
    vv = vx * vx + vy * vy + vz * vz
    uv = ux * vx + uy * vy + uz * vz
    area_squared = uu * vv - uv * uv
    if area_squared <= (_SLIVER * max(uu, vv)) ** 2:
        return _on_sliver(x, y, z, corner)
    px, py, pz = x - ax, y - ay, z - az
    # Dot products of the edges with the vectors from a, b and c to the point.
    a_u, a_v = ux * px + uy * py + uz * pz, vx * px + vy * py + vz * pz
    b_u, b_v = a_u - uu, a_v - uv
    c_u, c_v = a_u - uv, a_v - vv
    s, t = 0.0, 0.0  # the nearest point is a + s u + t v
    if a_u <= 0 and a_v <= 0:
        pass
    elif b_u >= 0 and b_v <= b_u:
        s = 1.0
    elif c_v >= 0 and c_u <= c_v:
        t = 1.0
    else:
        over_ab = a_u * b_v - b_u * a_v
        over_ac = c_u * a_v - a_u * c_v
        over_bc = b_u * c_v - c_u * b_v
        if over_ab <= 0 and a_u >= 0 and b_u <= 0:
            s = a_u / (a_u - b_u)
        elif over_ac <= 0 and a_v >= 0 and c_v <= 0:
            t = a_v / (a_v - c_v)
        elif over_bc <= 0 and b_v >= b_u and c_u >= c_v:
            t = (b_v - b_u) / ((b_v - b_u) + (c_u - c_v))
            s = 1.0 - t
        else:
            total = over_ab + over_ac + over_bc
            s, t = over_ac / total, over_ab / total
    qx, qy, qz = ax + s * ux + t * vx, ay + s * uy + t * vy, az + s * uz + t * vz
    dx, dy, dz = x - qx, y - qy, z - qz
    return qx, qy, qz, dx * dx + dy * dy + dz * dz


@kernel
@no_type_check
def _on_sliver(x, y, z, corner):
    """Nearest point of a triangle without area: the best of its three edges."""
    best = np.inf
    bx, by, bz = corner[0], corner[1], corner[2]
    for k in range(3):
        i, j = 3 * k, 3 * ((k + 1) % 3)
        ux, uy, uz = (
            corner[j] - corner[i],
            corner[j + 1] - corner[i + 1],
            corner[j + 2] - corner[i + 2],
        )
        length_squared = ux * ux + uy * uy + uz * uz
        s = 0.0
        if length_squared > 0:
            along = ux * (x - corner[i]) + uy * (y - corner[i + 1]) + uz * (z - corner[i + 2])
            s = min(max(along / length_squared, 0.0), 1.0)
        qx, qy, qz = corner[i] + s * ux, corner[i + 1] + s * uy, corner[i + 2] + s * uz
        d = (x - qx) ** 2 + (y - qy) ** 2 + (z - qz) ** 2
        if d < best:
            best, bx, by, bz = d, qx, qy, qz
    return bx, by, bz, best
