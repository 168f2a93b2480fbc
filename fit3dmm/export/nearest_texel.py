"""For each texel off the islands of a texture, the nearest one on them.

The algorithm is that of C. R. Maurer, R. Qi, V. Raghavan, "A linear time algorithm for computing
exact Euclidean distance transforms of binary images in arbitrary dimensions", 2003, as SciPy's
`distance_transform_edt` has it, which finds the nearest of all texels with their distances and
takes several times as long: here only rows that have texels off the islands are gone through, and
distances stay whole numbers. Of several that are equally near it is the same one.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Int
from scipy.ndimage import distance_transform_edt

from fit3dmm._kernels import kernel, run_rows


def nearest_texels(covered: Bool[np.ndarray, "rows columns"]) -> Int[np.ndarray, "2 off"]:
    """Of each texel that is not covered, row by row, its place and that of the covered one nearest
    to it, in the flattened texture.

    Args:
        covered: at least one is.
    """
    off = np.flatnonzero(~covered)
    found = np.empty((2, len(off)), np.int32)
    found[0] = off
    in_column = np.empty(covered.shape, np.int16)
    run_rows(_in_columns, covered.shape[1], covered, in_column)
    first = np.searchsorted(off, np.arange(len(covered) + 1) * covered.shape[1])
    run_rows(_in_rows, len(covered), in_column, found[0], first, found[1])
    return found


def plain_nearest_texels(covered: Bool[np.ndarray, "rows columns"]) -> Int[np.ndarray, "2 off"]:
    """The same by SciPy: what the kernels are tested against."""
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    rows, columns = np.asarray(nearest)[:, ~covered]
    return np.stack([np.flatnonzero(~covered), rows * covered.shape[1] + columns]).astype(np.int32)


@kernel
@no_type_check
def _in_columns(first, end, covered, found):
    """The row of the nearest covered texel of the same column, for columns first..end-1.

    Args:
        first: the first column to do.
        end: the column after the last one to do.
        covered: (rows, columns).
        found: (rows, columns), filled; -1 where nothing of the column is covered.
    """
    rows = covered.shape[0]
    for row in range(rows):
        for column in range(first, end):
            if covered[row, column]:
                found[row, column] = row
            else:
                found[row, column] = found[row - 1, column] if row > 0 else -1
    below = np.full(end - first, -1, np.int64)
    for row in range(rows - 1, -1, -1):
        for column in range(first, end):
            if covered[row, column]:
                below[column - first] = row
            elif below[column - first] >= 0:
                above = found[row, column]
                if above < 0 or below[column - first] - row < row - above:
                    found[row, column] = below[column - first]


@kernel
@no_type_check
def _in_rows(first, end, in_column, off, starts, found):
    """The nearest covered texel of each that is not, for rows first..end-1.

    Args:
        first: the first row to do.
        end: the row after the last one to do.
        in_column: what `_in_columns` filled.
        off: flat places of the texels that are not covered.
        starts: (rows + 1) where in `off` those of each row begin.
        found: flat places, filled.
    """
    columns = in_column.shape[1]
    # Columns whose nearest texel is the nearest for some part of the row, and how far from the row
    # it is, squared.
    site, height = np.empty(columns, np.int64), np.empty(columns, np.int64)
    for row in range(first, end):
        if starts[row] == starts[row + 1]:
            continue
        last = -1
        for column in range(columns):
            if in_column[row, column] < 0:
                continue
            away = np.int64(in_column[row, column]) - row
            away *= away
            while last >= 1:
                a, b = site[last] - site[last - 1], column - site[last]
                c = a + b
                if c * height[last] - b * height[last - 1] - a * away - a * b * c <= 0:
                    break
                last -= 1
            last += 1
            site[last], height[last] = column, away
        k = 0
        for at in range(starts[row], starts[row + 1]):
            column = np.int64(off[at]) - row * columns
            best = (site[k] - column) ** 2 + height[k]
            while k < last:
                after = (site[k + 1] - column) ** 2 + height[k + 1]
                if best <= after:
                    break
                best = after
                k += 1
            found[at] = np.int64(in_column[row, site[k]]) * columns + site[k]
