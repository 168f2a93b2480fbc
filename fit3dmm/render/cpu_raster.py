"""Numba kernels that find what each pixel shows, and the derivative of the barycentrics.

Each kernel works on a part of one image, so that parts can run on different threads.
"""

import math
from typing import no_type_check

import numpy as np

from fit3dmm._kernels import inlined, kernel
from fit3dmm.render.fragments import PIXEL_LIMIT

# Corners are rounded to 1/256 px: 2^8 steps a pixel, with centres half-way.
_STEPS = 256
_HALF = 128
_SHIFT = 8
_LIMIT_STEPS = float(PIXEL_LIMIT * _STEPS)
# Marks a vertex that no triangle may have.
_DROPPED = np.int32(-(2**31))


@kernel
@no_type_check
def snap(clip, height, width, x_steps, y_steps, depth):
    """Vertices of one image on the grid of 1/256 px, and their z/w.

    Args:
        clip: (vertices, 4) of one image, in clip space.
        height: of the picture.
        width: of the picture.
        x_steps: (vertices), filled; _DROPPED for vertices that no triangle may have.
        y_steps: (vertices), filled.
        depth: (vertices), filled.
    """
    for v in range(clip.shape[0]):
        w = clip[v, 3]
        x_steps[v] = _DROPPED
        if not w > 0:
            continue
        x = (clip[v, 0] / w * 0.5 + 0.5) * width * _STEPS
        y = (clip[v, 1] / w * 0.5 + 0.5) * height * _STEPS
        z = clip[v, 2] / w
        # Comparisons with NaN are false, so these also keep out what isn't finite.
        if abs(x) < _LIMIT_STEPS and abs(y) < _LIMIT_STEPS and abs(z) < np.inf and w < np.inf:
            x_steps[v] = np.int32(math.floor(x + 0.5))
            y_steps[v] = np.int32(math.floor(y + 0.5))
            depth[v] = z


@kernel
@no_type_check
def cover(x_steps, y_steps, depth, triangles, first, last, nearest, shown):
    """Draw triangles first..last-1 of one image into a depth buffer of their own.

    Args:
        x_steps: what `snap` filled.
        y_steps: what `snap` filled.
        depth: what `snap` filled.
        triangles: (triangles, 3) rows of the vertices.
        first: the first triangle to do.
        last: the triangle after the last one to do.
        nearest: (height, width), filled: z/w of what is shown, infinite where there is nothing.
        shown: (height, width), filled: the triangle, or -1.
    """
    height, width = nearest.shape
    nearest[:] = np.inf
    shown[:] = -1
    for t in range(first, last):
        # Unsigned, so that numba doesn't look out for negative indices: a tenth of the time.
        row = np.uint64(t)
        v0, v1, v2 = (
            np.uint64(triangles[row, 0]),
            np.uint64(triangles[row, 1]),
            np.uint64(triangles[row, 2]),
        )
        y0, y1, y2 = np.int64(y_steps[v0]), np.int64(y_steps[v1]), np.int64(y_steps[v2])
        x0, x1, x2 = np.int64(x_steps[v0]), np.int64(x_steps[v1]), np.int64(x_steps[v2])
        # Rows and columns whose centres lie within the triangle's box. Most triangles of a face are
        # smaller than a pixel and have none, so one branch decides that for both.
        lowest = min(x0, min(x1, x2))
        top = max((min(y0, min(y1, y2)) + _HALF - 1) >> _SHIFT, 0)
        bottom = min((max(y0, max(y1, y2)) - _HALF) >> _SHIFT, height - 1)
        left = max((lowest + _HALF - 1) >> _SHIFT, 0)
        right = min((max(x0, max(x1, x2)) - _HALF) >> _SHIFT, width - 1)
        if ((bottom - top) | (right - left)) < 0 or lowest == _DROPPED:
            continue
        dx0, dx1, dx2 = x2 - x1, x0 - x2, x1 - x0
        dy0, dy1, dy2 = y2 - y1, y0 - y2, y1 - y0
        area = dx2 * -dy1 + dy2 * dx1
        if area == 0:
            continue
        facing = 1 if area > 0 else -1
        dx0, dx1, dx2 = dx0 * facing, dx1 * facing, dx2 * facing
        dy0, dy1, dy2 = dy0 * facing, dy1 * facing, dy2 * facing
        # Twice the areas that a centre spans with each side, less one where a centre on the side
        # belongs to the other triangle: all are at least 0 where the triangle covers the centre.
        x = left * _STEPS + _HALF
        y = top * _STEPS + _HALF
        less0, less1, less2 = _other_side(dx0, dy0), _other_side(dx1, dy1), _other_side(dx2, dy2)
        row0 = dx0 * (y - y1) - dy0 * (x - x1) - less0
        row1 = dx1 * (y - y2) - dy1 * (x - x2) - less1
        row2 = dx2 * (y - y0) - dy2 * (x - x0) - less2
        scale = 1.0 / (area * facing)
        z0, z1, z2 = depth[v0] * scale, depth[v1] * scale, depth[v2] * scale
        # Of a triangle of a few steps' area one less is a large part: without it the teeth, whose
        # triangles are that small, were seen through cheeks.
        z_less = less0 * z0 + less1 * z1 + less2 * z2
        for r in range(top, bottom + 1):
            side0, side1, side2 = row0, row1, row2
            for c in range(left, right + 1):
                if (side0 | side1 | side2) >= 0:
                    z = np.float32(side0 * z0 + side1 * z1 + side2 * z2 + z_less)
                    if z < nearest[r, c] and -1 <= z <= 1:
                        nearest[r, c] = z
                        shown[r, c] = t
                side0 -= dy0 * _STEPS
                side1 -= dy1 * _STEPS
                side2 -= dy2 * _STEPS
            row0 += dx0 * _STEPS
            row1 += dx1 * _STEPS
            row2 += dx2 * _STEPS


