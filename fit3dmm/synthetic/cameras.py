"""Where the head is and what camera looks at it: focal lengths and distances as people use them."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_from_angles, rotation_vector
from fit3dmm.scene import Pose
from fit3dmm.synthetic.specification import Specification

_NEAREST_MM = 280.0


@dataclass(frozen=True)
class View:
    """Pose and camera of a photo, in float64."""

    rotation: Float[np.ndarray, "3 3"]
    """Model to camera."""
    translation_mm: Float[np.ndarray, "3"]
    focal_px: float
    width_px: int
    height_px: int

    @property
    def rotation_rad(self) -> Float[np.ndarray, "3"]:
        """The rotation as an axis-angle vector."""
        return rotation_vector(torch.from_numpy(self.rotation)).numpy()

    @property
    def pose(self) -> Pose:
        """As a scene has it."""
        return Pose(
            torch.from_numpy(self.rotation_rad.copy()), torch.from_numpy(self.translation_mm)
        )

    @property
    def camera(self) -> Camera:
        """As a scene has it."""
        return Camera.centred(self.focal_px, self.width_px, self.height_px).to(dtype=torch.float64)

    def to_camera(self, points_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        """From `model` to `cam`."""
        return points_mm @ self.rotation.T + self.translation_mm

    def project(self, points_cam_mm: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 2"]:
        """Where points appear in the photo."""
        return self.camera.project(torch.from_numpy(points_cam_mm)).numpy()

    def rays(self, points_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
        """Directions in `cam` of points of the photo; a unit of depth long."""
        one = torch.ones(len(points_px), dtype=torch.float64)
        return self.camera.unproject(torch.from_numpy(points_px), one).numpy()


def view_of(
    case: Specification, head_mm: Float[np.ndarray, "vertices 3"], chin_mm: Float[np.ndarray, "3"]
) -> View:
    """The distance follows from the focal length and the head's size in the picture."""
    sides = np.array([case.width_px, case.height_px], dtype=np.float64)
    focal_px = float(
        Camera.of_35mm_equivalent(case.focal_35mm, case.width_px, case.height_px).focal_px
    )
    top = head_mm[:, 1].max()
    height_mm = top - chin_mm[1]
    distance = max(focal_px * height_mm / (case.face_share * sides.min()), _NEAREST_MM)
    rotation = rotation_from_angles(case.pitch_deg, case.yaw_deg, case.roll_deg)
    middle = rotation @ np.array([0.0, (top + chin_mm[1]) / 2, 0.0])
    offset = np.array(case.off_centre) * sides * distance / focal_px
    translation = np.array([offset[0] - middle[0], offset[1] - middle[1], -distance])
    return View(rotation, translation, focal_px, case.width_px, case.height_px)
