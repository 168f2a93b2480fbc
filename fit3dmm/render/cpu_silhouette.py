"""Numba kernels that find silhouettes: the fast twin of `silhouette.find_silhouettes`."""

import math
from typing import no_type_check

import numpy as np

from fit3dmm._kernels import inlined, kernel
from fit3dmm.render.silhouette import SAME_DEPTH

_FRONT, _BACK, _UNUSABLE = 1, 0, 2


@kernel
@no_type_check
def find(
    clip, triangles, edges, edge_triangles, triangle, barycentric, px, facing, entry, pairs, count
):
    """Silhouettes of one image: rows (slot, edge, inner side) of `pairs`, and their `count`.

    The slot of a pair is (row * width + column) * 2 + axis.

    Args:
        clip: (vertices, 4) of one image, in clip space.
        triangles: (triangles, 3) rows of the vertices.
        edges: (edges, 2) vertices.
        edge_triangles: (edges, 2) triangles beside each, the second -1 at a border.
        triangle: (height, width) triangle of each pixel, -1 where there is none.
        barycentric: (height, width, 3) where in it.
        px: (vertices, 2) to work in.
        facing: (triangles) to work in.
        entry: (height, width, 2) full of zeros; then one more than the pair's place in `pairs`.
        pairs: (most, 3), filled with rows (slot, edge, inner side).
        count: (1), filled: how many pairs there are.
    """
    height, width = triangle.shape
    _project(clip, height, width, px)
    _face(clip, px, triangles, facing)
    position = np.empty(len(pairs), np.float64)
    n = 0
    for e in range(edges.shape[0]):
        t0, t1 = edge_triangles[e, 0], edge_triangles[e, 1]
        border = t1 < 0
        if border:
            t1 = t0
        if facing[t0] == facing[t1] and not border:
            continue
        if facing[t0] == _UNUSABLE or facing[t1] == _UNUSABLE:
            continue
        ia, ib = edges[e, 0], edges[e, 1]
        # (along, across) the line between the two centres: (x, y) for an edge that is steep.
        axis = 0 if abs(px[ib, 1] - px[ia, 1]) >= abs(px[ib, 0] - px[ia, 0]) else 1
        a_along, a_across = px[ia, axis], px[ia, 1 - axis]
        d_along, d_across = px[ib, axis] - a_along, px[ib, 1 - axis] - a_across
        if d_across == 0:
            continue
        beyond = 0.0
        for t in (t0, t1):
            third = triangles[t, 0] + triangles[t, 1] + triangles[t, 2] - ia - ib
            spanned = d_along * (px[third, 1 - axis] - a_across) - d_across * (
                px[third, axis] - a_along
            )
            if abs(spanned) > abs(beyond):
                beyond = spanned
        side = 1 if beyond * d_across < 0 else 0
        lines, places = (height, width) if axis == 0 else (width, height)
        lowest = min(a_across, a_across + d_across)
        highest = max(a_across, a_across + d_across)
        for line in range(max(0, math.ceil(lowest)), min(lines, math.ceil(highest))):
            along = a_along + (line - a_across) / d_across * d_along
            place = math.floor(along)
            if place < 0 or place + 1 >= places:
                continue
            r, c = (line, place) if axis == 0 else (place, line)
            r_next, c_next = (r, c + 1) if axis == 0 else (r + 1, c)
            share = (line - a_across) / d_across
            w = 1.0 / ((1.0 - share) / clip[ia, 3] + share / clip[ib, 3])
            if side == 0:
                seen = _ends_here(clip, triangles, triangle, barycentric, r, c, r_next, c_next, w)
            else:
                seen = _ends_here(clip, triangles, triangle, barycentric, r_next, c_next, r, c, w)
            if not seen:
                continue
            outwards = along - place if side == 0 else place - along
            k = entry[r, c, axis] - 1
            if k < 0:
                k = n
                n += 1
                entry[r, c, axis] = n
                pairs[k, 0] = (r * width + c) * 2 + axis
            elif outwards <= position[k]:
                continue
            pairs[k, 1], pairs[k, 2] = e, side
            position[k] = outwards
    count[0] = n


@kernel
@no_type_check
def _project(clip, height, width, px):
    """Vertices in units of pixel centres; NaN where they may not be drawn."""
    for v in range(clip.shape[0]):
        w = np.float64(clip[v, 3])
        px[v, 0] = (clip[v, 0] / w + 1.0) * 0.5 * width - 0.5 if w > 0 else np.nan
        px[v, 1] = (clip[v, 1] / w + 1.0) * 0.5 * height - 0.5 if w > 0 else np.nan


@kernel
@no_type_check
def _face(clip, px, triangles, facing):
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        area = (px[b, 0] - px[a, 0]) * (px[c, 1] - px[a, 1]) - (px[b, 1] - px[a, 1]) * (
            px[c, 0] - px[a, 0]
        )
        if not abs(area) < np.inf:
            facing[t] = _UNUSABLE
        else:
            facing[t] = _FRONT if area > 0 else _BACK


@inlined
@no_type_check
def _ends_here(clip, triangles, triangle, barycentric, r_in, c_in, r_out, c_out, w):
    """Whether a surface whose edge has depth w is seen to end between an inner and outer pixel."""
    t_in, t_out = triangle[r_in, c_in], triangle[r_out, c_out]
    if t_in < 0 or t_in == t_out:
        return False
    limit = w * (1.0 + SAME_DEPTH)
    if _depth(clip, triangles, barycentric, t_in, r_in, c_in) > limit:
        return False
    return t_out < 0 or _depth(clip, triangles, barycentric, t_out, r_out, c_out) > limit


@inlined
@no_type_check
def _depth(clip, triangles, barycentric, t, r, c):
    return (
        np.float64(clip[triangles[t, 0], 3]) * barycentric[r, c, 0]
        + np.float64(clip[triangles[t, 1], 3]) * barycentric[r, c, 1]
        + np.float64(clip[triangles[t, 2], 3]) * barycentric[r, c, 2]
    )