@kernel
@no_type_check
def resolve(clip, triangles, nearest, shown, first, last, triangle, barycentric, depth):
    """Rows first..last-1 of one image: the nearest of the buffers, and where in it the ray hits.

    Args:
        clip: (vertices, 4) of one image, in clip space.
        triangles: (triangles, 3) rows of the vertices.
        nearest: (threads, height, width) of `cover`.
        shown: (threads, height, width) of `cover`.
        first: the first row to do.
        last: the row after the last one to do.
        triangle: (height, width), filled: -1 where there is none.
        barycentric: (height, width, 3), filled.
        depth: (height, width), filled: z/w, 1 where there is nothing.
    """
    height, width = triangle.shape
    pixel_height, pixel_width = 1.0 / height, 1.0 / width
    for r in range(first, last):
        y = (2 * r + 1) * pixel_height - 1.0
        for c in range(width):
            t = shown[0, r, c]
            z = nearest[0, r, c]
            for part in range(1, len(shown)):
                # Later buffers hold later triangles: at equal depth the earlier one stays.
                if nearest[part, r, c] < z:
                    z = nearest[part, r, c]
                    t = shown[part, r, c]
            triangle[r, c] = t
            if t < 0:
                barycentric[r, c, 0] = 0
                barycentric[r, c, 1] = 0
                barycentric[r, c, 2] = 0
                depth[r, c] = 1
                continue
            x = (2 * c + 1) * pixel_width - 1.0
            v0, v1, v2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            b0, b1, b2, total = _ray_areas(clip, v0, v1, v2, x, y)
            if abs(total) < 1e-300:
                # Covered on the grid, but seen edge-on in truth.
                b0 = b1 = b2 = 1.0 / 3.0
            else:
                scale = 1.0 / total
                b0, b1, b2 = b0 * scale, b1 * scale, b2 * scale
                if min(b0, min(b1, b2)) < 0:
                    # Rounded corners let a centre lie up to 1/256 px outside.
                    b0, b1, b2 = (
                        min(max(b0, 0.0), 1.0),
                        min(max(b1, 0.0), 1.0),
                        min(max(b2, 0.0), 1.0),
                    )
                    scale = 1.0 / (b0 + b1 + b2)
                    b0, b1, b2 = b0 * scale, b1 * scale, b2 * scale
            barycentric[r, c, 0] = b0
            barycentric[r, c, 1] = b1
            barycentric[r, c, 2] = b2
            z = b0 * clip[v0, 2] + b1 * clip[v1, 2] + b2 * clip[v2, 2]
            w = b0 * clip[v0, 3] + b1 * clip[v1, 3] + b2 * clip[v2, 3]
            depth[r, c] = min(max(z / w, -1.0), 1.0)


