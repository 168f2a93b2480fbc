"""How an avatar moves over time: what a track says, in glTF's units."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.fitting.tracking.track import Track
from fit3dmm.geometry.rotation import rotation_matrix

_MM_PER_M = 1000.0


@dataclass(frozen=True)
class Animation:
    """Key frames of one clip. Between them everything is linear, and rotations turn evenly."""

    name: str
    times_s: Float[np.ndarray, "keys"]
    """Rising; the first is 0 or later."""
    target_names: tuple[str, ...]
    weights: Float[np.ndarray, "keys targets"]
    """Of the morph targets."""
    rotation: Float[np.ndarray, "keys 3 3"]
    """From `model` to `cam`, which has glTF's axes: x right, y up, z towards the viewer."""
    translation_m: Float[np.ndarray, "keys 3"]
    """Where the model's origin lies in `cam`."""
    camera_yfov_rad: float
    """Vertical field of view of the camera at the origin, and width over height of its picture."""
    camera_aspect: float

    def place_m(self, point_m: Float[np.ndarray, "3"]) -> Float[np.ndarray, "keys 3"]:
        """Where a point of the head is."""
        return self.rotation @ point_m + self.translation_m

    @property
    def quaternions(self) -> Float[np.ndarray, "keys 4"]:
        """The rotations as x, y, z, w. Each has the sign that is nearer to the one before: q and -q
        are the same rotation, and between them a player would turn the long way round."""
        from scipy.spatial.transform import Rotation  # takes a third of a second to import

        q = Rotation.from_matrix(self.rotation).as_quat()
        turns = np.where((q[1:] * q[:-1]).sum(1) < 0, -1.0, 1.0)
        return q * np.concatenate([[1.0], np.cumprod(turns)])[:, None]


def animation_of(track: Track) -> Animation:
    """The frames in which the face was followed; gaps are crossed in a straight line."""
    rows = torch.where(track.found)[0]
    height, width = track.camera.height_px, track.camera.width_px
    return Animation(
        name=track.name,
        times_s=track.times_s[rows].numpy(),
        target_names=track.expression_names,
        weights=track.expression[rows].numpy(),
        rotation=rotation_matrix(track.pose.rotation_rad[rows].double()).numpy(),
        translation_m=track.pose.translation_mm[rows].double().numpy() / _MM_PER_M,
        camera_yfov_rad=2 * float(torch.atan(height / (2 * track.camera.focal_px))),
        camera_aspect=width / height,
    )
