"""Numba kernels that interpolate vertex values at pixels, and their derivative."""

from typing import no_type_check

from fit3dmm._kernels import kernel


@kernel
@no_type_check
def interpolate(values, triangles, triangle, barycentric, first, last, out):
    """Rows first..last-1 of one image.

    Args:
        values: (vertices, n).
        triangles: (triangles, 3) rows of the vertices.
        triangle: (height, width) triangle of each pixel, -1 where there is none.
        barycentric: (height, width, 3) where in it.
        first: the first row to do.
        last: the row after the last one to do.
        out: (height, width, n), filled; 0 where nothing is shown.
    """
    n = values.shape[1]
    for r in range(first, last):
        for c in range(triangle.shape[1]):
            t = triangle[r, c]
            if t < 0:
                for k in range(n):
                    out[r, c, k] = 0
                continue
            v0, v1, v2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            b0, b1, b2 = barycentric[r, c, 0], barycentric[r, c, 1], barycentric[r, c, 2]
            for k in range(n):
                out[r, c, k] = b0 * values[v0, k] + b1 * values[v1, k] + b2 * values[v2, k]


@kernel
@no_type_check
def interpolate_backward(
    values, triangles, triangle, barycentric, grad_out, first, last, grad_values, grad_barycentric
):
    """Rows first..last-1 of one image: adds to `grad_values`, writes `grad_barycentric`.

    Args:
        values: as for `interpolate`.
        triangles: as for `interpolate`.
        triangle: as for `interpolate`.
        barycentric: as for `interpolate`.
        grad_out: of the energy with respect to `interpolate`'s `out`.
        first: the first row to do.
        last: the row after the last one to do.
        grad_values: (vertices, n), of this thread alone.
        grad_barycentric: (height, width, 3).
    """
    n = values.shape[1]
    for r in range(first, last):
        for c in range(triangle.shape[1]):
            t = triangle[r, c]
            g0 = g1 = g2 = values.dtype.type(0)
            if t >= 0:
                v0, v1, v2 = triangles[t, 0], triangles[t, 1], triangles[t, 2]
                b0, b1, b2 = barycentric[r, c, 0], barycentric[r, c, 1], barycentric[r, c, 2]
                for k in range(n):
                    g = grad_out[r, c, k]
                    g0 += g * values[v0, k]
                    g1 += g * values[v1, k]
                    g2 += g * values[v2, k]
                    grad_values[v0, k] += g * b0
                    grad_values[v1, k] += g * b1
                    grad_values[v2, k] += g * b2
            grad_barycentric[r, c, 0] = g0
            grad_barycentric[r, c, 1] = g1
            grad_barycentric[r, c, 2] = g2
