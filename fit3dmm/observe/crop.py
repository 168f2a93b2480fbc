"""The square of a photo that is fitted: resampled without aliasing, in linear light."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.colour import srgb_to_linear
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.blur import blurred
from fit3dmm.observe.photo import Photo

MIN_SIZE_PX, MAX_SIZE_PX = 64, 1024
_BAND_PIXELS = 1 << 21


@dataclass(frozen=True)
class Crop(TensorRecord):
    """A square piece of a photo at working size."""

    image_linear: Float[Tensor, "size size 3"]
    inside: Bool[Tensor, "size size"]
    """Pixels that the photo covers; elsewhere the image repeats the photo's border."""
    T_crop_photo: Similarity
    """Scale and shift from `photo` to `crop` pixels."""


def crop_around(points_px: Float[Tensor, "points 2"], size_px: int, margin: float) -> Similarity:
    """`T_crop_photo` of the upright square around some points.

    Args:
        size_px: side of the crop.
        margin: side of the square in units of the longer side of the points' box.

    Raises:
        InputError: the size is out of range.
    """
    if not MIN_SIZE_PX <= size_px <= MAX_SIZE_PX:
        raise InputError(
            f"The working size must be {MIN_SIZE_PX}..{MAX_SIZE_PX} px, got {size_px}."
        )
    low, high = points_px.amin(dim=0), points_px.amax(dim=0)
    side_px = (high - low).max().clamp(min=1.0) * margin
    scale = size_px / side_px
    shift_px = size_px / 2 - scale * (low + high) / 2
    upright = torch.eye(2, dtype=points_px.dtype, device=points_px.device)
    return Similarity(upright, shift_px, scale)


def extract_crop(photo: Photo, T_crop_photo: Similarity, size_px: int) -> Crop:
    """Resample the photo into the square.

    Light is averaged as light: bytes become linear RGB before they are mixed. A crop that is
    smaller than its piece of the photo is first averaged over whole blocks of pixels and then
    smoothed for what remains of the reduction (a factor of two to four).
    """
    scale = float(T_crop_photo.scale)
    left, top, piece = _covered_piece(photo, T_crop_photo, size_px)
    block = max(1, int(0.5 / scale))
    # With the channels side by side, what follows takes a third of the time.
    image = _light_of_blocks(piece, block)[0].permute(1, 2, 0).contiguous()
    reduction = 1 / (scale * block)
    if reduction > 1:
        image = blurred(image, 0.5 * (reduction**2 - 1) ** 0.5)

    corner = torch.tensor([left, top], dtype=torch.float64)
    shift_px = T_crop_photo.translation.double() + scale * corner
    centres = torch.arange(size_px, dtype=torch.float64) + 0.5
    # Where the centres of the crop's pixels lie, in blocks from the centre of the first.
    x, y = ((centres - shift) / (scale * block) - 0.5 for shift in shift_px)
    linear = _between(_between(image, y, dim=0), x, dim=1).clamp(0.0, 1.0)
    return Crop(linear.contiguous(), _inside(photo, T_crop_photo, size_px), T_crop_photo)


def _between(image: Tensor, at: Float[Tensor, "n"], dim: int) -> Tensor:
    """The image at places between its rows or columns, beyond the first and last the same."""
    last = image.shape[dim] - 1
    at = at.clamp(0, last)
    low = at.long()
    weight = (at - low).to(image)[(..., *[None] * (image.ndim - 1 - dim))]
    high = (low + 1).clamp(max=last)
    return torch.lerp(image.index_select(dim, low), image.index_select(dim, high), weight)


def _covered_piece(photo: Photo, T_crop_photo: Similarity, size_px: int) -> tuple[int, int, Tensor]:
    """Left, top and pixels of the part of the photo that the crop can see (never empty)."""
    scale = float(T_crop_photo.scale)
    low = -T_crop_photo.translation.double() / scale
    high = low + size_px / scale
    border = 2 + 2 / scale
    left, top = (max(0, int(v - border)) for v in low.tolist())
    right, bottom = (int(v + border) + 1 for v in high.tolist())
    left, top = min(left, photo.width_px - 1), min(top, photo.height_px - 1)
    piece = photo.pixels_srgb[top : max(bottom, top + 1), left : max(right, left + 1)]
    return left, top, piece


def _light_of_blocks(piece: Tensor, block: int) -> Tensor:
    """(1, 3, height, width) means of linear light over square blocks of bytes.

    Bands of rows are done one after another: as floats, a whole photo would fill the memory.
    """
    light_of_byte = srgb_to_linear(torch.arange(256) / 255)
    rows = max(1, _BAND_PIXELS // (piece.shape[1] * block)) * block
    bands = (light_of_byte[band.permute(2, 0, 1)[None].int()] for band in piece.split(rows))
    return torch.cat([_block_means(band, block) for band in bands], dim=2)


def _block_means(image: Tensor, block: int) -> Tensor:
    if block == 1:
        return image
    height, width = image.shape[-2:]
    # The last block is completed with the border, so that no pixel is lost.
    padding = (0, -width % block, 0, -height % block)
    return F.avg_pool2d(F.pad(image, padding, mode="replicate"), block)


def _inside(photo: Photo, T_crop_photo: Similarity, size_px: int) -> Tensor:
    centres = torch.arange(size_px) + 0.5
    x_px, y_px = ((centres - shift) / T_crop_photo.scale for shift in T_crop_photo.translation)
    columns = (x_px > 0) & (x_px < photo.width_px)
    rows = (y_px > 0) & (y_px < photo.height_px)
    return rows[:, None] & columns[None, :]
