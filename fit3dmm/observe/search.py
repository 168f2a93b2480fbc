"""Where in a photo the detector is made to look, and which of its answers are believed.

A single look finds upright faces of about an eighth of the picture and more that lie whole in it.
Smaller ones are looked for in ever smaller squares, those that the border cuts with the picture
continued, and those that are not upright with the picture turned. What such a look finds is looked
at once more, closely and in each of the four turns: a false answer seldom stands that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fit3dmm.observe.box import Box, box_overlap, middle_lies_in
from fit3dmm.observe.consistency import mesh_misfit
from fit3dmm.observe.face import (
    TURNS,
    DetectedFace,
    Turn,
    overlap,
    same_place,
    turn_to_upright,
    without_repetitions,
)
from fit3dmm.observe.window import Window, square, squares, view, whole

Look = Callable[[np.ndarray], list[DetectedFace]]

SMALLEST_FACE_PX = 48
# A first look at a larger picture is at a reduced one: the networks take 128 px of the whole and
# 256 px of a face.
_WHOLE_PX, _WINDOW_PX, _CLOSE_PX = 4096, 1024, 512
# The last squares are of at most this side, in which a face of SMALLEST_FACE_PX is found.
_LAST_SIDE_PX = 320
# Side of the close look, in units of the face.
_CLOSE_SIDE = 2.5
# Upright portraits are below this with few exceptions, inverted ones above.
_CONVINCING_MISFIT = 0.021
# Another turn is right only if it is clearly so.
_CLEARLY_BETTER = 0.75
_FACE_MISFIT = 0.035
_STILL_THERE = 0.4
# Of faces that lie on their side the detector finds as many as of upright ones.
_SEARCH_TURNS: tuple[Turn, ...] = (0, 180)
# A face of this share of the shorter side leaves little room for a larger one that was missed.
_LARGE_SHARE = 0.12


@dataclass(frozen=True)
class _Searcher:
    pixels: np.ndarray
    look: Look

    @property
    def shorter_px(self) -> int:
        return min(self.pixels.shape[:2])

    def first_look(self) -> list[DetectedFace]:
        return self._faces_of(whole(self.pixels), _WHOLE_PX, 0)

    def in_squares(self, side: int, turn_deg: Turn) -> list[DetectedFace]:
        """Faces in the picture, continued by a quarter of the squares' side."""
        height, width = self.pixels.shape[:2]
        faces = [
            face
            for window in squares(width, height, side, side // 4)
            for face in self._faces_of(window, _WINDOW_PX, turn_deg)
            if not window.cuts(face, width, height) and self._shows(face)
        ]
        looked = (self._closely(face) for face in without_repetitions(faces))
        return [face for face in looked if face is not None]

    def best_turn(self, face: DetectedFace) -> DetectedFace:
        """The face, or what the detector sees in its place with the picture turned."""
        if mesh_misfit(face) <= _CONVINCING_MISFIT:
            return face
        found = [face, *self._turned(face, TURNS[1:])]
        best = min(found, key=mesh_misfit)
        return best if mesh_misfit(best) < _CLEARLY_BETTER * mesh_misfit(face) else face

    def _closely(self, face: DetectedFace) -> DetectedFace | None:
        """What a close look sees of a face, turned as it seems to be, if that is a face."""
        again = self._turned(face, (face.upright_turn_deg,))
        if not again:
            return None
        best = self.best_turn(again[0])
        return best if mesh_misfit(best) <= _FACE_MISFIT else None

    def _turned(self, face: DetectedFace, turns: tuple[Turn, ...]) -> list[DetectedFace]:
        """What is where a face is, by close looks in some turns, the best of each."""
        found = []
        for turn_deg in turns:
            looked = self.close_look(face.box_px, turn_deg)
            here = [one for one in looked if overlap(one, face) > _STILL_THERE]
            found += sorted(here, key=lambda one: -overlap(one, face))[:1]
        return found

    def close_look(self, box_px: Box, turn_deg: Turn) -> list[DetectedFace]:
        """Faces in a square about a box."""
        left, top, right, bottom = box_px
        side = max(32, int(_CLOSE_SIDE * max(right - left, bottom - top)))
        window = square((left + right) / 2, (top + bottom) / 2, side)
        return self._faces_of(window, _CLOSE_PX, turn_deg)

    def _faces_of(self, window: Window, longest_px: int, turn_deg: Turn) -> list[DetectedFace]:
        seen = view(self.pixels, window, longest_px, turn_deg)
        return [seen.in_photo(face) for face in self.look(seen.pixels)]

    def _shows(self, face: DetectedFace) -> bool:
        """Whether the middle of the face lies in the photo, and not in what continues it."""
        height, width = self.pixels.shape[:2]
        return middle_lies_in(face.box_px, width, height)


def search(
    pixels: np.ndarray, look: Look, several: bool = False, small: bool = False
) -> tuple[DetectedFace, ...]:
    """All faces, the largest first.

    Args:
        pixels: (height, width, 3) bytes.
        look: gives the faces that the detector sees in a picture.
        several: look beside a face for others that the border cuts.
        small: look beside larger faces for smaller ones too. Else the search ends where the first
            faces are found.
    """
    searcher = _Searcher(pixels, look)
    faces = [searcher.best_turn(face) for face in searcher.first_look()]
    sides = _sides(searcher.shorter_px)
    beside = sides if small else sides[:2] if several or _is_open(faces, pixels) else []
    if not faces:
        faces, beside = _first_found(searcher, sides), sides if small else []
    for side in beside:
        faces += _new(searcher.in_squares(side, 0), faces)
    return tuple(without_repetitions(faces))


def first_look(pixels: np.ndarray, look: Look) -> tuple[DetectedFace, ...]:
    """What a single look at the whole picture shows, as it comes."""
    return tuple(without_repetitions(_Searcher(pixels, look).first_look()))


def look_in_box(pixels: np.ndarray, look: Look, box_px: Box) -> DetectedFace | None:
    """The face in a box, by close looks in all four turns, where the detector is sure of one.

    Args:
        pixels: (height, width, 3) bytes.
        look: gives the faces that the detector sees in a picture.
        box_px: left, top, right and bottom of the face.
    """
    searcher = _Searcher(pixels, look)
    faces = [
        face
        for turn_deg in TURNS
        for face in searcher.close_look(box_px, turn_deg)
        if box_overlap(face.box_px, box_px) > _STILL_THERE
    ]
    sure = [face for face in faces if mesh_misfit(face) <= _FACE_MISFIT]
    return min(sure, key=mesh_misfit, default=None)


def look_near(
    pixels: np.ndarray, look: Look, points_px: Float[Tensor, "478 2"]
) -> tuple[DetectedFace, ...]:
    """What a single look sees around the place of a face, with the picture turned as that face is.

    Args:
        pixels: (height, width, 3) bytes.
        look: gives the faces that the detector sees in a picture.
        points_px: of the face that was there.
    """
    low, high = points_px.aminmax(dim=0)
    box_px = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    turn_deg = turn_to_upright(points_px)
    return tuple(without_repetitions(_Searcher(pixels, look).close_look(box_px, turn_deg)))


def describe_search(width: int, height: int) -> str:
    """How a photo is searched that shows no face, and to what size of faces."""
    last = _sides(min(width, height))[-1]
    return (
        f"({width} x {height} px, searched as a whole and in squares down to {last} px, upright "
        f"and upside down, for faces of {SMALLEST_FACE_PX} px and more)"
    )


def _first_found(searcher: _Searcher, sides: list[int]) -> list[DetectedFace]:
    for side in sides:
        for turn_deg in _SEARCH_TURNS:
            faces = searcher.in_squares(side, turn_deg)
            if faces:
                return faces
    return []


def _new(found: list[DetectedFace], known: list[DetectedFace]) -> list[DetectedFace]:
    """Those of the found that are not known: the first answer about a face stays."""
    return [one for one in found if not any(same_place(one, other) for other in known)]


def _sides(shorter_px: int) -> list[int]:
    """Of the squares that are looked at: one that surrounds the picture, then ever smaller ones."""
    sides = [2 * shorter_px, shorter_px]
    while sides[-1] > _LAST_SIDE_PX:
        sides.append(sides[-1] // 2)
    return sides


def _is_open(faces: list[DetectedFace], pixels: np.ndarray) -> bool:
    """Whether the faces leave it open that there is a larger one that the border cuts."""
    if not faces:
        return False
    height, width = pixels.shape[:2]
    largest = max(face.size_px for face in faces)
    boxes = np.array([face.box_px for face in faces])
    touches = (boxes[:, :2] <= 0).any() or (boxes[:, 2:] >= [width, height]).any()
    return bool(touches) or largest < _LARGE_SHARE * min(height, width)
