"""Which frames of a video say whose face it is: sharp ones that differ from each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._video import VideoFile
from fit3dmm.fitting.quality import sharpness
from fit3dmm.fitting.tracking.config import KeyFrames
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.observation import observe_face
from fit3dmm.observe.photo import Photo, photo_from_array
from fit3dmm.observe.search import describe_search
from fit3dmm.observe.skin.table import looked_up_skin_probability

# Of frames that are all alike: candidates are looked for this often where a file does not say how
# long it is.
_FIRST_STEP_S = 0.2
# Frames that are searched as photos are, where no first look at any candidate shows a face.
_SEARCHED = 6

Advance = Callable[[float], None]
"""Called with the time of the frame that is done, in seconds of the video."""


@dataclass(frozen=True)
class Candidate:
    """A frame that may become a key frame."""

    index: int
    time_s: float
    face: DetectedFace
    sharpness: float
    """Finest contrasts over coarser ones (`fitting.quality.sharpness`)."""


@dataclass(frozen=True)
class Scan:
    """A video that was gone through once."""

    times_s: tuple[float, ...]
    """Of all its frames."""
    candidates: tuple[Candidate, ...]
    """In the order of the video, one at least."""
    width_px: int
    height_px: int


def scan(video: VideoFile, settings: KeyFrames, detector: FaceDetector, advance: Advance) -> Scan:
    """Go through a video and look at frames that lie evenly in it.

    Args:
        video: to be gone through.
        settings: how many candidates there shall be.
        detector: an open one.
        advance: is told how far it is.

    Raises:
        InputError: it can't be decoded, or none of the frames shows a face.
    """
    step_s = _FIRST_STEP_S
    if video.estimated_s is not None:
        step_s = video.estimated_s / settings.n_candidates
    times_s: list[float] = []
    found: dict[int, Candidate | None] = {}
    unseen: list[Photo] = []
    size_px = (0, 0)
    next_s = step_s / 2 if video.estimated_s is not None else 0.0
    for frame in video.frames():
        times_s.append(frame.time_s)
        if frame.index == 0 or frame.time_s >= next_s:
            next_s = max(next_s + step_s, frame.time_s + step_s / 2)
            photo = photo_from_array(frame.pixels_srgb, f"frame {frame.index}")
            size_px = (photo.width_px, photo.height_px)
            faces = detector.first_look(photo)
            found[frame.index] = (
                _candidate(frame.index, frame.time_s, photo, faces[0]) if faces else None
            )
            if not faces and len(found) % max(settings.n_candidates // _SEARCHED, 1) == 1:
                unseen.append(photo)
            if len(found) > 2 * settings.n_candidates:
                found, step_s = dict(list(found.items())[::2]), 2 * step_s
        advance(frame.time_s)
    candidates = [one for one in found.values() if one is not None]
    if not candidates:
        candidates = _searched(unseen, times_s, detector)
    if not candidates:
        raise InputError(
            f"No face was found in {len(found)} frames of the video {video.path}, "
            f"{len(unseen)} of them {describe_search(*size_px).strip('()')}: give a video in which "
            "eyes, nose and mouth of a person are seen."
        )
    return Scan(tuple(times_s), tuple(candidates), *size_px)


def choose_key_frames(
    candidates: Sequence[Candidate], settings: KeyFrames
) -> tuple[Candidate, ...]:
    """Sharp frames of heads that differ in turn and expression, in the order of the video.

    The first is the one that looks most straight ahead; then, again and again, that which is
    furthest from all that were chosen.
    """
    kept = _good_ones(candidates, settings)
    where = torch.stack([_features(one.face, settings) for one in kept])
    chosen = [int(where[:, :2].norm(dim=1).argmin())]
    while len(chosen) < min(settings.n, len(kept)):
        apart = torch.cdist(where, where[chosen]).amin(1)
        apart[chosen] = -1
        chosen.append(int(apart.argmax()))
    return tuple(sorted((kept[k] for k in chosen), key=lambda one: one.index))


def _good_ones(candidates: Sequence[Candidate], settings: KeyFrames) -> list[Candidate]:
    """Those that are sharp and not turned far; where there are none, all."""
    median = sorted(one.sharpness for one in candidates)[len(candidates) // 2]
    sharp = [one for one in candidates if one.sharpness >= settings.least_sharpness * median]
    largest = settings.largest_yaw_deg
    near = [one for one in sharp if abs(_turn_deg(one.face)[0]) <= largest]
    return near or list(candidates)


def _features(face: DetectedFace, settings: KeyFrames) -> Float[Tensor, "features"]:
    """Turn and expression, in units in which differences tell about as much."""
    yaw_deg, pitch_deg = _turn_deg(face)
    turn = face.blendshapes.new_tensor([yaw_deg / settings.yaw_deg, pitch_deg / settings.pitch_deg])
    return torch.cat([turn, face.blendshapes / settings.expression])


def _turn_deg(face: DetectedFace) -> tuple[float, float]:
    """Yaw and pitch, as MediaPipe has them."""
    x, y, z = face.T_cam_canonical[:3, 2].tolist()
    return math.degrees(math.atan2(x, z)), math.degrees(math.atan2(-y, math.hypot(x, z)))


def _candidate(index: int, time_s: float, photo: Photo, face: DetectedFace) -> Candidate:
    seen = observe_face(photo, face, skin_by=looked_up_skin_probability)
    return Candidate(index, time_s, face, sharpness(seen))


def _searched(
    unseen: Sequence[Photo], times_s: Sequence[float], detector: FaceDetector
) -> list[Candidate]:
    """Small, turned and cut faces, where no frame shows another."""
    found = []
    for photo in unseen:
        index = int(photo.name.rpartition(" ")[2])
        faces = detector.detect(photo)
        if faces:
            found.append(_candidate(index, times_s[index], photo, faces[0]))
    return found
