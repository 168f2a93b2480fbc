"""Faces in a photo: where they are, 478 named points, expression scores and a first head pose.

MediaPipe's FaceLandmarker does the work; this module is the only door to it. Its detector misses
faces that are small in the picture or cut by its border, so those are looked for again in a padded
picture and in overlapping tiles.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.photo import Photo

N_POINTS = 478
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""The points of MediaPipe's outline of the face, from the forehead towards the subject's left."""

_MAX_FACES = 32
# Tiles are a half and then a quarter of the picture and overlap by half, so that a face of up to
# half a tile lies whole in one of them.
_TILE_FRACTIONS = (1 / 2, 1 / 4)
_SMALLEST_TILE_PX = 96
_SAME_FACE_OVERLAP = 0.3

FaceChoice = Literal["only", "largest", "all"] | int


@dataclass(frozen=True)
class DetectedFace(TensorRecord):
    """What the detector says of one face, in the `photo` frame."""

    points_px: Float[Tensor, "478 2"]
    """MediaPipe's points in its own order; 468..472 and 473..477 are centre and rim of the irises
    (the subject's right one first)."""
    depth_px: Float[Tensor, "478"]
    """Depth of the points relative to the head's centre, away from the viewer, in the same scale;
    rough."""
    blendshapes: Float[Tensor, "scores"]
    """Scores 0..1 of `blendshape_names`."""
    blendshape_names: tuple[str, ...]
    """ARKit's names."""
    T_cam_canonical: Float[Tensor, "4 4"]
    """MediaPipe's pose of its canonical head (cm, axes as in `cam`) for a camera of 63 degrees."""

    @property
    def box_px(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of the points."""
        low, high = self.points_px.amin(dim=0).tolist(), self.points_px.amax(dim=0).tolist()
        return low[0], low[1], high[0], high[1]

    @property
    def size_px(self) -> float:
        """Longer side of the box."""
        left, top, right, bottom = self.box_px
        return max(right - left, bottom - top)

    def shifted(self, x_px: int, y_px: int) -> "DetectedFace":
        """The same face in a picture whose origin lies elsewhere."""
        offset = self.points_px.new_tensor([float(x_px), float(y_px)])
        return self.replace(points_px=self.points_px + offset)


class FaceDetector:
    """An open FaceLandmarker. Use it in a `with` statement, or call `close` when done."""

    def __init__(self) -> None:
        # Importing MediaPipe takes a third of a second, which only those who detect should pay.
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_path=str(data_path("face_landmarker.task"))),
            num_faces=_MAX_FACES,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
        with _native_stderr_muted():
            self._landmarker: Any = vision.FaceLandmarker.create_from_options(options)

    def __enter__(self) -> "FaceDetector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the networks. Further calls of `detect` fail."""
        with _native_stderr_muted():
            self._landmarker.close()

    def detect(self, photo: Photo, small: bool = False) -> tuple[DetectedFace, ...]:
        """All faces, the largest first.

        Args:
            small: look for small faces too where larger ones were found (up to 60 passes of 12 ms).
                Without it they are looked for only where nothing larger is there.
        """
        pixels = photo.pixels_srgb.numpy()
        faces = self._detect_in(pixels)
        if not faces:
            faces = self._detect_padded(pixels)
        if small or not faces:
            faces = faces + self._detect_in_tiles(pixels, stop_early=not small)
        return tuple(_without_repetitions(faces))

    def _detect_in(self, pixels: np.ndarray) -> list[DetectedFace]:
        import mediapipe

        image = mediapipe.Image(
            image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels)
        )
        with _native_stderr_muted():
            found = self._landmarker.detect(image)
        height, width = pixels.shape[:2]
        return [
            _face(points, scores, matrix, width, height)
            for points, scores, matrix in zip(
                found.face_landmarks,
                found.face_blendshapes,
                found.facial_transformation_matrixes,
                strict=True,
            )
        ]

    def _detect_padded(self, pixels: np.ndarray) -> list[DetectedFace]:
        """A face that fills the picture is found when it is given surroundings."""
        margin = max(pixels.shape[:2]) // 2
        padded = np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
        return [face.shifted(-margin, -margin) for face in self._detect_in(padded)]

    def _detect_in_tiles(self, pixels: np.ndarray, stop_early: bool) -> list[DetectedFace]:
        height, width = pixels.shape[:2]
        faces: list[DetectedFace] = []
        for fraction in _TILE_FRACTIONS:
            side = int(max(height, width) * fraction)
            if side < _SMALLEST_TILE_PX:
                break
            for top in _tile_starts(height, side):
                for left in _tile_starts(width, side):
                    tile = pixels[top : top + side, left : left + side]
                    found = self._detect_in(tile)
                    faces += [
                        face.shifted(left, top)
                        for face in found
                        if not _is_cut(face, tile.shape, left, top, width, height)
                    ]
            if faces and stop_early:
                break
        return faces


