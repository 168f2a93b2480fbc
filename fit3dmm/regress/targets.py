"""What the network is asked: how the head lies in the crop, in numbers that a crop can show.

A crop does not show where in the photo it was, so a rotation is told relative to the ray through
the head's origin, and a translation as that ray, a size in the picture and a distance. Together
with the crop's camera they are the pose again.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera

_TYPICAL_DISTANCE_MM = 900.0
_TYPICAL_HEAD_MM = 200.0


@dataclass(frozen=True)
class CropPose(TensorRecord):
    """A head's pose as a crop shows it."""

    turned: Float[Tensor, "*batch 3 3"]
    """From `model` to the frame whose z axis points from the head's origin to the camera and whose
    y axis is up in the picture."""
    centre: Float[Tensor, "*batch 2"]
    """Where the head's origin appears, in crops' sides from the crop's middle."""
    log_size: Float[Tensor, "*batch"]
    """Natural logarithm of the side that 200 mm take at the head's origin, in crops' sides."""
    log_distance: Float[Tensor, "*batch"]
    """Natural logarithm of the distance of the head's origin, in units of 900 mm."""


def crop_pose(
    rotation: Float[Tensor, "*batch 3 3"],
    translation_mm: Float[Tensor, "*batch 3"],
    camera: Camera,
) -> CropPose:
    """As a crop shows it; `camera` is the crop's."""
    side = float(camera.width_px)
    centre_px = camera.project(translation_mm[..., None, :])[..., 0, :]
    depth = -translation_mm[..., 2]
    return CropPose(
        turned=_ray_frame(translation_mm).mT @ rotation,
        centre=centre_px / side - 0.5,
        log_size=(camera.focal_px * _TYPICAL_HEAD_MM / depth / side).log(),
        log_distance=(depth / _TYPICAL_DISTANCE_MM).log(),
    )


def pose_in_camera(
    pose: CropPose, camera: Camera
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    """Rotation and translation (mm) before a crop's camera of known focal length.

    The size in the picture then says the distance, and `log_distance` is not asked.
    """
    side = float(camera.width_px)
    depth = camera.focal_px * _TYPICAL_HEAD_MM / (pose.log_size.exp() * side)
    centre_px = (pose.centre + 0.5) * side
    translation = camera.unproject(centre_px[..., None, :], depth[..., None])[..., 0, :]
    return _ray_frame(translation) @ pose.turned, translation


def focal_px_of(pose: CropPose, side_px: int) -> Float[Tensor, "*batch"]:
    """The crop's focal length that size and distance mean together."""
    return pose.log_size.exp() * side_px * distance_mm_of(pose) / _TYPICAL_HEAD_MM


def distance_mm_of(pose: CropPose) -> Float[Tensor, "*batch"]:
    """Of the head's origin, by the perspective of the face alone."""
    return pose.log_distance.exp() * _TYPICAL_DISTANCE_MM


def rotation_from_columns(columns: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation whose first two columns are nearest, by Gram and Schmidt (Y. Zhou et al., "On
    the continuity of rotation representations in neural networks", CVPR 2019, section 4)."""
    a, b = columns[..., :3], columns[..., 3:]
    x = torch.nn.functional.normalize(a, dim=-1)
    y = torch.nn.functional.normalize(b - (x * b).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)


def _ray_frame(translation_mm: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Axes in `cam` (columns) that look along the ray to the head."""
    z = torch.nn.functional.normalize(-translation_mm, dim=-1)
    up = torch.zeros_like(z)
    up[..., 1] = 1
    x = torch.nn.functional.normalize(torch.linalg.cross(up, z), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], -1)
