"""Training pictures as tensors, and changes of them that leave every label exact."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera
from fit3dmm.regress.network import AT_ONCE
from fit3dmm.regress.outputs import BLOCKS
from fit3dmm.regress.targets import CropPose, crop_pose
from fit3dmm.synthetic.fast.example import Example


@dataclass(frozen=True)
class Batch(TensorRecord):
    """Crops with their labels."""

    image_srgb: Float[Tensor, "batch 3 size size"]
    """0..1."""
    points_px: Float[Tensor, "batch points 2"]
    cover: Int[Tensor, "batch cells cells"]
    rotation: Float[Tensor, "batch 3 3"]
    translation_mm: Float[Tensor, "batch 3"]
    focal_px: Float[Tensor, "batch"]
    principal_point_px: Float[Tensor, "batch 2"]
    coefficients: dict[str, Float[Tensor, "batch _"]]
    is_of_model: Bool[Tensor, "batch"]
    irradiance_sh: Float[Tensor, "batch 9 3"]
    tone: Float[Tensor, "batch"]

    @property
    def size_px(self) -> int:
        """Side of the crops."""
        return self.image_srgb.shape[-1]

    @property
    def pose(self) -> CropPose:
        """What the network is asked of the pose."""
        camera = Camera(self.focal_px, self.principal_point_px, self.size_px, self.size_px)
        return crop_pose(self.rotation, self.translation_mm, camera)


def parts_of(batch: Batch, at_once: int = AT_ONCE) -> Iterator[Batch]:
    """A batch a few pictures at a time."""
    for first in range(0, len(batch.image_srgb), at_once):
        rows = slice(first, first + at_once)
        yield batch.map(lambda values, rows=rows: values[rows])


def batch_of(examples: Sequence[Example]) -> Batch:
    """Stack examples."""

    def stacked(name: str) -> Tensor:
        return torch.from_numpy(np.stack([np.asarray(getattr(e, name)) for e in examples]))

    return Batch(
        image_srgb=stacked("image_srgb").permute(0, 3, 1, 2).float() / 255,
        points_px=stacked("points_px"),
        cover=stacked("cover").long(),
        rotation=stacked("rotation"),
        translation_mm=stacked("translation_mm"),
        focal_px=stacked("focal_px").float(),
        principal_point_px=stacked("principal_point_px"),
        coefficients={name: stacked(name) for name in BLOCKS},
        is_of_model=stacked("is_of_model"),
        irradiance_sh=stacked("irradiance_sh"),
        tone=stacked("tone").float(),
    )


@dataclass(frozen=True)
class Changes:
    """How far augmentation goes."""

    turn_deg: float = 20.0
    zoom: float = 0.12
    """Largest natural logarithm of the factor."""
    shift: float = 0.06
    """In crops' sides."""
    exposure: float = 0.12
    """Sigma of the natural logarithm of a factor on the picture's values."""
    tint: float = 0.06


@dataclass(frozen=True)
class Drawn(TensorRecord):
    """How each picture of some is changed. A picture's row is its own: some rows change some
    pictures as all rows change all."""

    angle_rad: Float[Tensor, "batch"]
    zoom: Float[Tensor, "batch"]
    shift: Float[Tensor, "batch 2"]
    log_gain: Float[Tensor, "batch 3 1 1"]


def draw_changes(n: int, changes: Changes, generator: torch.Generator) -> Drawn:
    """Draw how `n` pictures differ from what was rendered or photographed."""

    def uniform(most: float, *shape: int) -> Tensor:
        return (2 * torch.rand(n, *shape, generator=generator) - 1) * most

    angle = uniform(math.radians(changes.turn_deg))
    zoom, shift = uniform(changes.zoom).exp(), uniform(changes.shift, 2)
    gain = torch.randn(n, 1, 1, 1, generator=generator) * changes.exposure
    tint = torch.randn(n, 3, 1, 1, generator=generator) * changes.tint
    return Drawn(angle, zoom, shift, gain + tint)


def changed(batch: Batch, drawn: Drawn) -> Batch:
    """Turn, zoom and shift crops, and change their colours a little.

    Turning the picture about its middle is rolling the camera about its axis, if the principal
    point is turned along; so pose and light follow exactly.
    """
    moved = rolled(batch, drawn.angle_rad, drawn.zoom, drawn.shift)
    return moved.replace(image_srgb=recoloured(moved.image_srgb, drawn))


def recoloured(
    image_srgb: Float[Tensor, "batch 3 size size"], drawn: Drawn
) -> Float[Tensor, "batch 3 size size"]:
    """Brighter or darker, and tinted."""
    return (image_srgb * drawn.log_gain.exp()).clamp(0, 1)


