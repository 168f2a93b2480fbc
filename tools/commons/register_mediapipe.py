"""MediaPipe's canonical face laid onto the head: where each of its 468 points belongs, by shape.

The canonical mesh lies in the model bundle that fit3dmm ships for its detector (Apache-2.0). It is
only where the search for what the detector sees begins (`seen_points`).
"""

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.spatial import KDTree

from commons.surface_points import HeadSurface, Points, along_loop, joined, symmetric_points
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.registration import RegistrationSettings, register

N_CANONICAL = 468
# Upper and lower lid of the subject's right eye and the inner and outer upper and lower lip, each
# from the subject's right to left (eye: from the outer corner to the inner).
RIGHT_LIDS = (
    (33, 246, 161, 160, 159, 158, 157, 173, 133),
    (33, 7, 163, 144, 145, 153, 154, 155, 133),
)
LEFT_LIDS = (
    (263, 466, 388, 387, 386, 385, 384, 398, 362),
    (263, 249, 390, 373, 374, 380, 381, 382, 362),
)
INNER_LIPS = (
    (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308),
    (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308),
)
# MediaPipe's number and the vertex of MakeHuman's base mesh that lies in the same place: points
# with an anatomical name, picked by eye on the mean head. Mirrored pairs are given once.
_ANCHORS = {
    10: 5192, 151: 5320, 9: 234, 8: 220, 168: 136, 6: 134, 4: 294, 1: 297, 94: 312, 2: 343,
    164: 5342, 0: 455, 17: 492, 18: 724, 200: 5162, 152: 5296,
    61: 368, 39: 409, 37: 450, 84: 486, 181: 480, 91: 370, 129: 203, 98: 358, 97: 341,
}  # fmt: skip
_SETTINGS = RegistrationSettings(stiffness=(100.0, 1.0), reach_mm=(30.0, 8.0))
_RIM_SAMPLES = 8
_BEFORE_RIM_MM = 4.0


@dataclass(frozen=True)
class CanonicalFace:
    vertices_mm: np.ndarray
    """(468, 3), x to the subject's left, y up, z to the front."""
    triangles: np.ndarray
    mirror: np.ndarray
    """(468,) the point mirrored across x = 0."""


def read_canonical_face(bundle: Path) -> CanonicalFace:
    """Read the mesh out of `face_landmarker.task`, a zip with a protocol buffer in it."""
    with zipfile.ZipFile(bundle) as archive:
        metadata = archive.read("geometry_pipeline_metadata_landmarks.binarypb")
    mesh = next(content for number, content in _fields(metadata) if number == 1)
    fields = list(_fields(mesh))
    # Five numbers a vertex: position in cm and texture coordinates.
    numbers = b"".join(content for number, content in fields if number == 3)
    vertices_mm = np.frombuffer(numbers, "<f4").reshape(N_CANONICAL, 5)[:, :3].astype(float) * 10
    triangles = np.array([content for number, content in fields if number == 4]).reshape(-1, 3)
    mirrored_mm = vertices_mm * [-1, 1, 1]
    mirror = np.asarray(KDTree(vertices_mm).query(mirrored_mm)[1])
    if np.abs(vertices_mm[mirror] - mirrored_mm).max() > 0.01:
        raise SystemExit("The canonical face of the model bundle is not symmetric.")
    return CanonicalFace(vertices_mm, triangles, mirror)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Number and content of each field of a protocol buffer message."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if kind == 2 else (4, at)
            value, at = message[at : at + size], at + size
        yield key >> 3, value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def register_canonical(face: CanonicalFace, surface: HeadSurface) -> Points:
    """(468,) skin points of the head, one for each canonical vertex, mirror images of each other.

    Points on the rims of lids and inner lips lie on the head's rims.
    """
    rims = rim_points(surface)
    targets = _anchor_targets_mm(rims, surface)
    n = len(targets)
    anchors = sp.csr_matrix((np.ones(n), (np.arange(n), list(targets))), shape=(n, N_CANONICAL))
    skin = NearestSurface(surface.vertices_mm, surface.triangles[surface.rows["skin"]])
    laid = register(
        face.vertices_mm,
        face.triangles,
        np.zeros(N_CANONICAL, dtype=np.int64),
        skin,
        anchors,
        np.array(list(targets.values())),
        _SETTINGS,
    )
    points = symmetric_points(laid.vertices_mm, face.mirror, surface)
    return points.replaced(list(rims), joined([rim[None] for rim in rims.values()]))


