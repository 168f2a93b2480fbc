"""Pictures as smooth functions of position: value and derivative anywhere."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class SmoothImage(TensorRecord):
    """A picture interpolated by cubic convolution: continuous with a continuous derivative.

    R. Keys, "Cubic convolution interpolation for digital image processing", IEEE Trans. ASSP 29(6),
    1981 (a = -1/2). Beyond its border the picture repeats the last pixel.
    """

    pixels: Float[Tensor, "height width c"]

    def sample(
        self, px: Float[Tensor, "*batch points 2"]
    ) -> tuple[Float[Tensor, "*batch points c"], Float[Tensor, "*batch points c 2"]]:
        """Values and their derivatives with respect to x and y; pixel centres lie at +0.5.

        The values are differentiable with respect to `px` too, so that one can be checked against
        the other.
        """
        height, width, channels = self.pixels.shape
        base = (px.detach() - 0.5).floor()
        x_weight, x_slope = _cubic((px - 0.5 - base)[..., 0])
        y_weight, y_slope = _cubic((px - 0.5 - base)[..., 1])
        offset = torch.arange(-1, 3, device=px.device)
        # A point that flew off (a bad step) must not overflow the integers.
        base = torch.nan_to_num(base, nan=0.0).clamp(-1e6, 1e6).long()
        column = (base[..., :1] + offset).clamp(0, width - 1)
        row = (base[..., 1:] + offset).clamp(0, height - 1)
        index = row[..., :, None] * width + column[..., None, :]
        near = self.pixels.reshape(-1, channels)[index]
        along_x = torch.einsum("...rkc,...k->...rc", near, x_weight)
        slope_x = torch.einsum("...rkc,...k->...rc", near, x_slope.detach())
        value = torch.einsum("...rc,...r->...c", along_x, y_weight)
        wrt_x = torch.einsum("...rc,...r->...c", slope_x, y_weight.detach())
        wrt_y = torch.einsum("...rc,...r->...c", along_x.detach(), y_slope.detach())
        return value, torch.stack([wrt_x, wrt_y], -1)


def _cubic(t: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the four neighbours at t in 0..1 past the second, and their derivatives."""
    t2, t3 = t * t, t * t * t
    weight = torch.stack(
        [-t + 2 * t2 - t3, 2 - 5 * t2 + 3 * t3, t + 4 * t2 - 3 * t3, -t2 + t3], dim=-1
    )
    slope = torch.stack(
        [-1 + 4 * t - 3 * t2, -10 * t + 9 * t2, 1 + 8 * t - 9 * t2, -2 * t + 3 * t2], dim=-1
    )
    return weight / 2, slope / 2
