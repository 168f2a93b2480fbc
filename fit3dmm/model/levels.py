"""Subdivision levels of a model: how many vertices each has, and values carried to finer ones."""

import numpy as np
from jaxtyping import Float, Int

from fit3dmm.geometry.subdivision import Refinement, composed_operator, unique_edges

MAX_LEVEL = 3
"""Four times the vertices a level: beyond this no picture shows a difference."""


def refine_values(
    steps: list[Refinement], values: Float[np.ndarray, "k coarser c"]
) -> Float[np.ndarray, "k finer c"]:
    """Refine vertex values by subdivision steps."""
    k, n, c = values.shape
    columns = np.moveaxis(values, 0, 1).reshape(n, k * c)
    finer = composed_operator(steps, n).astype(np.float32) @ columns
    return np.moveaxis(finer.reshape(-1, k, c), 1, 0)


def vertex_counts(faces: Int[np.ndarray, "faces corners"], n_base: int, level: int) -> list[int]:
    """Number of surface vertices at levels 0 to `level`, without building them."""
    n_edges, n_faces, counts = len(unique_edges(faces)[0]), len(faces), [n_base]
    for _ in range(level):
        counts.append(counts[-1] + n_edges + n_faces)
        # Each edge splits in two; each quad becomes four quads and adds four edges to its centre.
        n_edges, n_faces = 2 * n_edges + 4 * n_faces, 4 * n_faces
    return counts