def rim_points(surface: HeadSurface) -> dict[int, Points]:
    """The points of lids and inner lips, spread over the head's rims by length."""
    head = surface.head
    lips = _arcs(surface, along_loop(head, head.lip_rim, _RIM_SAMPLES))
    lids = _arcs(surface, along_loop(head, head.lid_rims[1], _RIM_SAMPLES))
    placed: dict[int, Points] = {}
    for numbers, arc in zip(RIGHT_LIDS, lids, strict=True):
        placed.update(zip(numbers, _spread(surface, arc, len(numbers)), strict=True))
    for right, left in zip(RIGHT_LIDS, LEFT_LIDS, strict=True):
        placed.update({b: surface.mirrored(placed[a]) for a, b in zip(right, left, strict=True)})
    for numbers, arc in zip(INNER_LIPS, lips, strict=True):
        half = len(numbers) // 2
        points = _spread(surface, arc, len(numbers))
        for k in range(half + 1):
            placed[numbers[k]] = points[k]
            placed[numbers[-1 - k]] = surface.mirrored(points[k])
        placed[numbers[half]] = points[half]
    return placed


def _arcs(surface: HeadSurface, rim: Points) -> tuple[Points, Points]:
    """Upper and lower part of a closed rim, both from the lowest x to the highest."""
    position = surface.locate(rim)
    n = len(rim)
    first, last = int(position[:, 0].argmin()), int(position[:, 0].argmax())
    one = rim[(first + np.arange((last - first) % n + 1)) % n]
    other = rim[(first - np.arange((first - last) % n + 1)) % n]
    if surface.locate(one)[:, 1].mean() > surface.locate(other)[:, 1].mean():
        return one, other
    return other, one


def _spread(surface: HeadSurface, arc: Points, n: int) -> list[Points]:
    """n points of an arc, its ends included, at equal distances along it."""
    position = surface.locate(arc)
    length = np.append(0, np.linalg.norm(np.diff(position, axis=0), axis=1).cumsum())
    return [arc[np.abs(length - s).argmin()] for s in np.linspace(0, length[-1], n)]


def _anchor_targets_mm(rims: dict[int, Points], surface: HeadSurface) -> dict[int, np.ndarray]:
    """Where the anchored points belong."""
    row = {int(v): k for k, v in enumerate(surface.head.vertex)}
    targets = {number: surface.locate(point) for number, point in rims.items()}
    for number, vertex in _ANCHORS.items():
        targets[number] = surface.vertices_mm[row[vertex]]
    return targets


def search_start(
    face: CanonicalFace, surface: HeadSurface, canonical: Points
) -> tuple[HeadSurface, Points, np.ndarray]:
    """Where the search for what the detector sees begins.

    Returns:
        The surface with the areas `upper lip` and `lower lip`, a point for each canonical vertex,
        and the area (468,) that each stays on. The lips nearly touch, so the nearest point to a
        place on one must not be taken from the other. The lids' rims lie behind the eyeballs'
        front, so their points begin in front of them.
    """
    rim = along_loop(surface.head, surface.head.lip_rim, _RIM_SAMPLES)
    upper_mm, lower_mm = (surface.locate(arc) for arc in _arcs(surface, rim))
    rows = surface.rows["skin"]
    centre_mm = surface.vertices_mm[surface.triangles[rows]].mean(axis=1)
    x = centre_mm[:, 0]
    between = [np.interp(x, arc[:, 0], arc[:, 1]) for arc in (upper_mm, lower_mm)]
    above = centre_mm[:, 1] > np.mean(between, axis=0)
    surface = surface.with_area("upper lip", rows[above]).with_area("lower lip", rows[~above])
    area = np.full(N_CANONICAL, "skin", dtype="U9")
    area[list(INNER_LIPS[0][1:-1])] = "upper lip"
    area[list(INNER_LIPS[1][1:-1])] = "lower lip"
    lids = np.unique([LEFT_LIDS, RIGHT_LIDS])
    forward_mm = np.array([0.0, 0.0, _BEFORE_RIM_MM])
    in_front = symmetric_points(surface.locate(canonical) + forward_mm, face.mirror, surface)
    return surface, canonical.replaced(lids, in_front[lids]), area
