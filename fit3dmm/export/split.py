"""A mesh as games want it: one index for position and texture, each thing a mesh of its own.

It is cut open along the borders of its texture islands, and along those of the things.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from fit3dmm._kept import kept
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.surface import Surface, build_surface

LEVEL = 1
"""Subdivision level of the mesh: 18,000 vertices for Commons, which phones can animate."""
HEAD = "head_skin"
"""What holds all that is no thing of its own: skin, the lining of lids and mouth."""
# Gums go with their teeth. Models whose teeth are in one piece have them as one thing.
_THINGS = {
    "eye_left": ("eye_left",),
    "eye_right": ("eye_right",),
    "teeth": ("teeth", "gums"),
    "teeth_upper": ("teeth_upper", "gums_upper"),
    "teeth_lower": ("teeth_lower", "gums_lower"),
    "tongue": ("tongue",),
}


@dataclass(frozen=True)
class SplitVertices:
    """Vertices of a mesh cut open along the borders of its texture islands."""

    vertex: Int[np.ndarray, "split"]
    """Which vertex of the surface each is."""
    uv_point: Int[np.ndarray, "split"]
    """Which texture coordinate it has."""
    triangles: Int[np.ndarray, "triangles 3"]


@kept()
def drawn_surface(model: MorphableModel, level: int = LEVEL) -> Surface:
    """The model's surface, or a coarser one whose vertices are its first."""
    fine = model.surface
    if fine.level <= level:
        return fine
    base = (fine.base_faces, fine.base_mirror, fine.base_uv, fine.base_uv_faces)
    return build_surface(*(array.cpu().numpy() for array in base), level=level)


def split_things(model: MorphableModel, surface: Surface) -> dict[str, SplitVertices]:
    """The head and each thing in it that the model knows, by name.

    Args:
        surface: the model's, or one of a lower level.
    """
    of_head = np.ones(len(surface.triangles), dtype=bool)
    things = {}
    for name, parts in _THINGS.items():
        of_thing = np.zeros_like(of_head)
        for part in parts:
            if part in model.parts:
                # Child k of base face q is face k * faces + q, so a coarser level's come first.
                of_thing |= model.parts[part].cpu().numpy()[: len(of_thing)]
        if of_thing.any():
            things[name] = split_vertices(surface, of_thing)
            of_head &= ~of_thing
    head = {HEAD: split_vertices(surface, of_head)} if of_head.any() else {}
    return head | things


def split_vertices(
    surface: Surface, chosen: Bool[np.ndarray, "triangles"] | None = None
) -> SplitVertices:
    """One vertex for each pair of a surface vertex and a texture coordinate that occurs.

    Args:
        chosen: triangles that are kept; all if left out.
    """
    rows = slice(None) if chosen is None else chosen
    corner = surface.triangles.cpu().numpy()[rows].ravel().astype(np.int64)
    corner_uv = surface.uv_triangles.cpu().numpy()[rows].ravel().astype(np.int64)
    n_uv = len(surface.uv)
    pairs, index = np.unique(corner * n_uv + corner_uv, return_inverse=True)
    return SplitVertices(pairs // n_uv, pairs % n_uv, index.reshape(-1, 3))
