"""Points that a detector saw, whichever it is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord

MEDIAPIPE, MEDIAPIPE_POINTS = "mediapipe", "mediapipe478"
"""What MediaPipe's detector is called, and the point set that it sees."""
GIVEN_BOX = "box", "corners"
"""What stands for a detector and its points where somebody said where the face is."""
NETWORK = "network"
"""What a regressor is called as a detector."""


def doubt(
    points_px: Float[Tensor, "points 2"], covariance_px2: Float[Tensor, "points 2 2"]
) -> float:
    """Mean sigma of points, in units of the longer side of their box."""
    size_px = float((points_px.amax(0) - points_px.amin(0)).max())
    sigma_px = torch.linalg.det(covariance_px2).clamp_min(0).pow(0.25)
    return float(sigma_px.mean()) / max(size_px, 1e-9)


@dataclass(frozen=True)
class Detection(TensorRecord):
    """What one detector saw of a face.

    Raises:
        InputError: the name of the detector can't be part of another name.
    """

    source: str
    """The detector: its errors and its unknowns go by this name."""
    point_set: str
    """Which point set of the model it saw, point by point; several are joined by `+`."""
    points_px: Float[Tensor, "points 2"]
    """In the `photo` frame."""
    covariance_px2: Float[Tensor, "points 2 2"] | None = None
    """Of each point's error, where the detector tells of it."""

    @property
    def has_mediapipe_points(self) -> bool:
        """Whether the first points are MediaPipe's."""
        return self.point_set.split("+")[0] == MEDIAPIPE_POINTS

    def __post_init__(self) -> None:
        if not self.source or "/" in self.source:
            raise InputError(
                f"A detector's name must have letters and no slash, got {self.source!r}."
            )
