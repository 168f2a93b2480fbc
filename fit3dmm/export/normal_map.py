"""Fine relief as a normal map: what is a little darker than its surroundings lies a little deeper.

Pores and wrinkles are shade before they are colour ("dark is deep": M. Langer, H. Buelthoff, "Depth
discrimination from shading under diffuse lighting", Perception 2000). The map is in the tangent
space of the texture, as glTF has it: red along u, blue out of the surface, and green at right
angles to both, upwards in the texture. Where the texture is sheared or stretched on the surface,
that is taken out, so that the frames of viewers (`geometry.tangents`) give the relief back.
"""

import math

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter, sobel

from fit3dmm.colour import linear_of_bytes, luminance
from fit3dmm.export.morphs import vertex_normals
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.regions import region
from fit3dmm.export.split import split_vertices
from fit3dmm.export.texels import in_texels, texel_fragments, uv_in_texels
from fit3dmm.geometry.tangents import TexturedTriangles, texture_rates
from fit3dmm.model.morphable import Coefficients, MorphableModel

RELIEF_FROM_PX = 250
"""Longer side of the face in the photo from which there is relief, and no mere noise."""
# Judgements by looking. Patterns broader than this on the face are form, which the mesh has.
_BROAD_MM = 2.0
_FINE_MM = 0.25
# Depth of what is darker by a natural logarithm of one, and the steepest relief that is drawn.
_DEPTH_MM = 0.5
_STEEPEST = 0.6
# Below, a logarithm is mostly noise.
_BLACK_LINEAR = 0.01
# Sigmas after which a blur ends.
_TRUNCATE = 4.0
_FLAT = (128, 128, 255)


def relief_png(
    texture: UInt8[np.ndarray, "size size 3"], model: MorphableModel, coefficients: Coefficients
) -> bytes:
    """`normal_map` of a person as a file."""
    return png_bytes(normal_map(texture, model, model.shape_mm(coefficients.neutral())))


def normal_map(
    texture: UInt8[np.ndarray, "size size 3"],
    model: MorphableModel,
    shape_mm: Float[torch.Tensor, "vertices 3"],
) -> UInt8[np.ndarray, "size size 3"]:
    """The relief of the face's skin; flat elsewhere.

    Args:
        texture: base colour, sRGB, row 0 at v = 1.
        model: on whose UV map it lies.
        shape_mm: the person at rest.
    """
    size = len(texture)
    flat = region(model, "brows", "eyes", "mouth_interior")
    skin = model.regions["face"] * model.regions["skin"] * (1 - flat)
    fragments = texel_fragments(model.surface, size)
    weight = in_texels(skin[:, None], model.surface, fragments)[..., 0].numpy()
    texel_mm = face_texel_mm(model, shape_mm, size)
    whole = np.full_like(texture, _FLAT)
    # Half of the texture is the back of the head.
    box = _around(weight > 0, math.ceil(_TRUNCATE * _BROAD_MM / texel_mm) + 1)
    shade = np.log(np.maximum(luminance(linear_of_bytes(texture[box])), _BLACK_LINEAR))
    relief = _blurred(shade, _FINE_MM / texel_mm) - _blurred(shade, _BROAD_MM / texel_mm)
    relief *= _DEPTH_MM * weight[box]
    # Rows run down, against v; Sobel's sums are of eight texels' worth.
    along_u, along_v = sobel(relief, 1) * (size / 8), -sobel(relief, 0) * (size / 8)
    rates, slopes = _rates_per_mm(model, shape_mm, skin), []
    for by_axis in rates.unbind(1):
        rate = uv_in_texels(by_axis, model.surface, fragments).numpy()[box]
        slopes.append(rate[..., 0] * along_u + rate[..., 1] * along_v)
    del fragments, along_u, along_v  # half a gigabyte, of a texture of 4096 px
    steep = np.maximum(np.hypot(*slopes) / _STEEPEST, 1)
    normal = np.stack([*(-slope / steep for slope in slopes), np.ones_like(relief)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    whole[box] = np.round(255 * (0.5 + 0.5 * normal)).astype(np.uint8)
    return whole


def _rates_per_mm(
    model: MorphableModel,
    shape_mm: Float[torch.Tensor, "vertices 3"],
    skin: Float[torch.Tensor, "vertices"],
) -> Float[torch.Tensor, "uv_points 2 2"]:
    """`texture_rates` at the points of the UV map; zero where there is no skin."""
    split = split_vertices(model.surface)
    vertex = split.vertex
    on_skin = (skin > 0).numpy()[vertex][split.triangles].any(1)
    mesh = TexturedTriangles(
        shape_mm.numpy()[vertex],
        vertex_normals(model, shape_mm).numpy()[vertex],
        model.surface.uv.numpy()[split.uv_point],
        split.triangles[on_skin],
    )
    rates = np.zeros((len(model.surface.uv), 2, 2), np.float32)
    rates[split.uv_point] = texture_rates(mesh)
    return torch.from_numpy(rates)


def _around(inside: Bool[np.ndarray, "rows columns"], border: int) -> tuple[slice, slice]:
    """The smallest box that holds what is inside, and a border where there is room for it."""
    found = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    ends = ((some[0], some[-1] + 1) if len(some) else (0, 0) for some in found)
    rows, columns = (slice(max(first - border, 0), last + border) for first, last in ends)
    return rows, columns


def _blurred(
    shade: Float[np.ndarray, "rows columns"], sigma: float
) -> Float[np.ndarray, "rows columns"]:
    return gaussian_filter(shade, sigma, truncate=_TRUNCATE)


def face_texel_mm(
    model: MorphableModel, shape_mm: Float[torch.Tensor, "vertices 3"], size_px: int
) -> float:
    """Side of a texel on the face: the root of the face's area over its number of texels.

    Args:
        model: on whose UV map the texture lies.
        shape_mm: the person at rest.
        size_px: side of the texture.
    """
    surface = model.surface
    on_face = (model.regions["face"] * model.regions["skin"])[surface.triangles].amin(1) > 0.5
    a, b, c = shape_mm[surface.triangles[on_face]].unbind(1)
    area_mm2 = float(torch.linalg.cross(b - a, c - a).norm(dim=-1).sum()) / 2
    p, q, r = surface.uv[surface.uv_triangles[on_face]].unbind(1)
    e, f = q - p, r - p
    area_uv = float((e[:, 0] * f[:, 1] - e[:, 1] * f[:, 0]).abs().sum()) / 2
    return (area_mm2 / max(area_uv, 1e-9)) ** 0.5 / size_px
