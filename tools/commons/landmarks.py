"""The named points of Commons: iBUG's 68, MediaPipe's 478, NoW's 7, and the sliding outlines."""

import json
from pathlib import Path

import numpy as np

from commons.contours import jaw_lines, oval_lines
from commons.iris import iris_points
from commons.surface_points import HeadSurface, Points, joined, symmetric_points
from fit3dmm.model.stored import StoredPoints

TABLE = Path(__file__).with_name("landmark_table.json")

# For iBUG's points 17 to 67 the points of MediaPipe that lie there (several: between them).
_IBUG_INNER = (
    (70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,),
    (168, 6), (197, 195), (5,), (4,), (75,), (97,), (2,), (326,), (305,),
    (33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,),
    (61,), (39,), (37,), (0,), (267,), (269,), (291,), (321,), (314,), (17,), (84,), (91,),
    (78,), (82,), (13,), (312,), (308,), (317,), (14,), (87,),
)  # fmt: skip
_IBUG_MIRROR = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip
# NoW's names of its points, which are points of iBUG's.
_NOW = {
    "right_eye_outer": 36, "right_eye_inner": 39, "left_eye_inner": 42, "left_eye_outer": 45,
    "nose_bottom": 33, "right_mouth_corner": 48, "left_mouth_corner": 54,
}  # fmt: skip
_OUTER_EYE_CORNERS = (33, 263)
# From the forehead towards the subject's left, as in fit3dmm.observe.detect.
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip


def mediapipe_points(surface: HeadSurface) -> Points:
    """(478,) MediaPipe's points: the face from the committed table, the irises on the eyeballs."""
    table = json.loads(TABLE.read_text())
    face = Points(np.array(table["triangle"]), np.array(table["barycentric"], dtype=np.float64))
    return joined([face, iris_points(surface)])


def build_landmarks(
    surface: HeadSurface, mediapipe: Points, ears: np.ndarray
) -> tuple[dict[str, StoredPoints], dict[str, StoredPoints]]:
    """Point sets and sliding outlines, as a model stores them.

    Args:
        surface: of the mean shape, whose outline the jaw's points are found on.
        mediapipe: of `mediapipe_points`.
        ears: (quads,) of `regions.ear_quads`.
    """
    positions_mm = surface.locate(mediapipe)
    eyes_mm = positions_mm[list(_OUTER_EYE_CORNERS)].mean(axis=0)
    jaw, jaw_candidates = jaw_lines(surface, eyes_mm, ears)
    inner_mm = np.array([positions_mm[list(numbers)].mean(axis=0) for numbers in _IBUG_INNER])
    inner_mirror = np.array(_IBUG_MIRROR[17:]) - 17
    ibug = joined([jaw, _on_surface(inner_mm, inner_mirror, mediapipe, surface)])
    oval = oval_lines(surface, eyes_mm, ears, positions_mm[list(_OVAL)])
    ibug_names = tuple(f"ibug_{k:02d}" for k in range(68))
    landmarks = {
        "ibug68": _stored(ibug_names, ibug),
        "mediapipe478": _stored(tuple(f"mediapipe_{k:03d}" for k in range(478)), mediapipe),
        "now7": _stored(tuple(_NOW), ibug[list(_NOW.values())]),
    }
    contours = {
        "jaw17": _stored(ibug_names[:17], jaw_candidates),
        "oval36": _stored(tuple(f"mediapipe_{k:03d}" for k in _OVAL), oval),
    }
    return landmarks, contours


def _on_surface(
    positions_mm: np.ndarray, mirror: np.ndarray, mediapipe: Points, surface: HeadSurface
) -> Points:
    """Skin points; those that are a single MediaPipe point are taken over exactly."""
    points = symmetric_points(positions_mm, mirror, surface)
    single = [k for k, numbers in enumerate(_IBUG_INNER) if len(numbers) == 1]
    return points.replaced(single, mediapipe[[_IBUG_INNER[k][0] for k in single]])


def _stored(names: tuple[str, ...], points: Points) -> StoredPoints:
    return StoredPoints(names, points.triangle, points.barycentric)
