"""Where the camera stands, and which square of its photo is looked at."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_from_angles

_DISTANCE_MM = (300.0, 3000.0)
_YAW_DEG, _PITCH_DEG, _ROLL_DEG = 90.0, 50.0, 180.0


@dataclass(frozen=True)
class CropView:
    """A crop's camera and the head's place before it."""

    angles_deg: tuple[float, float, float]
    """Pitch, yaw and roll."""
    rotation: Float[np.ndarray, "3 3"]
    translation_mm: Float[np.ndarray, "3"]
    focal_px: float
    principal_point_px: Float[np.ndarray, "2"]
    size_px: int

    def body_rotation(self, of_yaw: float, of_pitch: float) -> Float[np.ndarray, "3 3"]:
        """Of shoulders that turn with a share of the head's angles."""
        pitch, yaw, roll = self.angles_deg
        return _turned(of_pitch * pitch, of_yaw * yaw, roll)

    def to_camera(self, points_mm: Float[np.ndarray, "*n 3"]) -> Float[np.ndarray, "*n 3"]:
        """From `model` to `cam`."""
        return points_mm @ self.rotation.T + self.translation_mm

    @property
    def camera_mm(self) -> Float[np.ndarray, "3"]:
        """The camera's place in `model`."""
        return -self.rotation.T @ self.translation_mm

    def camera(self, finer: int = 1) -> Camera:
        """Of a picture with so many samples a pixel along each side."""
        side = self.size_px * finer
        centre = torch.from_numpy(self.principal_point_px * finer).float()
        return Camera(torch.tensor(float(self.focal_px * finer)), centre, side, side)

    def project(self, points_cam_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Where points appear in the crop."""
        return self.camera().project(torch.from_numpy(points_cam_mm)).numpy()

    def clip(self, points_cam_mm: Float[np.ndarray, "n 3"], finer: int) -> Tensor:
        """For the rasteriser, with a batch of one."""
        return self.camera(finer).to_clip(torch.from_numpy(points_cam_mm))[None]


def draw_view(
    face_points_mm: Float[np.ndarray, "points 3"], size_px: int, draw: np.random.Generator
) -> CropView:
    """Half of the heads look about straight ahead, as in photos; the rest anywhere.

    Args:
        face_points_mm: the points whose box the crop is taken around.
    """
    wide = draw.uniform() < 0.5
    yaw = draw.uniform(-_YAW_DEG, _YAW_DEG) if wide else draw.normal(0, 20)
    pitch = np.clip(draw.normal(0, 20 if wide else 9), -_PITCH_DEG, _PITCH_DEG)
    roll = draw.uniform(-_ROLL_DEG, _ROLL_DEG) if draw.uniform() < 0.08 else draw.normal(0, 14)
    rotation = _turned(float(pitch), float(yaw), float(roll))
    distance = float(np.exp(draw.uniform(*np.log(_DISTANCE_MM))))
    # Off the optical axis, as faces in photos are.
    aside = draw.normal(0, 0.12, 2) * distance
    translation = np.array([aside[0], aside[1], -distance])
    cam = face_points_mm @ rotation.T + translation
    slopes = cam[:, :2] / -cam[:, 2:] * [1, -1]
    low, high = slopes.min(axis=0), slopes.max(axis=0)
    # A tenth of the crops cut the face.
    cuts = draw.uniform() < 0.1
    side = (high - low).max() * (draw.uniform(0.75, 1.3) if cuts else draw.uniform(1.3, 2.0))
    middle = (low + high) / 2 + side * draw.uniform(-0.1, 0.1, 2)
    focal = size_px / side
    return CropView(
        (float(pitch), float(yaw), float(roll)),
        rotation,
        translation.astype(np.float32),
        float(focal),
        (size_px / 2 - focal * middle).astype(np.float32),
        size_px,
    )


def _turned(pitch: float, yaw: float, roll: float) -> np.ndarray:
    return rotation_from_angles(pitch, yaw, roll).astype(np.float32)