@kernel
@no_type_check
def resolve_backward(clip, triangles, triangle, grad_barycentric, first, last, grad_clip):
    """Add the gradient with respect to clip of rows first..last-1 of one image to `grad_clip`.

    Barycentric k is a_k / (a_0 + a_1 + a_2) with a_k the area of `_ray_areas`.

    Args:
        clip: (vertices, 4) of one image, in clip space.
        triangles: (triangles, 3) rows of the vertices.
        triangle: what `resolve` filled.
        grad_barycentric: (height, width, 3) of the energy.
        first: the first row to do.
        last: the row after the last one to do.
        grad_clip: (vertices, 4), of this thread alone.
    """
    height, width = triangle.shape
    for r in range(first, last):
        y = (2 * r + 1) / height - 1.0
        for c in range(width):
            t = triangle[r, c]
            if t < 0:
                continue
            g0 = np.float64(grad_barycentric[r, c, 0])
            g1 = np.float64(grad_barycentric[r, c, 1])
            g2 = np.float64(grad_barycentric[r, c, 2])
            x = (2 * c + 1) / width - 1.0
            v0, v1, v2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            x0, y0 = clip[v0, 0] - x * clip[v0, 3], clip[v0, 1] - y * clip[v0, 3]
            x1, y1 = clip[v1, 0] - x * clip[v1, 3], clip[v1, 1] - y * clip[v1, 3]
            x2, y2 = clip[v2, 0] - x * clip[v2, 3], clip[v2, 1] - y * clip[v2, 3]
            a0, a1, a2 = x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1
            total = a0 + a1 + a2
            if abs(total) < 1e-300:
                continue
            scale = 1.0 / total
            mean = (g0 * a0 + g1 * a1 + g2 * a2) * scale
            g0, g1, g2 = (g0 - mean) * scale, (g1 - mean) * scale, (g2 - mean) * scale
            _scatter(grad_clip, v0, x, y, g2 * y1 - g1 * y2, g1 * x2 - g2 * x1)
            _scatter(grad_clip, v1, x, y, g0 * y2 - g2 * y0, g2 * x0 - g0 * x2)
            _scatter(grad_clip, v2, x, y, g1 * y0 - g0 * y1, g0 * x1 - g1 * x0)


@inlined
@no_type_check
def _other_side(dx, dy):
    """0 where a centre exactly on a side belongs to the triangle, 1 where to its neighbour."""
    return 0 if (dy < 0 or (dy == 0 and dx > 0)) else 1


@inlined
@no_type_check
def _ray_areas(clip, v0, v1, v2, x, y):
    """Areas of the corners about the pixel's ray (see `reference.barycentrics`), and their sum."""
    x0, y0 = clip[v0, 0] - x * clip[v0, 3], clip[v0, 1] - y * clip[v0, 3]
    x1, y1 = clip[v1, 0] - x * clip[v1, 3], clip[v1, 1] - y * clip[v1, 3]
    x2, y2 = clip[v2, 0] - x * clip[v2, 3], clip[v2, 1] - y * clip[v2, 3]
    a0, a1, a2 = x1 * y2 - y1 * x2, x2 * y0 - y2 * x0, x0 * y1 - y0 * x1
    return a0, a1, a2, a0 + a1 + a2


@inlined
@no_type_check
def _scatter(grad_clip, v, x, y, gx, gy):
    """Gradient by (X - x W, Y - y W) of a corner to gradient by X, Y, W."""
    grad_clip[v, 0] += gx
    grad_clip[v, 1] += gy
    grad_clip[v, 3] -= x * gx + y * gy
