"""Whose face it is, and through which camera: what all frames of a video share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._parallel import Progress
from fit3dmm._tensors import TensorRecord
from fit3dmm._video import VideoFile
from fit3dmm.fitting.look import seen_by_network
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.several import Together, fit_together
from fit3dmm.fitting.tracking.config import TrackConfig
from fit3dmm.fitting.tracking.key_frames import Candidate, choose_key_frames, scan
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.observation import Observation, observe_face
from fit3dmm.observe.photo import Photo, photo_from_array

SCANNING, FITTING = "choosing key frames", "fitting key frames"


@dataclass(frozen=True)
class Learned(TensorRecord):
    """The person, the camera, and where they come from."""

    person: Coefficients
    camera: Camera
    irradiance_sh: Float[Tensor, "9 3"]
    """Light of the key frame that says most; where a face is found anew it starts from this."""
    fits: Mapping[str, FitResult]
    """Of the key frames that count, by their numbers and in the order of the video."""
    key_frames: tuple[int, ...]
    doubtful: tuple[int, ...]
    """Key frames that did not fit the others."""
    times_s: Float[Tensor, "frames"]
    """Of all frames of the video; in float64."""


def learn(
    video: VideoFile,
    prepared: PreparedModel,
    config: TrackConfig,
    detector: FaceDetector,
    progress: Progress,
) -> Learned:
    """Choose key frames and fit one person to all of them.

    Args:
        video: to be tracked.
        prepared: the model, with its network if it has one.
        config: settings.
        detector: an open one.
        progress: is told in frames.

    Raises:
        InputError: the video can't be decoded, or shows no face.
    """
    n_expected = round((video.estimated_s or 0.0) * (video.frames_a_second or 0.0))
    done = 0

    def advance(_: float) -> None:
        nonlocal done
        done += 1
        progress(SCANNING, done, max(n_expected, done))

    scanned = scan(video, config.key_frames, detector, advance)
    chosen = choose_key_frames(scanned.candidates, config.key_frames)
    photos = pictures(video, [one.index for one in chosen])
    seen = [
        _observed(photo, one, prepared, config) for photo, one in zip(photos, chosen, strict=True)
    ]
    fits, doubtful, shares = _fitted(seen, prepared, config, progress)
    counting = [k for k in range(len(fits)) if k not in doubtful]
    best = max(counting, key=lambda k: shares[k])
    log_focal = torch.stack([fits[k].scene.camera.focal_px.log() for k in counting]).mean()
    indices = tuple(one.index for one in chosen)
    return Learned(
        fits[best].scene.coefficients.neutral(),
        fits[best].scene.camera.replace(focal_px=log_focal.exp()),
        fits[best].scene.lighting.irradiance_sh,
        {str(indices[k]): fits[k] for k in counting},
        indices,
        tuple(indices[k] for k in doubtful),
        torch.tensor(scanned.times_s, dtype=torch.float64),
    )


def pictures(video: VideoFile, indices: Sequence[int]) -> list[Photo]:
    """Some frames of a video, in its order; the video is read no further than the last of them."""
    wanted, found = set(indices), []
    for frame in video.frames():
        if frame.index in wanted:
            found.append(photo_from_array(frame.pixels_srgb, f"frame {frame.index}"))
        if len(found) == len(wanted):
            break
    return found


def _observed(
    photo: Photo, chosen: Candidate, prepared: PreparedModel, config: TrackConfig
) -> Observation:
    seen = observe_face(photo, chosen.face, config.person.size_px)
    return seen_by_network(seen, photo, prepared, config.person)


def _fitted(
    seen: Sequence[Observation],
    prepared: PreparedModel,
    config: TrackConfig,
    progress: Progress,
) -> tuple[Sequence[FitResult], tuple[int, ...], Sequence[float]]:
    """The fit of each key frame, which of them are no frames of this person, and how much each
    tells of the person."""
    progress(FITTING, 0, len(seen))
    if len(seen) == 1:
        return [fit_observation(seen[0], prepared, config.person)], (), [1.0]

    def advance(_: str, done: int, total: int) -> None:
        progress(FITTING, done, total)

    # A video has one camera, whose focal length is taken to stay.
    together = Together(same_camera=True)
    several = fit_together(prepared, seen, config.person, together, progress=advance)
    return several.fits, several.outliers, several.information_share
