"""The things that a model's mesh is made of: skin, eyeballs, teeth, tongue, each its own faces."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float, Int

SKIN = "skin"
# Regions of files that name no parts (format 1, other families), the first that fits wins: teeth
# count as inside of the mouth too.
_PART_OF_REGION = {
    "eye_left": "eye_left",
    "eye_right": "eye_right",
    "teeth": "teeth",
    "tongue": "tongue",
    "gums": "gums",
    "mouth_interior": "mouth",
    "eye_socket": "socket",
}
_WHOLLY = 0.5


def parts_from_regions(
    faces: Int[np.ndarray, "faces corners"], regions: Mapping[str, Float[np.ndarray, "base"]]
) -> dict[str, Int[np.ndarray, "_"]]:
    """Parts of a mesh whose regions alone are known: a face is where all its corners are.

    Returns:
        Rows of `faces` of each part that has any; what is nothing else is skin.
    """
    free = np.ones(len(faces), dtype=bool)
    parts = {}
    for region, part in _PART_OF_REGION.items():
        if region in regions:
            here = free & (regions[region] > _WHOLLY)[faces].all(axis=1)
            parts[part] = np.flatnonzero(here)
            free &= ~here
    parts[SKIN] = np.flatnonzero(free)
    return {name: rows for name, rows in sorted(parts.items()) if len(rows)}


def triangles_in_part(
    rows: Int[np.ndarray, "_"], n_faces: int, corners: int, n_triangles: int
) -> Bool[np.ndarray, "triangles"]:
    """Mask of a surface's triangles that belong to a part, given by base faces.

    Args:
        rows: base faces of the part.
        n_faces: of the base mesh.
        corners: 4 for quads, whose children `geometry.subdivision` numbers such that child
            `k * faces + q` is quad q's; 3 for triangles, which have none.
        n_triangles: of the surface, at whatever level it is.
    """
    of_face = np.zeros(n_faces, dtype=bool)
    of_face[rows] = True
    face = np.arange(n_triangles) if corners == 3 else (np.arange(n_triangles) // 2) % n_faces
    return of_face[face]