@dataclass(frozen=True)
class Movement(TensorRecord):
    """Crops turned counter-clockwise in the picture, enlarged about the middle, then shifted."""

    forward: Float[Tensor, "batch 2 2"]
    shift: Float[Tensor, "batch 2"]
    """In crops' sides."""
    side_px: int

    @classmethod
    def of(
        cls,
        side_px: int,
        angle_rad: Float[Tensor, "batch"],
        zoom: Float[Tensor, "batch"],
        shift: Float[Tensor, "batch 2"],
    ) -> "Movement":
        """
        Args:
            side_px: of the crops.
            angle_rad: of each.
            zoom: of each, 1 leaves it as it is.
            shift: in crops' sides; x right, y down.
        """
        cosine, sine = angle_rad.cos(), angle_rad.sin()
        # Counter-clockwise for a viewer, where y is down.
        turn = torch.stack([cosine, sine, -sine, cosine], -1).unflatten(-1, (2, 2))
        return cls(zoom[:, None, None] * turn, shift, side_px)

    def place(self, px: Float[Tensor, "batch points 2"]) -> Float[Tensor, "batch points 2"]:
        """Where points of the crops go."""
        middle = self.side_px / 2
        return (px - middle) @ self.forward.mT + middle + self.side_px * self.shift[:, None]

    def image(
        self, image: Float[Tensor, "batch c height width"], mode: str = "bilinear"
    ) -> Float[Tensor, "batch c height width"]:
        """Pictures of the crops' field of view, of any resolution; beyond the border they repeat
        it."""
        back = torch.linalg.inv(self.forward)
        # `affine_grid` asks for input places of output places, in units of half a side.
        offset = -(back @ (2 * self.shift)[..., None])
        theta = torch.cat([back, offset], -1)
        grid = F.affine_grid(theta, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, mode=mode, padding_mode="border", align_corners=False)


def rolled(
    batch: Batch,
    angle_rad: Float[Tensor, "batch"],
    zoom: Float[Tensor, "batch"],
    shift: Float[Tensor, "batch 2"],
) -> Batch:
    """Crops with their targets after a movement; see `Movement.of`."""
    move = Movement.of(batch.size_px, angle_rad, zoom, shift)
    cosine, sine = angle_rad.cos(), angle_rad.sin()
    roll = torch.zeros_like(batch.rotation)
    roll[:, 0, 0], roll[:, 0, 1], roll[:, 1, 0], roll[:, 1, 1] = cosine, -sine, sine, cosine
    roll[:, 2, 2] = 1
    cover = move.image(batch.cover[:, None].to(batch.image_srgb), "nearest")[:, 0].long()
    return batch.replace(
        image_srgb=move.image(batch.image_srgb),
        points_px=move.place(batch.points_px),
        cover=cover,
        rotation=roll @ batch.rotation,
        translation_mm=(roll @ batch.translation_mm[..., None])[..., 0],
        focal_px=batch.focal_px * zoom,
        principal_point_px=move.place(batch.principal_point_px[:, None])[:, 0],
        irradiance_sh=light_rolled(batch.irradiance_sh, angle_rad),
    )


def light_rolled(
    sh: Float[Tensor, "batch 9 3"], angle_rad: Float[Tensor, "batch"]
) -> Float[Tensor, "batch 9 3"]:
    """Harmonics of light that is turned about z, as `geometry.harmonics` orders them."""
    out = sh.clone()
    for multiple, cosine_row, sine_row in ((1, 3, 1), (1, 7, 5), (2, 8, 4)):
        c, s = (multiple * angle_rad).cos()[:, None], (multiple * angle_rad).sin()[:, None]
        out[:, cosine_row] = c * sh[:, cosine_row] - s * sh[:, sine_row]
        out[:, sine_row] = s * sh[:, cosine_row] + c * sh[:, sine_row]
    return out


def resized(batch: Batch, size_px: int) -> Batch:
    """The same crops at another resolution."""
    if size_px == batch.size_px:
        return batch
    scale = size_px / batch.size_px
    return batch.replace(
        image_srgb=image_resized(batch.image_srgb, size_px),
        points_px=batch.points_px * scale,
        focal_px=batch.focal_px * scale,
        principal_point_px=batch.principal_point_px * scale,
    )


def image_resized(
    image: Float[Tensor, "batch c height width"], size_px: int
) -> Float[Tensor, "batch c size size"]:
    """Pictures at another resolution, without aliasing."""
    size = (size_px, size_px)
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)
