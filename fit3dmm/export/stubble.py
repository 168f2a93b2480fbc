"""The grain of short hair, finer than a mesh's colours: without it a scalp looks like a cap.

Noise that no photo shows: of a scalp a portrait shows hair that is not in the mesh.
"""

import functools

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter
from torch import Tensor

from fit3dmm.export.hair_colour import HairSettings, grown
from fit3dmm.model.morphable import MorphableModel

_SEED, _TILE_PX = 0, 1024
# A millimetre of the scalp is about this share of a texture's side.
_MM = 2.5 / 1024
# Standard deviations and weights of hairs, and of the tufts that they lie in: judgements.
_HAIRS_MM, _TUFTS_MM, _HAIRS, _TUFTS = 0.35, 2.0, 0.8, 0.6


def grain(rows: slice, size_px: int) -> Float[Tensor, "rows size"]:
    """Noise of mean 0 and spread 1 in some rows of a square texture."""
    tile = _tile(size_px)
    row, column = np.arange(rows.start, rows.stop) % len(tile), np.arange(size_px) % len(tile)
    return torch.from_numpy(tile[np.ix_(row, column)])


def with_grain(
    colours: Float[Tensor, "rows size 3"], strength: Float[Tensor, "rows size"], rows: slice
) -> Float[Tensor, "rows size 3"]:
    """Colours of some rows of a texture with the grain of hair where there is some.

    Args:
        colours: linear, one row behind the other in memory; they are changed in place.
        strength: see `grain_strength`.
        rows: which of the texture's they are.
    """
    hairy = (strength > 1e-3).flatten().nonzero()[:, 0]
    if len(hairy):
        noise = grain(rows, colours.shape[1]).to(colours)
        grown, noisy = (one.flatten().index_select(0, hairy) for one in (strength, noise))
        texels = colours.view(-1, 3)
        lit = texels.index_select(0, hairy) * (noisy * grown).exp()[:, None]
        texels.index_copy_(0, hairy, lit)
    return colours


@functools.lru_cache(maxsize=2)
def _tile(size_px: int) -> Float[np.ndarray, "tile tile"]:
    """What large textures are tiled with, so that memory does not grow with them."""
    side = min(size_px, _TILE_PX)
    noise = np.random.default_rng(_SEED).standard_normal((2, side, side), dtype=np.float32)
    hairs, tufts = (
        gaussian_filter(layer, width_mm * _MM * size_px, mode="wrap")
        for layer, width_mm in zip(noise, (_HAIRS_MM, _TUFTS_MM), strict=True)
    )
    return _HAIRS * hairs / hairs.std() + _TUFTS * tufts / tufts.std()


def grain_strength(
    albedo: Float[Tensor, "vertices 3"],
    cover: Float[Tensor, "vertices"],
    skin_linear: Float[Tensor, "3"],
    model: MorphableModel,
    settings: HairSettings,
) -> Float[Tensor, "vertices"]:
    """Natural logarithm of lightness by which one unit of the grain changes each vertex.

    Args:
        albedo: linear, with the hair.
        cover: how densely the scalp is grown over.
        skin_linear: colour of the person's skin.
        model: the one that was fitted.
        settings: where hair grows, and how much of it is seen.
    """
    hair = grown(model, settings) * cover
    darker = (skin_linear.mean() / albedo.mean(1).clamp_min(1e-4)).log().abs()
    darker = darker.clamp(settings.least_contrast, 2.0)
    # In the middle of the hairline hairs stand singly.
    single = 1 + settings.single * 4 * hair * (1 - hair)
    return settings.grain * hair.clamp(0, 1) * darker * single
