"""The sRGB transfer function (IEC 61966-2-1) and its inverse."""

import torch
from jaxtyping import Float
from torch import Tensor


def srgb_to_linear(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Light of sRGB values in 0..1."""
    curve = ((srgb.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(srgb <= 0.04045, srgb / 12.92, curve)


def linear_to_srgb(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sRGB values of light in 0..1. Not clipped."""
    # The clamp keeps gradients finite at zero, where the straight piece holds.
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, curve)
