"""Texture space: which point of the surface each texel shows, and colour beyond the islands."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from fit3dmm.model.surface import Surface
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.fragments import Fragments


def texel_fragments(surface: Surface, size_px: int) -> Fragments:
    """The triangle and barycentrics at the centre of each texel; row 0 is the top, v = 1."""
    u, v = surface.uv.unbind(-1)
    # A texture is a picture of the mesh laid flat: clip space with y down, w = 1 and no depth.
    flat = torch.stack([2 * u - 1, 1 - 2 * v, torch.zeros_like(u), torch.ones_like(u)], -1)
    backend = choose_backend("auto", flat.device)
    return backend.rasterise(flat[None], surface.uv_triangles, size_px, size_px)


def in_texels(
    values: Float[Tensor, "vertices c"], surface: Surface, fragments: Fragments
) -> Float[Tensor, "size size c"]:
    """Vertex values at the texels, 0 where a texel shows no surface."""
    backend = choose_backend("auto", values.device)
    return backend.interpolate(values[None], surface.triangles, fragments)[0]


def padded(
    texture: Float[np.ndarray, "size size c"], covered: Bool[np.ndarray, "size size"]
) -> Float[np.ndarray, "size size c"]:
    """Every texel off the islands takes the colour of the nearest one on them.

    Otherwise a renderer that reads between texels, or at a smaller scale, draws dark seams.
    """
    if not covered.any():
        return texture
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    rows, columns = np.asarray(nearest)
    return texture[rows, columns]
