"""The only door to MediaPipe: an open FaceLandmarker for threads and forked processes, quiet."""

import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from fit3dmm._files import data_path
from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.quiet import native_stderr_muted

_MAX_FACES = 32
# The outer ones, the subject's right eye first.
_EYE_CORNERS = (33, 263)
_opened: "weakref.WeakSet[FaceLandmarker]" = weakref.WeakSet()


class FaceLandmarker:
    """MediaPipe's networks, ready to look at pictures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._landmarker: Any = None
        self._open()
        _opened.add(self)

    def _open(self) -> None:
        import_mediapipe()
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(data_path("face_landmarker.task"))),
            num_faces=_MAX_FACES,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        with native_stderr_muted():
            self._landmarker = vision.FaceLandmarker.create_from_options(options)
            # The networks are started by threads of MediaPipe's own, which write their notes when
            # they like; after a first picture they are done.
            self._look(np.zeros((32, 32, 3), dtype=np.uint8))
        # MediaPipe can't close while the interpreter is taken down, so it is done before.
        self._closed = weakref.finalize(self, self._landmarker.close)

    def close(self) -> None:
        """Free the networks. Further calls of `faces_in` fail."""
        with self._lock:
            self._closed()

    def _forsake(self) -> None:
        """In a forked process: the networks' threads stayed in the parent, where they belong.

        Calls would wait for them for ever, the closing one too, which MediaPipe leaves out where
        there is no handle. The next look opens networks of the child's own.
        """
        self._lock = threading.Lock()
        if self._closed.detach():
            self._landmarker._handle = None
            self._landmarker = None

    def faces_in(self, pixels_srgb: np.ndarray) -> list[DetectedFace]:
        """What a single look at a picture `(height, width, 3)` of bytes finds, in its pixels."""
        height, width = pixels_srgb.shape[:2]
        with self._lock:
            if self._landmarker is None:
                self._open()
            found = self._look(pixels_srgb)
        return [
            _face(points, scores, matrix, width, height)
            for points, scores, matrix in zip(
                found.face_landmarks,
                found.face_blendshapes,
                found.facial_transformation_matrixes,
                strict=True,
            )
        ]

    def _look(self, pixels_srgb: np.ndarray) -> Any:
        import mediapipe

        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels_srgb)
        )
        return self._landmarker.detect(image)


def import_mediapipe() -> None:
    """Import it, which takes a while that only those who detect should pay."""
    with _without_sound():
        import mediapipe.tasks.python
        import mediapipe.tasks.python.vision  # noqa: F401


@contextlib.contextmanager
def _without_sound() -> Iterator[None]:
    """Have MediaPipe imported without its recorder of sound, which it can do without: to find a
    sound library, that asks linkers and compilers, which takes three times as long as all else."""
    name = "sounddevice"
    kept = sys.modules.get(name)
    if kept is None:
        # The documented way to have an import fail.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if kept is None:
            sys.modules.pop(name, None)


def _face(points: Any, scores: Any, matrix: Any, width: int, height: int) -> DetectedFace:
    xyz = np.array([(p.x, p.y, p.z) for p in points], dtype=np.float32)
    xyz[:, :2] *= [width, height]
    # MediaPipe counts depth in the picture's sides as it does the way from eye to eye: in widths
    # for an upright face, in heights for one that lies on its side.
    x, y = xyz[_EYE_CORNERS[1], :2] - xyz[_EYE_CORNERS[0], :2]
    xyz[:, 2] *= np.hypot(x, y) / max(np.hypot(x / width, y / height), 1e-9)
    named = [score for score in scores if score.category_name != "_neutral"]
    return DetectedFace(
        points_px=torch.from_numpy(xyz[:, :2].copy()),
        depth_px=torch.from_numpy(xyz[:, 2].copy()),
        blendshapes=torch.tensor([score.score for score in named], dtype=torch.float32),
        blendshape_names=tuple(score.category_name for score in named),
        T_cam_canonical=torch.from_numpy(np.array(matrix, dtype=np.float32)),
    )


def _forsake_all() -> None:
    for landmarker in _opened:
        landmarker._forsake()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forsake_all)
