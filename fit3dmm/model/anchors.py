"""Where iBUG's points lie on a mean face that brings none: rough places, to begin with."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from fit3dmm._errors import InputError
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.transform import Similarity
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.model.morphable import MorphableModel

EYES = ("eye_left", "eye_right")
_ROUNDS = 12
_REACH_MM = 25.0
# The jaw line slides, and brows are a habit: nose, eyes and lips say enough.
_FIRST_POINT, _AFTER_POINTS = 27, 60


def anchors_by_eyes(
    donor: MorphableModel, surface: NearestSurface, centres_mm: Mapping[str, Float[np.ndarray, "3"]]
) -> dict[int, Float[np.ndarray, "3"]]:
    """The donor's points, by number, on a surface of which the centres of the eyes are known.

    The donor's mean is laid on the eyes, upright, and then by similarities on the nearest points of
    the surface; its points fall on what is nearest to them then.

    Args:
        donor: with the points, and the centres of its own eyes.
        surface: y is up and z out of the face.
        centres_mm: of both eyes, by name.

    Raises:
        InputError: a centre is missing.
    """
    if not set(EYES) <= set(centres_mm):
        raise InputError(
            "Nothing says where the face of this model is: it has neither points nor eye joints."
        )
    shape_mm = donor.shape_mm(donor.zeros()).numpy().astype(np.float64)
    triangles = donor.surface.triangles.numpy()
    own = [donor.joint_mm(name, donor.zeros()).numpy().astype(np.float64) for name in EYES]
    T = solve_similarity(_upright(*own), _upright(*(centres_mm[name] for name in EYES)))
    normals = vertex_normals(Mesh(shape_mm, triangles))
    eyes = donor.regions["eyes"].numpy() > 0.5
    face = np.flatnonzero((donor.regions["face"].numpy() > 0.5) & ~eyes)
    for _ in range(_ROUNDS):
        at_mm = T @ shape_mm[face]
        match = surface.closest(at_mm, normals[face] @ np.asarray(T.rotation).T)
        near = match.distance_mm < _REACH_MM
        if near.sum() < 0.3 * len(face):
            break  # what this leads to is for the registration to judge
        T = solve_similarity(shape_mm[face][near], match.points_mm[near])
    return _fallen(donor, surface, T, shape_mm, triangles)


def _upright(
    left_mm: Float[np.ndarray, "3"], right_mm: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "4 3"]:
    """Both eyes, and what lies as far above and in front of them as they are apart."""
    middle, apart = (left_mm + right_mm) / 2, np.linalg.norm(left_mm - right_mm)
    up, forward = apart * np.eye(3)[1:]
    return np.stack([left_mm, right_mm, middle + up, middle + forward])


def _fallen(
    donor: MorphableModel,
    surface: NearestSurface,
    T_source_donor: Similarity,
    shape_mm: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
) -> dict[int, Float[np.ndarray, "3"]]:
    points = donor.landmarks["ibug68"].numpy().take(range(_FIRST_POINT, _AFTER_POINTS))
    match = surface.closest(T_source_donor @ points.locate(shape_mm, triangles))
    return {_FIRST_POINT + k: place for k, place in enumerate(match.points_mm)}
