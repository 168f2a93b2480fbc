"""Faces in the frames of a video: where the last one was, and elsewhere only where it is lost."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm._video import Frame
from fit3dmm.fitting.look import seen_by_network
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.observation import Observation, observe_face
from fit3dmm.observe.photo import Photo, photo_from_array
from fit3dmm.observe.skin.table import looked_up_skin_probability


@dataclass(frozen=True)
class Seen(TensorRecord):
    """What a frame shows of the face that is followed."""

    index: int
    time_s: float
    observation: Observation | None
    """None where there is no face."""
    is_anew: bool
    """Whether it is not known to be the face of the frame before: after a gap or a cut."""


@dataclass(frozen=True)
class Spotted:
    """A frame and where its face is."""

    photo: Photo
    index: int
    time_s: float
    face: DetectedFace | None
    """None where there is none."""
    is_anew: bool
    """As in `Seen`."""


@dataclass(frozen=True)
class Gaze:
    """Where a look begins: what is known from the frames before."""

    points_px: Float[Tensor, "478 2"] | None = None
    """Of the face in the frame before; None where there was none."""
    searched_s: float = -torch.inf
    """When small and turned faces were last looked for."""


class Lookout:
    """Looks at one frame after another.

    Args:
        detector: an open one.
        prepared: the model, with its network if frames are to be seen by it.
        config: settings.
        gaze: where an earlier run was.
    """

    def __init__(
        self,
        detector: FaceDetector,
        prepared: PreparedModel,
        config: TrackConfig,
        gaze: Gaze | None = None,
    ) -> None:
        self._detector, self.prepared, self._config = detector, prepared, config
        self.gaze = gaze or Gaze()

    def looks(self, frames: Iterator[Frame]) -> Iterator[tuple[Seen, Gaze]]:
        """What each frame shows, and where the look at the next one begins."""
        for spotted, gaze in self.spots(frames):
            yield self.seen(spotted), gaze

    def look(self, pixels_srgb: np.ndarray, index: int, time_s: float) -> Seen:
        """What a frame shows, and from then on where the next is looked at."""
        return self.seen(self.spot(pixels_srgb, index, time_s))

    def spots(self, frames: Iterator[Frame]) -> Iterator[tuple[Spotted, Gaze]]:
        """Where the face of each frame is, and where the look at the next one begins."""
        for frame in frames:
            yield self.spot(frame.pixels_srgb, frame.index, frame.time_s), self.gaze

    def spot(self, pixels_srgb: np.ndarray, index: int, time_s: float) -> Spotted:
        """Where the face of a frame is, and from then on where the next is looked at."""
        photo = photo_from_array(pixels_srgb, f"frame {index}")
        before_px = self.gaze.points_px
        face = None if before_px is None else self._beside(photo, before_px)
        if face is None:
            face = self._anywhere(photo, time_s)
        if face is None:
            self.gaze = Gaze(None, self.gaze.searched_s)
            return Spotted(photo, index, time_s, None, is_anew=True)
        is_anew = before_px is None or _jump(face.points_px, before_px) > self._config.jump
        self.gaze = Gaze(face.points_px, self.gaze.searched_s)
        return Spotted(photo, index, time_s, face, is_anew)

    def seen(self, spotted: Spotted) -> Seen:
        """What a frame shows whose face has been found; no matter of the frames before."""
        face = spotted.face
        observation = None if face is None else self._observed(spotted.photo, face)
        return Seen(spotted.index, spotted.time_s, observation, spotted.is_anew)

    def _beside(self, photo: Photo, before_px: Float[Tensor, "478 2"]) -> DetectedFace | None:
        """The face that is nearest to where the last one was, where there is one near."""
        faces = self._detector.look_near(photo, before_px)
        nearest = min(faces, key=lambda one: _jump(one.points_px, before_px), default=None)
        if nearest is None or _jump(nearest.points_px, before_px) > self._config.jump:
            return None
        return nearest

    def _anywhere(self, photo: Photo, time_s: float) -> DetectedFace | None:
        """The largest face of the frame."""
        faces = self._detector.first_look(photo)
        if not faces and time_s - self.gaze.searched_s >= self._config.search_every_s:
            self.gaze = Gaze(self.gaze.points_px, time_s)
            faces = self._detector.detect(photo)
        return faces[0] if faces else None

    def _observed(self, photo: Photo, face: DetectedFace) -> Observation:
        config = self._config.frame
        seen = observe_face(photo, face, config.size_px, skin_by=looked_up_skin_probability)
        # MediaPipe's points are near enough to the network's own for one look to do.
        return seen_by_network(seen, photo, self.prepared, config, passes=1)


def _jump(points_px: Float[Tensor, "478 2"], before_px: Float[Tensor, "478 2"]) -> float:
    """How far a face has moved, in units of its size."""
    low, high = before_px.aminmax(dim=0)
    moved = (points_px.mean(0) - before_px.mean(0)).norm()
    grown = (points_px.aminmax(dim=0).max - points_px.aminmax(dim=0).min).max()
    size = (high - low).max().clamp_min(1.0)
    return float(torch.maximum(moved / size, (grown / size).log().abs()))
