"""Numba kernels for vertex normals and their derivative."""

from typing import no_type_check

import numpy as np

from fit3dmm._kernels import kernel


@kernel
@no_type_check
def add_triangle_normals(points, triangles, first, last, total):
    """Add the normals of triangles first..last-1, as long as twice their area, to their corners.

    Args:
        points: (vertices, 3).
        triangles: (triangles, 3) rows of the vertices.
        first: the first triangle to do.
        last: the triangle after the last one to do.
        total: (vertices, 3), of this thread alone.
    """
    for t in range(first, last):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax = points[j, 0] - points[i, 0]
        ay = points[j, 1] - points[i, 1]
        az = points[j, 2] - points[i, 2]
        bx = points[k, 0] - points[i, 0]
        by = points[k, 1] - points[i, 1]
        bz = points[k, 2] - points[i, 2]
        x = ay * bz - az * by
        y = az * bx - ax * bz
        z = ax * by - ay * bx
        for v in (i, j, k):
            total[v, 0] += x
            total[v, 1] += y
            total[v, 2] += z


@kernel
@no_type_check
def normalise(totals, first, last, normals, inverse_length):
    """Unit vectors along the sum of the parts, at vertices first..last-1.

    Args:
        totals: (threads, vertices, 3) sums of `add_triangle_normals`.
        first: the first vertex to do.
        last: the vertex after the last one to do.
        normals: (vertices, 3), filled.
        inverse_length: (vertices), filled: of the sums.
    """
    one = totals.dtype.type(1)
    # Far below the squared area of any real triangle in mm^4, as in geometry.mesh.
    smallest = totals.dtype.type(1e-20)
    for v in range(first, last):
        x, y, z = totals[0, v, 0], totals[0, v, 1], totals[0, v, 2]
        for part in range(1, len(totals)):
            x += totals[part, v, 0]
            y += totals[part, v, 1]
            z += totals[part, v, 2]
        scale = one / np.sqrt(max(x * x + y * y + z * z, smallest))
        inverse_length[v] = scale
        normals[v, 0] = x * scale
        normals[v, 1] = y * scale
        normals[v, 2] = z * scale


@kernel
@no_type_check
def normalise_backward(grad, normals, inverse_length, first, last, grad_total):
    """Gradient by the sums that `normalise` had before it.

    Args:
        grad: (vertices, 3) of the energy with respect to the normals.
        normals: what `normalise` filled.
        inverse_length: what `normalise` filled.
        first: the first vertex to do.
        last: the vertex after the last one to do.
        grad_total: (vertices, 3), filled.
    """
    for v in range(first, last):
        along = grad[v, 0] * normals[v, 0] + grad[v, 1] * normals[v, 1] + grad[v, 2] * normals[v, 2]
        for k in range(3):
            grad_total[v, k] = (grad[v, k] - along * normals[v, k]) * inverse_length[v]


@kernel
@no_type_check
def add_point_gradients(points, triangles, grad_total, first, last, grad_points):
    """Add (opposite side) x (gradient of the normal) to the corners of triangles first..last-1.

    Args:
        points: (vertices, 3).
        triangles: (triangles, 3) rows of the vertices.
        grad_total: what `normalise_backward` filled.
        first: the first triangle to do.
        last: the triangle after the last one to do.
        grad_points: (vertices, 3), of this thread alone.
    """
    for t in range(first, last):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        gx = grad_total[i, 0] + grad_total[j, 0] + grad_total[k, 0]
        gy = grad_total[i, 1] + grad_total[j, 1] + grad_total[k, 1]
        gz = grad_total[i, 2] + grad_total[j, 2] + grad_total[k, 2]
        for v, a, b in ((i, j, k), (j, k, i), (k, i, j)):
            ex = points[a, 0] - points[b, 0]
            ey = points[a, 1] - points[b, 1]
            ez = points[a, 2] - points[b, 2]
            grad_points[v, 0] += ey * gz - ez * gy
            grad_points[v, 1] += ez * gx - ex * gz
            grad_points[v, 2] += ex * gy - ey * gx
