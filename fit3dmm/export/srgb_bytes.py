"""Light to sRGB bytes, by comparing with the light at which the next byte begins.

The transfer function takes a power of each value; finding the byte in a table takes a tenth of the
time and gives the same, as the table is made with that function.
"""

import functools
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fit3dmm._kernels import kernel, run_rows
from fit3dmm.colour import linear_to_srgb

_STEPS = 4096
"""Of the table that says near which byte to begin."""


def nearest_bytes(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """The byte of each value; what is below black (or no number) is 0, above white 255."""
    begins, near = _table()
    values = np.ascontiguousarray(linear, np.float32).reshape(len(linear), -1)
    found = np.empty(values.shape, np.uint8)
    run_rows(_find, len(values), values, begins, near, found)
    return found.reshape(linear.shape)


def plain_bytes(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """The same by the transfer function: what the table is made with and tested against."""
    srgb = linear_to_srgb(torch.from_numpy(np.asarray(linear, np.float32)).clamp(0, 1))
    return (255 * srgb).round().byte().numpy()


@functools.cache
def _table() -> tuple[Float[np.ndarray, "bytes"], UInt8[np.ndarray, "steps"]]:
    """The least light of each byte, and the byte at each of `_STEPS` lights from 0 on."""
    # Floats of one sign are in the order of their bits: bisection ends at the very number.
    low, high = np.zeros(256, np.int32), np.full(256, np.float32(1).view(np.int32))
    wanted = np.arange(256)
    while (low < high).any():
        middle = (low + high) // 2
        enough = plain_bytes(middle.view(np.float32)) >= wanted
        low, high = np.where(enough, low, middle + 1), np.where(enough, middle, high)
    near = plain_bytes(np.arange(_STEPS, dtype=np.float32) / _STEPS)
    return high.astype(np.int32).view(np.float32), near


@kernel
@no_type_check
def _find(first, end, linear, begins, near, found):
    """Rows first..end-1.

    Args:
        first: the first row to do.
        end: the row after the last one to do.
        linear: (rows, values).
        begins: (256) least light of each byte.
        near: byte at each step of light.
        found: (rows, values), filled.
    """
    for row in range(first, end):
        for k in range(linear.shape[1]):
            light = linear[row, k]
            byte = 0
            if light >= 1:
                byte = 255
            elif light > 0:
                byte = int(near[int(light * len(near))])
                while byte < 255 and light >= begins[byte + 1]:
                    byte += 1
            found[row, k] = byte
