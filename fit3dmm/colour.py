"""The sRGB transfer function (IEC 61966-2-1) and its inverse, and how bright a colour looks.

Everything here takes tensors and NumPy's arrays alike: it is written with what both can do.
"""

from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Shares of linear red, green and blue in the luminance Y (ITU-R BT.709-6, item 3.2)."""


def srgb_to_linear(srgb: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """Light of sRGB values in 0..1."""
    values: Any = srgb
    dark = values <= 0.04045
    return dark * (values / 12.92) + ~dark * ((values.clip(0.04045) + 0.055) / 1.055) ** 2.4


def linear_of_bytes(srgb: UInt8[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Light of sRGB bytes, looked up among the 256 that there are: powers take several times as
    long."""
    return srgb_to_linear(np.arange(256, dtype=np.float32) / 255)[srgb]


def linear_to_srgb(linear: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """sRGB values of light in 0..1. Not clipped."""
    values: Any = linear
    dark = values <= 0.0031308
    # The bound keeps gradients finite at zero, where the straight piece holds.
    return dark * (12.92 * values) + ~dark * (1.055 * values.clip(0.0031308) ** (1 / 2.4) - 0.055)


def luminance(rgb_linear: Float[Array, "*shape 3"]) -> Any:
    """Y of linear colours with sRGB primaries, shape `(*shape)`; a number of a single array."""
    red, green, blue = LUMINANCE
    return red * rgb_linear[..., 0] + green * rgb_linear[..., 1] + blue * rgb_linear[..., 2]
