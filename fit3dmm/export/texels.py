"""Texture space: which point of the surface each texel shows, and colour beyond the islands."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.export.nearest_texel import nearest_texels
from fit3dmm.model.surface import Surface
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.fragments import Fragments

# A large texture is made in bands of rows, so that memory doesn't grow with it.
_BAND_TEXELS = 2**20


@dataclass(frozen=True)
class Band:
    """Some rows of a texture."""

    rows: slice
    fragments: Fragments
    """What their texels show of the surface."""


def texel_fragments(surface: Surface, size_px: int) -> Fragments:
    """The triangle and barycentrics at the centre of each texel; row 0 is the top, v = 1."""
    return _fragments(surface, size_px, 0, size_px)


def texel_bands(surface: Surface, size_px: int) -> Iterator[Band]:
    """The rows of a texture from top to bottom, as many at a time as make a million texels.

    What textures of up to 1024 px show is kept for the next.
    """
    if size_px**2 <= _BAND_TEXELS:
        yield Band(slice(0, size_px), _kept_fragments(surface, size_px))
        return
    n_rows = _BAND_TEXELS // size_px
    for first in range(0, size_px, n_rows):
        last = min(first + n_rows, size_px)
        yield Band(slice(first, last), _fragments(surface, size_px, first, last))


@kept(most=2)
def _kept_fragments(surface: Surface, size_px: int) -> Fragments:
    return texel_fragments(surface, size_px)


def _fragments(surface: Surface, size_px: int, first: int, last: int) -> Fragments:
    """Rows `first` to `last - 1` of a texture."""
    u, v = surface.uv.unbind(-1)
    # A texture is a picture of the mesh laid flat: clip space with y down, w = 1 and no depth.
    y = 1 - 2 * v
    if last - first < size_px:
        y = (y + 1) * (size_px / (last - first)) - (2 * first / (last - first) + 1)
    flat = torch.stack([2 * u - 1, y, torch.zeros_like(u), torch.ones_like(u)], -1)
    backend = choose_backend("auto", flat.device)
    return backend.rasterise(flat[None], surface.uv_triangles, last - first, size_px)


def in_texels(
    values: Float[Tensor, "vertices c"], surface: Surface, fragments: Fragments
) -> Float[Tensor, "rows columns c"]:
    """Vertex values at the texels, 0 where a texel shows no surface."""
    backend = choose_backend("auto", values.device)
    return backend.interpolate(values[None], surface.triangles, fragments)[0]


def uv_in_texels(
    values: Float[Tensor, "uv_points c"], surface: Surface, fragments: Fragments
) -> Float[Tensor, "rows columns c"]:
    """As `in_texels`, of values that differ from side to side of a border between islands."""
    backend = choose_backend("auto", values.device)
    return backend.interpolate(values[None], surface.uv_triangles, fragments)[0]


def padded(
    texture: Shaped[np.ndarray, "size size c"], covered: Bool[np.ndarray, "size size"]
) -> Shaped[np.ndarray, "size size c"]:
    """Every texel off the islands takes the colour of the nearest one on them.

    Otherwise a renderer that reads between texels, or at a smaller scale, draws dark seams.
    """
    if not covered.any():
        return texture
    find = _found if covered.size > _BAND_TEXELS else _kept_found
    off, nearest = find(np.packbits(covered).tobytes(), covered.shape)
    filled = texture.copy()
    flat = filled.reshape(covered.size, -1)
    flat[off] = flat[nearest]
    return filled


def _found(packed: bytes, shape: tuple[int, int]) -> Int[np.ndarray, "2 off"]:
    """What `nearest_texels` finds.

    Args:
        packed: a bit a texel, 1 where it is covered.
        shape: rows and columns.
    """
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=shape[0] * shape[1])
    return nearest_texels(bits.reshape(shape).view(bool))


_kept_found = functools.lru_cache(maxsize=2)(_found)
