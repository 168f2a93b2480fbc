"""Colour spaces in which skin is told from the rest."""

from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.colour import luminance, srgb_to_linear

ColourSpace: TypeAlias = Literal["rgb", "ycbcr", "log-chromaticity"]
COLOUR_SPACES: tuple[str, ...] = get_args(ColourSpace)

# Full-range BT.601 as JPEG files have it (ITU-T T.871), of red, green and blue in 0..255.
_YCBCR = (
    (0.299, 0.587, 0.114),
    (-0.168736, -0.331264, 0.5),
    (0.5, -0.418688, -0.081312),
)
_YCBCR_ZERO = (0.0, 128.0, 128.0)
# Linear light below which a ratio of channels is noise: about the step from one byte to the next
# in the dark (1 / 255 / 12.92), ten times.
_DARK_LINEAR = 0.003


def in_space(
    image_srgb: Float[Tensor, "*batch channels"], space: ColourSpace | None
) -> Float[Tensor, "*batch channels"]:
    """Coordinates of colours.

    Args:
        image_srgb: sRGB in 0..1.
        space: `rgb`: sRGB in 0..255, as the published mixtures have it. `ycbcr`: JPEG's, in 0..255.
            `log-chromaticity`: logarithms of linear red over green, blue over green, and luminance;
            coloured light only shifts the first two, and dimmer light the third. None takes the
            numbers as they come.
    """
    if space is None:
        return image_srgb
    if space == "log-chromaticity":
        return _log_chromaticity(image_srgb)
    colours = 255 * image_srgb
    if space == "rgb":
        return colours
    return colours @ colours.new_tensor(_YCBCR).T + colours.new_tensor(_YCBCR_ZERO)


def _log_chromaticity(image_srgb: Tensor) -> Tensor:
    linear = srgb_to_linear(image_srgb.clamp(min=0)) + _DARK_LINEAR
    red, green, blue = linear.unbind(-1)
    bright = luminance(linear)
    return torch.stack([(red / green).log(), (blue / green).log(), bright.log()], dim=-1)
