"""What a track is: one person, one camera, and a pose, an expression and a light for each frame."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients, ModelInfo
from fit3dmm.scene import Lighting, Pose, Scene


@dataclass(frozen=True)
class Track(TensorRecord):
    """Everything that came out of a video. Frames in which no face was followed hold NaN."""

    name: str
    """What the video is called."""
    times_s: Float[Tensor, "frames"]
    """Of each frame, since the first one; in float64."""
    found: Bool[Tensor, "frames"]
    """Whether the face was followed in it."""
    person: Coefficients
    """At rest; of all frames together."""
    camera: Camera
    """Of all frames: nothing is known of zooms."""
    expression: Float[Tensor, "frames expression"]
    expression_names: tuple[str, ...]
    pose: Pose
    lighting: Lighting
    landmark_error_mm: Float[Tensor, "frames"]
    """Root mean square distance of the detectors' points from where they should see the model's."""
    key_frames: tuple[int, ...]
    """From which the person comes."""
    doubtful_key_frames: tuple[int, ...]
    """Those of them that did not fit the others, and hardly counted."""
    model: ModelInfo
    level: int
    """Subdivision level of the surface that key frames were fitted with."""
    config: TrackConfig
    versions: Mapping[str, str]
    """Of fit3dmm and the packages that matter to the numbers."""

    def __repr__(self) -> str:
        """One line: the tensors of a track fill pages."""
        n, followed = len(self.times_s), int(self.found.sum())
        return (
            f"<{type(self).__name__} {self.name!r}: {followed} of {n} frames followed, "
            f"{self.seconds:.1f} s, model {self.model.name}>"
        )

    def __len__(self) -> int:
        return len(self.times_s)

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return float(self.times_s[-1])

    def scene(self, frame: int) -> Scene:
        """What a frame shows."""
        return Scene(
            self.person.replace(expression=self.expression[frame]),
            self.pose.map(lambda values: values[frame]),
            self.camera,
            self.lighting.map(lambda values: values[frame]),
        )

    def gaps(self) -> tuple[tuple[int, int], ...]:
        """First and last frame of each stretch without the face."""
        lost = torch.cat([self.found.new_ones(1), self.found, self.found.new_ones(1)]).long()
        change = lost.diff()
        starts, ends = torch.where(change < 0)[0], torch.where(change > 0)[0] - 1
        return tuple(zip(starts.tolist(), ends.tolist(), strict=True))