def detect_faces(photo: Photo, small: bool = False) -> tuple[DetectedFace, ...]:
    """`FaceDetector.detect` for a single photo."""
    with FaceDetector() as detector:
        return detector.detect(photo, small)


def choose_faces(
    faces: tuple[DetectedFace, ...], choice: FaceChoice, label: str
) -> tuple[DetectedFace, ...]:
    """The faces that are meant.

    Args:
        choice: `only` (there must be one), `largest`, `all`, or the number of a face: 1 is the
            largest, 2 the next.
        label: what messages call the photo.

    Raises:
        InputError: no face, no such face, or several where one was meant.
    """
    if not faces:
        raise InputError(
            f"No face was found in {label}: give a photo in which eyes, nose and mouth are seen, "
            "upright and not turned beyond a profile."
        )
    if choice == "all":
        return faces
    if choice == "largest" or (choice == "only" and len(faces) == 1):
        return faces[:1]
    if isinstance(choice, int) and 1 <= choice <= len(faces):
        return (faces[choice - 1],)
    asked = f"there is no face {choice}" if isinstance(choice, int) else "it is not said which"
    listing = "; ".join(
        "{}: x {:.0f}..{:.0f}, y {:.0f}..{:.0f}".format(i, *np.array(face.box_px)[[0, 2, 1, 3]])
        for i, face in enumerate(faces, start=1)
    )
    raise InputError(
        f"{label[:1].upper()}{label[1:]} shows {len(faces)} face(s) ({listing}) and {asked}: "
        f"ask for a number from 1 to {len(faces)}, the largest or all."
    )


def _face(points: Any, scores: Any, matrix: Any, width: int, height: int) -> DetectedFace:
    xyz = np.array([(p.x * width, p.y * height, p.z * width) for p in points], dtype=np.float32)
    named = [score for score in scores if score.category_name != "_neutral"]
    return DetectedFace(
        points_px=torch.from_numpy(xyz[:, :2].copy()),
        depth_px=torch.from_numpy(xyz[:, 2].copy()),
        blendshapes=torch.tensor([score.score for score in named], dtype=torch.float32),
        blendshape_names=tuple(score.category_name for score in named),
        T_cam_canonical=torch.from_numpy(np.array(matrix, dtype=np.float32)),
    )


def _tile_starts(extent: int, side: int) -> list[int]:
    if side >= extent:
        return [0]
    n = int(np.ceil((extent - side) / (side / 2))) + 1
    return np.linspace(0, extent - side, n).astype(int).tolist()


def _is_cut(face: DetectedFace, tile_shape: tuple, left: int, top: int, width: int, height: int):
    """Whether a tile's border, and not the photo's, cuts the face."""
    tile_height, tile_width = tile_shape[:2]
    x_low, y_low, x_high, y_high = face.box_px
    return (
        (x_low < 0 and left > 0)
        or (y_low < 0 and top > 0)
        or (x_high > tile_width and left + tile_width < width)
        or (y_high > tile_height and top + tile_height < height)
    )


def _without_repetitions(faces: list[DetectedFace]) -> list[DetectedFace]:
    """Largest first; of faces that overlap much the largest stays."""
    kept: list[DetectedFace] = []
    for face in sorted(faces, key=lambda face: -face.size_px):
        if all(_overlap(face.box_px, other.box_px) < _SAME_FACE_OVERLAP for other in kept):
            kept.append(face)
    return kept


def _overlap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Intersection over union of two boxes."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (areas - width * height)


@contextlib.contextmanager
def _native_stderr_muted() -> Iterator[None]:
    """MediaPipe's C++ side writes start-up notes to file descriptor 2, whatever its settings."""
    sys.stderr.flush()
    saved = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(silence, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(silence)
