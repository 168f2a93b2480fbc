"""Photos without labels as tensors: crops, and what a detector saw in them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.regress.batch import Drawn, Movement, image_resized, recoloured


@dataclass(frozen=True)
class PhotoCrop:
    """One face of one photo, cropped as a network looks at it. Pixels are of the crop."""

    image_srgb: UInt8[np.ndarray, "size size 3"]
    inside: Bool[np.ndarray, "size size"]
    """Pixels that the photo covers; elsewhere its border is repeated."""
    points_px: Float[np.ndarray, "points 2"]
    """Where MediaPipe sees its points."""
    principal_point_px: Float[np.ndarray, "2"]
    """The photo's middle."""
    focal_px: float
    """By EXIF; not a number where it is not told."""
    longer_side_px: float
    """Of the photo."""


@dataclass(frozen=True)
class PhotoBatch(TensorRecord):
    """Some crops; see `PhotoCrop`."""

    image_srgb: Float[Tensor, "batch 3 size size"]
    """0..1."""
    inside: Float[Tensor, "batch 1 size size"]
    """1 where the photo covers the crop."""
    points_px: Float[Tensor, "batch points 2"]
    principal_point_px: Float[Tensor, "batch 2"]
    focal_px: Float[Tensor, "batch"]
    longer_side_px: Float[Tensor, "batch"]

    def __len__(self) -> int:
        return len(self.image_srgb)

    @property
    def size_px(self) -> int:
        """Side of the crops."""
        return self.image_srgb.shape[-1]


def photo_batch_of(crops: Sequence[PhotoCrop]) -> PhotoBatch:
    """Stack crops."""
    arrays = {
        one.name: torch.from_numpy(np.stack([np.asarray(getattr(c, one.name)) for c in crops]))
        for one in fields(PhotoCrop)
    }
    return PhotoBatch(
        image_srgb=arrays["image_srgb"].permute(0, 3, 1, 2).float() / 255,
        inside=arrays["inside"][:, None].float(),
        points_px=arrays["points_px"].float(),
        principal_point_px=arrays["principal_point_px"].float(),
        focal_px=arrays["focal_px"].float(),
        longer_side_px=arrays["longer_side_px"].float(),
    )


def changed_photos(batch: PhotoBatch, drawn: Drawn) -> PhotoBatch:
    """Turn, zoom and shift crops and recolour them; points and camera follow exactly."""
    move = Movement.of(batch.size_px, drawn.angle_rad, drawn.zoom, drawn.shift)
    # A shift shows what lay beyond the crop: its border is repeated there, and is no photo.
    rim = torch.ones_like(batch.inside)
    rim[..., [0, -1], :] = 0
    rim[..., [0, -1]] = 0
    return batch.replace(
        image_srgb=recoloured(move.image(batch.image_srgb), drawn),
        inside=move.image(batch.inside * rim, "nearest"),
        points_px=move.place(batch.points_px),
        principal_point_px=move.place(batch.principal_point_px[:, None])[:, 0],
        focal_px=batch.focal_px * drawn.zoom,
        longer_side_px=batch.longer_side_px * drawn.zoom,
    )


def photos_resized(batch: PhotoBatch, size_px: int) -> PhotoBatch:
    """The same crops at another resolution."""
    if size_px == batch.size_px:
        return batch
    scale = size_px / batch.size_px
    return batch.replace(
        image_srgb=image_resized(batch.image_srgb, size_px),
        inside=image_resized(batch.inside, size_px),
        points_px=batch.points_px * scale,
        principal_point_px=batch.principal_point_px * scale,
        focal_px=batch.focal_px * scale,
        longer_side_px=batch.longer_side_px * scale,
    )
