"""Clips with known motion: one of the studio's people who talks to a camera, as a video file."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from fit3dmm._video import writing_video
from fit3dmm.model.files import load_model
from fit3dmm.synthetic.fast.clip import film
from fit3dmm.synthetic.fast.movement import draw_movement
from fit3dmm.synthetic.fast.studio import Studio, StudioSettings

SIZE_PX, FOCAL_PX, FRAMES_A_SECOND = 480, 900.0, 30
_LEVEL = 1


@dataclass(frozen=True)
class Clip:
    """A video and its truth."""

    path: Path
    times_s: np.ndarray
    rotation: np.ndarray
    """(frames, 3, 3), from `model` to `cam`."""
    translation_mm: np.ndarray
    expression: np.ndarray
    """(frames, expression) activations."""


def clip_of(person: int, seconds: float, folder: Path) -> Clip:
    """Film it, unless an earlier run has left it in the folder.

    Args:
        person: seed of who is filmed, of how the person moves and of all around.
        seconds: how long.
        folder: for video and truth.
    """
    n = round(seconds * FRAMES_A_SECOND)
    path = folder / f"person{person}-{n}.mp4"
    truth = path.with_suffix(".npz")
    if not truth.is_file():
        _make(person, n, path, truth)
    arrays = np.load(truth)
    return Clip(path, **{name: arrays[name] for name in arrays.files})


def _make(person: int, n: int, path: Path, truth: Path) -> None:
    times_s = np.arange(n) / FRAMES_A_SECOND
    studio = _studio()
    movement = draw_movement(studio.sitters.model, times_s, np.random.default_rng([person, 9]))
    rotation = []
    with writing_video(path, SIZE_PX, SIZE_PX) as writer:
        frames = film(studio, person, movement, FOCAL_PX)
        for time_s, frame in zip(times_s.tolist(), frames, strict=True):
            writer.add(frame.pixels_srgb, time_s)
            rotation.append(frame.rotation)
    np.savez(
        truth,
        times_s=times_s,
        rotation=np.stack(rotation),
        translation_mm=movement.translation_mm,
        expression=movement.expression,
    )


@cache
def _studio() -> Studio:
    settings = StudioSettings(size_px=SIZE_PX, hair_styles=3, beard_styles=2)
    return Studio(load_model(level=_LEVEL), settings=settings)
