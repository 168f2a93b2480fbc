"""Tables of numbers as text, all digits of a table at once.

Python's own formatting makes the same bytes in four times as long (`plain_rows`), which was a
twentieth of the time in which all files of a face are written.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Shaped

from fit3dmm._kernels import kernel

_MOST_DECIMALS = 8
"""A float32 times ten to this power is exact in a float64, so that it is rounded as printf does."""
_MOST = 2.0**53


def number_rows(
    keyword: str, rows: Shaped[np.ndarray, "n k"], gaps: str = "", decimals: int = 0
) -> bytes:
    """A line for each row: the keyword, a space and the row's numbers.

    Args:
        keyword: what each line begins with.
        rows: whole numbers, or others where there are decimals.
        gaps: what stands between the numbers of a row, a character each; spaces if left out.
        decimals: digits after the point; 0 for whole numbers.
    """
    exact = rows.dtype.kind == "i" if decimals == 0 else rows.dtype == np.float32
    size = np.abs(rows.astype(np.float64)) * 10.0**decimals
    # A comparison with what is no number is false.
    exact = exact and decimals <= _MOST_DECIMALS and bool((size < _MOST).all())
    if not exact or rows.size == 0:
        return plain_rows(keyword, rows, gaps, decimals)
    prefix = np.frombuffer(f"{keyword} ".encode("ascii"), np.uint8)
    ends = np.frombuffer(f"{gaps or ' ' * (rows.shape[1] - 1)}\n".encode("ascii"), np.uint8)
    whole = np.rint(size).astype(np.int64)
    # Sign, point and what stands behind each number; no fewer digits than there are decimals.
    width = max(len(str(int(whole.max()))), decimals + 1) + 3
    out = np.empty(len(rows) * (len(prefix) + rows.shape[1] * width), np.uint8)
    length = _write(whole, np.signbit(rows), decimals, prefix, ends, out)
    return out[:length].tobytes()


def plain_rows(
    keyword: str, rows: Shaped[np.ndarray, "n k"], gaps: str = "", decimals: int = 0
) -> bytes:
    """The same by Python's formatting, for numbers of any kind."""
    number = f"%.{decimals}f" if decimals else "%d"
    ends = f"{gaps or ' ' * (rows.shape[1] - 1)}\n"
    pattern = f"{keyword} " + "".join(number + end for end in ends)
    # One formatting operation for all rows is ten times faster than one a row.
    return ((pattern * len(rows)) % tuple(rows.ravel().tolist())).encode("ascii")


@kernel
@no_type_check
def _write(whole, negative, decimals, prefix, ends, out):
    """Write all rows, and say how many bytes that took.

    Args:
        whole: (rows, k) sizes of the numbers, times ten to the power of the decimals.
        negative: (rows, k) whether each has a minus, as a zero may.
        decimals: digits after the point.
        prefix: bytes that each row begins with.
        ends: (k) the byte behind each number.
        out: bytes, filled; long enough.
    """
    at = 0
    for row in range(whole.shape[0]):
        for byte in prefix:
            out[at] = byte
            at += 1
        for k in range(whole.shape[1]):
            if negative[row, k]:
                out[at] = 45
                at += 1
            rest, digits = np.uint64(whole[row, k]), 1
            left = rest // np.uint64(10)
            while left > 0 or digits <= decimals:
                left //= np.uint64(10)
                digits += 1
            at += digits + (decimals > 0)
            end = at
            for place in range(digits):
                if place == decimals and decimals > 0:
                    end -= 1
                    out[end] = 46
                tens = rest // np.uint64(10)
                end -= 1
                out[end] = 48 + rest - tens * np.uint64(10)
                rest = tens
            out[at] = ends[k]
            at += 1
    return at
