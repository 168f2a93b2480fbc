"""Regions of the head as weights 0..1 of its base vertices, cut along edge loops of the mesh."""

import numpy as np
from scipy.spatial import KDTree

from commons.head import Head, ears_mask, face_mask, inside_loop
from commons.sources import BaseMesh, Sources, read_target_mm
from commons.surface_points import HeadSurface, Points

# Two neighbours on the closed edge loop around a region, as vertices of MakeHuman's base mesh, and
# a vertex inside. One eye and one ear (the subject's right) are given; the others are mirrored.
_LIPS = ((455, 454), 466)
_AROUND_LIPS = ((5342, 5343), 466)
_AROUND_EYE = ((174, 171), 152)
_IN_THE_MOUTH = ("mouth", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")
_SMOOTHING_ROUNDS = 2
# MediaPipe's points along the upper and the lower edge of the right and the left brow.
BROWS = (
    ((70, 63, 105, 66, 107), (46, 53, 52, 65, 55)),
    ((300, 293, 334, 296, 336), (276, 283, 282, 295, 285)),
)
_BROW_FULL_MM, _BROW_NONE_MM = 3.5, 8.5


def build_regions(
    sources: Sources, mesh: BaseMesh, surface: HeadSurface, mediapipe: Points
) -> dict[str, np.ndarray]:
    """Weights (base,) of each region.

    `face` is what a frontal photo shows of the skin: hairline to chin without the ears. `skin` is
    the even part of it, for flattening textures. `eyes` and `mouth_interior` are no skin.
    """
    head = surface.head
    skin = head.in_part("skin").astype(float)
    face = skin * face_mask(mesh, head)
    ears = ears_mask(mesh, head)
    lips = skin * inside_loop(mesh, head, *_LIPS)
    brows = _brows(surface, mediapipe) * face
    nose = _nose(sources, head) * face
    scalp, neck = _rest_of_skin(surface, skin * (1 - np.maximum(face, ears)), mediapipe)
    uneven = np.maximum.reduce(
        [
            inside_loop(mesh, head, *_AROUND_LIPS),
            _with_mirror(head, inside_loop(mesh, head, *_AROUND_EYE)),
            brows > 0.05,
            _nostrils(surface, nose),
            1 - face,
        ]
    )
    return {
        "face": face,
        "skin": _softened(head, 1 - uneven) * face,
        "lips": lips,
        "nose": nose,
        "brows": brows,
        "ears": ears,
        "neck": neck,
        "scalp": scalp,
        "eyes": head.in_part("eye_left", "eye_right").astype(float),
        "eye_left": head.in_part("eye_left").astype(float),
        "eye_right": head.in_part("eye_right").astype(float),
        "mouth_interior": head.in_part(*_IN_THE_MOUTH).astype(float),
    }


def ear_quads(mesh: BaseMesh, head: Head) -> np.ndarray:
    """(quads,) mask of both ears."""
    ears = ears_mask(mesh, head)
    return np.all(ears[head.quads] > 0.5, axis=1)


def _with_mirror(head: Head, weights: np.ndarray) -> np.ndarray:
    return np.maximum(weights, weights[head.mirror])


def _brows(surface: HeadSurface, mediapipe: Points) -> np.ndarray:
    """1 between the edges of the brows that the detector looks for, fading out around them."""
    positions_mm = surface.locate(mediapipe)
    share = np.linspace(0, 1, 25)
    filled = []
    for upper, lower in BROWS:
        middle = (positions_mm[list(upper)] + positions_mm[list(lower)]) / 2
        at = np.linspace(0, 1, len(middle))
        filled.append(np.stack([np.interp(share, at, middle[:, k]) for k in range(3)], axis=1))
    distance, _ = KDTree(np.concatenate(filled)).query(_base_mm(surface))
    return np.clip((_BROW_NONE_MM - distance) / (_BROW_NONE_MM - _BROW_FULL_MM), 0, 1)


def _nose(sources: Sources, head: Head) -> np.ndarray:
    """How far each vertex follows when MakeHuman's modifier moves the nose as a whole."""
    path = sources.mpfb2 / "targets" / "nose" / "nose-trans-forward.target.gz"
    moved = np.zeros(head.n_base)
    moved[: head.n_cut] = np.linalg.norm(read_target_mm(path)[head.vertex], axis=1)
    return moved / moved.max()


def _nostrils(surface: HeadSurface, nose: np.ndarray) -> np.ndarray:
    """Vertices of the nose that look down or inwards."""
    normals = surface.normals[: len(nose)]
    return ((nose > 0.5) & (normals[:, 1] < -0.7)).astype(float)


def _rest_of_skin(
    surface: HeadSurface, rest: np.ndarray, mediapipe: Points
) -> tuple[np.ndarray, np.ndarray]:
    """Scalp and neck: above and below a line that rises from the nape to the temples."""
    positions_mm = surface.locate(mediapipe)
    base = _base_mm(surface)
    eye = (positions_mm[33] + positions_mm[263]) / 2
    nose = positions_mm[2]
    behind = np.clip((eye[2] - base[:, 2]) / 100.0, 0, 1)
    border = (1 - behind) * eye[1] + behind * nose[1]
    above = base[:, 1] > border
    return rest * above, rest * ~above


def _softened(head: Head, weights: np.ndarray) -> np.ndarray:
    """Means with the neighbours, never above the weight itself: edges fade inwards."""
    sides = np.stack([head.quads, np.roll(head.quads, -1, axis=1)], axis=2).reshape(-1, 2)
    for _ in range(_SMOOTHING_ROUNDS):
        total = np.zeros(len(weights))
        count = np.zeros(len(weights))
        for a, b in (sides.T, sides.T[::-1]):
            np.add.at(total, a, weights[b])
            np.add.at(count, a, 1)
        weights = np.minimum(weights, total / np.maximum(count, 1))
    return weights


def _base_mm(surface: HeadSurface) -> np.ndarray:
    """Where the base vertices lie on the smooth surface: vertex k is vertex k of every level."""
    return surface.vertices_mm[: surface.head.n_base]
