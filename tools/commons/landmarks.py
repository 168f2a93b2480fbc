"""The named points of Commons: iBUG's 68, MediaPipe's 478, NoW's 7, and the sliding outlines."""

import json
from pathlib import Path

import numpy as np

from commons.contours import jaw_lines, oval_lines
from commons.iris import iris_points
from commons.regions import BROWS
from commons.register_mediapipe import INNER_LIPS, LEFT_LIDS, RIGHT_LIDS
from commons.surface_points import HeadSurface, Points, joined, symmetric_points
from fit3dmm.geometry.surface_points import SurfacePoints

OUTER_LIPS = (
    (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291),
    (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291),
)
TABLE = Path(__file__).with_name("landmark_table.json")

# For iBUG's points 17 to 67 the points of MediaPipe that lie there (several: midway). Checked
# against the 68 points of ICT-FaceKit, registered to the head. The base of the nose is moved, and
# 28 and 29 are spread over the bridge, below.
_IBUG_INNER = (
    (70,), (63,), (105,), (66,), (107,), (336,), (296,), (334,), (293,), (300,),
    (168,), (168, 4), (168, 4), (4,), (240,), (97,), (2,), (326,), (460,),
    (33,), (160,), (158,), (133,), (153,), (144,), (362,), (385,), (387,), (263,), (373,), (380,),
    (61,), (39, 40), (37,), (0,), (267,), (269, 270), (291,),
    (321,), (314, 405), (17,), (84, 181), (91,),
    (78,), (81,), (13,), (311,), (308,), (402,), (14,), (178,),
)  # fmt: skip
_BRIDGE = (27, 28, 29, 30)
_BASE_OF_NOSE = (31, 32, 33, 34, 35)
_UPPER_LIP = 51
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

REGIONS = {
    "lids": np.unique([LEFT_LIDS, RIGHT_LIDS]).tolist(),
    "brows": [number for rows in BROWS for row in rows for number in row],
    "nose": [
        168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 97, 98, 129, 64, 48, 115, 220, 45, 44, 275, 274,
        326, 327, 358, 294, 278, 344, 440,
    ],
    "inner lips": np.unique(INNER_LIPS).tolist(),
    "outer lips": np.unique(OUTER_LIPS).tolist(),
    "outline": list(_OVAL),
}  # fmt: skip
"""Parts of the face by MediaPipe's numbers."""


def mediapipe_points(surface: HeadSurface) -> Points:
    """(478,) MediaPipe's points: the face from the committed table, the irises on the eyeballs."""
    table = json.loads(TABLE.read_text())
    face = Points(np.array(table["triangle"]), np.array(table["barycentric"], dtype=np.float64))
    return joined([face, iris_points(surface)])


def build_landmarks(
    surface: HeadSurface, mediapipe: Points, ears: np.ndarray
) -> tuple[dict[str, SurfacePoints[np.ndarray]], dict[str, SurfacePoints[np.ndarray]]]:
    """Point sets and sliding outlines, as a model stores them.

    Args:
        surface: of the mean shape, whose outline the jaw's points are found on.
        mediapipe: of `mediapipe_points`.
        ears: (quads,) of `regions.ear_quads`.
    """
    positions_mm = surface.locate(mediapipe)
    eyes_mm = positions_mm[list(_OUTER_EYE_CORNERS)].mean(axis=0)
    jaw, jaw_candidates = jaw_lines(surface, eyes_mm, ears)
    ibug = joined([jaw, _inner_ibug(surface, mediapipe)])
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


def _inner_ibug(surface: HeadSurface, mediapipe: Points) -> Points:
    """iBUG's points 17 to 67."""
    positions_mm = surface.locate(mediapipe)
    ibug_mm = np.zeros((68, 3))
    ibug_mm[17:] = [positions_mm[list(numbers)].mean(axis=0) for numbers in _IBUG_INNER]
    bridge, base = list(_BRIDGE), list(_BASE_OF_NOSE)
    ibug_mm[bridge] = _evenly_on_midline(surface, ibug_mm[bridge[0]], ibug_mm[bridge[-1]])
    # The detector sees the base of the nose at the dark edge of the nostrils, people mark the
    # crease below it.
    ibug_mm[base] += _subnasale_mm(surface, ibug_mm[bridge[-1]], ibug_mm[_UPPER_LIP]) - ibug_mm[33]
    return symmetric_points(ibug_mm[17:], np.array(_IBUG_MIRROR[17:]) - 17, surface)


def _midline_mm(surface: HeadSurface, top_mm: np.ndarray, bottom_mm: np.ndarray) -> np.ndarray:
    """(n, 3) vertices of the skin's mid-line between two of its points, from top to bottom."""
    skin = np.unique(surface.triangles[surface.rows["skin"]])
    middle = surface.vertices_mm[skin[surface.mirror[skin] == skin]]
    between = (middle[:, 1] < top_mm[1]) & (middle[:, 1] > bottom_mm[1])
    middle = middle[between & (middle[:, 2] > min(top_mm[2], bottom_mm[2]) - 15.0)]
    return np.vstack([top_mm, middle[np.argsort(-middle[:, 1])], bottom_mm])


def _evenly_on_midline(
    surface: HeadSurface, top_mm: np.ndarray, bottom_mm: np.ndarray
) -> np.ndarray:
    """(4, 3) points at equal distances along the bridge of the nose, its ends included."""
    line = _midline_mm(surface, top_mm, bottom_mm)
    length = np.append(0, np.linalg.norm(np.diff(line, axis=0), axis=1).cumsum())
    wanted = np.linspace(0, length[-1], len(_BRIDGE))
    return np.stack([np.interp(wanted, length, line[:, k]) for k in range(3)], axis=1)


def _subnasale_mm(surface: HeadSurface, tip_mm: np.ndarray, lip_mm: np.ndarray) -> np.ndarray:
    """Where the mid-line lies furthest behind the line from the tip of the nose to the lip."""
    line = _midline_mm(surface, tip_mm, lip_mm)
    chord = (lip_mm - tip_mm) / np.linalg.norm(lip_mm - tip_mm)
    offset = line - tip_mm
    behind = -(offset - np.outer(offset @ chord, chord))[:, 2]
    return line[behind.argmax()]


def _stored(names: tuple[str, ...], points: Points) -> SurfacePoints[np.ndarray]:
    return SurfacePoints(points.triangle, points.barycentric, names)
