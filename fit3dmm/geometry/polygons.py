"""Polygons and triangle strips of mesh files, cut into triangles in the file's order."""

import numpy as np
from jaxtyping import Int


def fan_triangles(
    corners: Int[np.ndarray, "corners"], sizes: Int[np.ndarray, "polygons"]
) -> Int[np.ndarray, "triangles 3"]:
    """Fans about the first corner of each polygon; those of one or two corners have no surface.

    Args:
        corners: vertices of all polygons, one polygon after another.
        sizes: numbers of corners.
    """
    pieces = np.maximum(sizes - 2, 0)
    first = np.repeat(np.cumsum(sizes) - sizes, pieces)
    step = np.arange(len(first)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    return np.stack(
        [corners[first], corners[first + step + 1], corners[first + step + 2]], axis=-1
    ).reshape(-1, 3)


def strip_triangles(
    corners: Int[np.ndarray, "corners"], sizes: Int[np.ndarray, "strips"]
) -> Int[np.ndarray, "triangles 3"]:
    """Triangles of strips, all turned as the first of their strip.

    A negative corner ends a strip and begins another. Triangles that use a vertex twice only join
    strips and are left out.

    Args:
        corners: vertices of all strips, one strip after another.
        sizes: numbers of corners.
    """
    strip = np.repeat(np.arange(len(sizes)), sizes)
    # A mark that ends a strip counts as the last corner of the strip before it.
    strip = strip + np.cumsum(corners < 0) - (corners < 0)
    same = (strip[2:] == strip[:-2]) & (corners[2:] >= 0)
    start = np.flatnonzero(same)
    begins = np.concatenate([[True], (strip[1:] != strip[:-1])]) if len(strip) else strip > 0
    first = np.flatnonzero(begins)
    place = start - first[np.searchsorted(first, start, side="right") - 1]
    found = corners[start[:, None] + np.array([0, 1, 2])].reshape(-1, 3)
    odd = place % 2 == 1
    found[odd] = found[odd][:, [1, 0, 2]]
    a, b, c = found.T
    return found[(a != b) & (b != c) & (c != a)]
