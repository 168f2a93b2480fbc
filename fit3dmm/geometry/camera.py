"""The perspective camera: where a point in front of it appears in the picture.

The camera sits at the origin of `cam` and looks along -z; pictures have their origin at the
top-left corner and y down. The one y flip of the project lies in this module (docs/conventions.md).
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.transform import Similarity

# Diagonal of a 24 mm x 36 mm film frame, to which "35 mm equivalent" focal lengths refer.
_FILM_DIAGONAL_MM = math.hypot(24.0, 36.0)


@dataclass(frozen=True)
class Camera(TensorRecord):
    """A pinhole camera with square pixels and no distortion, one for each entry of the batch.

    Raises:
        InputError: a focal length is not a positive number, or the picture has no pixels.
    """

    focal_px: Float[Tensor, "*batch"]
    """Distance of the picture plane, in pixels of this picture."""
    principal_point_px: Float[Tensor, "*batch 2"]
    """(x, y) where the optical axis meets the picture; its centre for a picture not cropped."""
    width_px: int
    height_px: int

    def __post_init__(self) -> None:
        if not bool((self.focal_px.detach() > 0).all()):
            raise InputError(
                "A focal length must be a positive number of pixels, "
                f"got {self.focal_px.tolist()}: pass a larger one, or have it estimated."
            )
        if self.width_px < 1 or self.height_px < 1:
            raise InputError(
                "A camera's picture needs at least one pixel, got "
                f"{self.width_px} x {self.height_px}: pass a larger size."
            )

    @classmethod
    def centred(cls, focal_px: float, width_px: int, height_px: int) -> "Camera":
        """With its axis through the middle of the picture."""
        centre = torch.tensor([width_px / 2, height_px / 2])
        return cls(torch.tensor(float(focal_px)), centre, width_px, height_px)

    @classmethod
    def of_35mm_equivalent(cls, focal_mm: float, width_px: int, height_px: int) -> "Camera":
        """From the focal length that EXIF calls `FocalLengthIn35mmFilm` (same diagonal angle)."""
        diagonal_px = math.hypot(width_px, height_px)
        return cls.centred(focal_mm / _FILM_DIAGONAL_MM * diagonal_px, width_px, height_px)

    def project(self, points_cam_mm: Float[Tensor, "*b points 3"]) -> Float[Tensor, "*c points 2"]:
        """Where points appear, in px.

        The formula holds in front of the camera (z < 0); what it gives elsewhere has no meaning
        (see `depth_mm`), and is infinite in the plane of the camera.
        """
        return perspective(points_cam_mm, self.focal_px) + self.principal_point_px[..., None, :]

    def project_jacobian(
        self, points_cam_mm: Float[Tensor, "*b points 3"]
    ) -> Float[Tensor, "*c points 2 3"]:
        """Derivative of `project` with respect to the point, in px a mm."""
        return perspective_jacobian(points_cam_mm, self.focal_px)

    def unproject(
        self, points_px: Float[Tensor, "*b points 2"], depth_mm: Float[Tensor, "*b points"]
    ) -> Float[Tensor, "*c points 3"]:
        """The points at a depth (distance from the plane of the camera) that appear there."""
        offset = points_px - self.principal_point_px[..., None, :]
        scale = depth_mm / self.focal_px[..., None]
        return torch.stack([scale * offset[..., 0], -scale * offset[..., 1], -depth_mm], -1)

    def clip_from_cam(
        self, near_mm: float = 50.0, far_mm: float = 1e5
    ) -> Float[Tensor, "*batch 4 4"]:
        """Matrix to the renderer's clip space, for homogeneous points (x, y, z, 1) in `cam`.

        Clip space is the picture scaled to -1..1 with y down, so x_px = (x/w + 1) width / 2 and
        y_px = (y/w + 1) height / 2; z/w runs from -1 at `near_mm` to 1 at `far_mm`; w is the depth
        in mm. Depth is stored as float32: at 600 mm the default range resolves 0.0003 mm.
        """
        zero, one = torch.zeros_like(self.focal_px), torch.ones_like(self.focal_px)
        cx, cy = self.principal_point_px.unbind(-1)
        depth_scale = (far_mm + near_mm) / (far_mm - near_mm)
        depth_shift = -2 * far_mm * near_mm / (far_mm - near_mm)
        rows = [
            [2 * self.focal_px / self.width_px, zero, 1 - 2 * cx / self.width_px, zero],
            [zero, -2 * self.focal_px / self.height_px, 1 - 2 * cy / self.height_px, zero],
            [zero, zero, -depth_scale * one, depth_shift * one],
            [zero, zero, -one, zero],
        ]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    def to_clip(self, points_cam_mm: Float[Tensor, "*b points 3"]) -> Float[Tensor, "*c points 4"]:
        """Clip coordinates of points, as the renderer takes them."""
        matrix = self.clip_from_cam()
        return points_cam_mm @ matrix[..., :3].mT + matrix[..., None, :, 3]

    def opencv_matrix(self) -> Float[Tensor, "*batch 3 3"]:
        """The 3x3 matrix K for points in OpenCV's axes (x right, y down, z forward).

        Pixel coordinates stay those of `photo`, with centres at +0.5; OpenCV's own functions put
        centres at whole numbers: subtract 0.5 from the principal point for them.
        """
        zero, one = torch.zeros_like(self.focal_px), torch.ones_like(self.focal_px)
        cx, cy = self.principal_point_px.unbind(-1)
        rows = [[self.focal_px, zero, cx], [zero, self.focal_px, cy], [zero, zero, one]]
        return torch.stack([torch.stack(row, -1) for row in rows], -2)

    def cropped(self, T_crop_photo: Similarity, width_px: int, height_px: int) -> "Camera":
        """The camera that took the crop: same place and direction, other pixels.

        Raises:
            InputError: the crop is turned; a camera's picture has no roll of its own.
        """
        upright = torch.eye(
            2, dtype=T_crop_photo.rotation.dtype, device=T_crop_photo.rotation.device
        )
        if not torch.allclose(T_crop_photo.rotation, upright.expand_as(T_crop_photo.rotation)):
            raise InputError(
                "A camera can follow an upright crop only, got one that is turned: "
                "crop without rotation, or turn the picture first."
            )
        centre = T_crop_photo @ self.principal_point_px[..., None, :]
        return Camera(self.focal_px * T_crop_photo.scale, centre[..., 0, :], width_px, height_px)


def perspective(
    points_cam_mm: Float[Tensor, "*b points 3"], focal_px: Float[Tensor, "*batch"]
) -> Float[Tensor, "*c points 2"]:
    """Where points appear, in px from the optical axis; see `Camera.project`.

    A solver's steps come here: a `Camera` checks its numbers, for which a GPU would have to wait.
    """
    x, y, z = points_cam_mm.unbind(-1)
    scale = focal_px[..., None] / -z
    return torch.stack([scale * x, -scale * y], -1)


def perspective_jacobian(
    points_cam_mm: Float[Tensor, "*b points 3"], focal_px: Float[Tensor, "*batch"]
) -> Float[Tensor, "*c points 2 3"]:
    """Derivative of `perspective` with respect to the point, in px a mm."""
    x, y, z = points_cam_mm.unbind(-1)
    scale = focal_px[..., None] / -z
    zero = torch.zeros_like(scale)
    rows = [scale, zero, scale * x / -z, zero, -scale, -scale * y / -z]
    return torch.stack(rows, -1).unflatten(-1, (2, 3))


def depth_mm(points_cam_mm: Float[Tensor, "*b points 3"]) -> Float[Tensor, "*b points"]:
    """Distance from the plane of the camera; negative behind it."""
    return -points_cam_mm[..., 2]
