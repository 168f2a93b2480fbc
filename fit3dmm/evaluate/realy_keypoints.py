"""REALY's 85 keypoints on a face model: iBUG's 68, and 17 that this module places by rule.

The authors give the 17 as lists for their own topologies and describe them as additional points on
the cheeks. On those topologies they stand in mirrored pairs under the eyes, beside the nose, on the
cheekbones, the cheeks and the sides of the face, with three on the chin. We place them by rounded
proportions between eyes and mouth, so that any model with iBUG's points has them. Only four enter
scores, and only through rigid alignments: 70 and 71 that of the nose, 76 and 77 that of the cheek.
"""

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel

# Pairs (of the subject's right side and left): how far to the side of the middle of the outer eye
# corners, in half distances of these; how far from there to the middle of the corners of the mouth;
# and how far in front of the plane of these four corners, again in half distances of the eyes'.
_PAIRS = {
    (68, 69): (0.95, 0.25, 0.05),  # under the eye
    (70, 71): (0.60, 0.50, 0.15),  # beside the wing of the nose
    (72, 73): (1.00, 0.90, -0.25),  # on the cheek, level with the mouth
    (74, 75): (1.50, 0.20, -0.45),  # on the side of the cheekbone
    (76, 77): (1.25, 0.55, -0.25),  # on the front of the cheekbone
    (78, 80): (0.45, 1.35, -0.15),  # beside the chin's middle
    (81, 82): (1.55, 0.45, -0.90),  # before the ear
    (83, 84): (1.45, 0.85, -0.95),  # on the jaw's side
}
_CHIN = (79, (0.0, 1.30, 0.05))
"""The one in the middle, between lower lip and chin."""


def realy_keypoints(model: MorphableModel) -> SurfacePoints[np.ndarray]:
    """Where the 85 points are on a model, at its own level of detail.

    Raises:
        InputError: the model has no iBUG points.
    """
    if "ibug68" not in model.landmarks:
        raise InputError(
            f"The model {model.info.name} has no ibug68 landmarks, from which REALY's 85 points "
            "are made: convert it again with `fit3dmm model convert`."
        )
    known = model.landmarks["ibug68"].numpy()
    triangles = model.surface.triangles.cpu().numpy().astype(np.int64)
    with torch.no_grad():
        mean_mm = model.shape_mm(model.zeros()).cpu().double().numpy()
    wanted_mm = places_of_17(known.locate(mean_mm, triangles))
    found = NearestSurface(mean_mm, triangles).closest(wanted_mm)
    return SurfacePoints(
        np.concatenate([known.triangle, found.triangle]),
        np.concatenate([known.barycentric, found.barycentric]),
    )


def places_of_17(ibug68: Float[np.ndarray, "68 3"]) -> Float[np.ndarray, "17 3"]:
    """Where points 68 to 84 should be, near the surface, from iBUG's points of a face at rest."""
    eye_right, eye_left = ibug68[36], ibug68[45]
    left = (eye_left - eye_right) / 2
    middle = (eye_right + eye_left) / 2
    down = (ibug68[48] + ibug68[54]) / 2 - middle
    down = down - (down @ left) / (left @ left) * left
    front = np.cross(down, left)
    front = front * (np.linalg.norm(left) / np.linalg.norm(front))
    places = np.empty((17, 3))
    for (right_row, left_row), (aside, below, before) in _PAIRS.items():
        for row, side in ((right_row, -aside), (left_row, aside)):
            places[row - 68] = middle + side * left + below * down + before * front
    row, (aside, below, before) = _CHIN
    places[row - 68] = middle + aside * left + below * down + before * front
    return places
