"""The contract of `render.fragments` in plain PyTorch: slow, obviously right, the truth for tests.

Coverage is decided in float64 without rounding corners, so pixels whose centre lies within 1/256 px
of an edge may show another triangle than in a fast backend.
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.geometry.mesh import vertex_normals as vertex_normals
from fit3dmm.render.fragments import Fragments, drawable, pixels_from_clip
from fit3dmm.render.silhouette import find_silhouettes as find_silhouettes

NAME = "reference"


def rasterise(
    clip: Float[Tensor, "batch vertices 4"],
    triangles: Int[Tensor, "triangles 3"],
    height: int,
    width: int,
) -> Fragments:
    """Find what each pixel shows: one triangle after another, all pixels of its box at once.

    Args:
        clip: the vertices, as `Camera.to_clip` makes them.
        triangles: rows of `clip`.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.
    """
    shown = [_visible(image, triangles.long(), height, width) for image in clip.detach()]
    triangle = torch.stack([ids for ids, _ in shown])
    depth = torch.stack([depths for _, depths in shown]).to(clip.dtype)
    return Fragments(triangle, barycentrics(clip, triangles, triangle), depth)


def barycentrics(
    clip: Float[Tensor, "batch vertices 4"],
    triangles: Int[Tensor, "triangles 3"],
    triangle: Int[Tensor, "batch height width"],
) -> Float[Tensor, "batch height width 3"]:
    """Barycentrics at frozen visibility: where a pixel's ray meets the plane of its triangle.

    The ray through (x, y) holds the clip points with X - x W = 0 and Y - y W = 0, so the weights
    are the areas that the origin spans with the corners' (X - x W, Y - y W): M. Olano, T. Greer,
    "Triangle scan conversion using 2D homogeneous coordinates", 1997. Autograd differentiates it.
    """
    _, height, width = triangle.shape
    image, row, column = (triangle >= 0).nonzero(as_tuple=True)
    seen = triangles[triangle[image, row, column].long()].long()
    corners = clip.double()[image[:, None], seen]
    x, y = (2 * column + 1).double() / width - 1, (2 * row + 1).double() / height - 1
    areas = _ray_areas(corners, x, y)
    weights = areas / areas.sum(-1, keepdim=True)
    # Rounded coverage lets a centre lie up to 1/256 px outside: values are kept within the
    # triangle, derivatives are those of the plane.
    inside = weights.detach().clamp(0, 1)
    inside = inside / inside.sum(-1, keepdim=True)
    weights = weights + (inside - weights).detach()
    picture = weights.new_zeros(*triangle.shape, 3).index_put((image, row, column), weights)
    return picture.to(clip.dtype)


def interpolate(
    values: Float[Tensor, "batch vertices c"],
    triangles: Int[Tensor, "triangles 3"],
    fragments: Fragments,
) -> Float[Tensor, "batch height width c"]:
    """Vertex values at every pixel, 0 where it shows no triangle."""
    corners = triangles[fragments.triangle.clamp_min(0).long()].long()
    image = torch.arange(len(values), device=values.device)[:, None, None, None]
    # Weights are 0 in the background, so the triangle that stands in for it doesn't matter.
    return torch.einsum("bhwkc,bhwk->bhwc", values[image, corners], fragments.barycentric)


def _visible(clip: Tensor, triangles: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Triangle and depth of each pixel of one image."""
    clip = clip.double()
    px = pixels_from_clip(clip, height, width)[triangles].numpy()
    depths = (clip[:, 2] / clip[:, 3])[triangles].numpy()
    allowed = drawable(clip, height, width)[triangles].all(-1)
    shown = np.full((height, width), -1, np.int32)
    nearest = np.ones((height, width))
    for t in allowed.nonzero()[:, 0].tolist():
        # Rows and columns whose centres lie within the triangle's box.
        left, top = np.ceil(px[t].min(0) - 0.5).clip(0).astype(int)
        right, bottom = np.floor(px[t].max(0) - 0.5).astype(int) + 1
        x, y = np.meshgrid(
            np.arange(left, min(right, width)) + 0.5, np.arange(top, min(bottom, height)) + 0.5
        )
        (x0, y0), (x1, y1), (x2, y2) = px[t]
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if x.size == 0 or area == 0:
            continue
        # z/w is linear in the picture, so its weights are plain areas there.
        first = ((x1 - x) * (y2 - y) - (y1 - y) * (x2 - x)) / area
        second = ((x2 - x) * (y0 - y) - (y2 - y) * (x0 - x)) / area
        third = 1 - first - second
        depth = first * depths[t, 0] + second * depths[t, 1] + third * depths[t, 2]
        box = slice(top, min(bottom, height)), slice(left, min(right, width))
        # The first triangle at the very depth of the far plane is seen too.
        nearer = (depth < nearest[box]) | ((depth == nearest[box]) & (shown[box] < 0))
        inside = (first >= 0) & (second >= 0) & (third >= 0)
        seen = inside & nearer & (depth >= -1)
        shown[box][seen] = t
        nearest[box][seen] = depth[seen]
    return torch.from_numpy(shown), torch.from_numpy(nearest)


def _ray_areas(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Areas (..., 3) about the rays through x, y (...) of clip corners (..., 3, 4)."""
    dx = corners[..., 0] - x[..., None] * corners[..., 3]
    dy = corners[..., 1] - y[..., None] * corners[..., 3]
    first, second = [1, 2, 0], [2, 0, 1]
    return dx[..., first] * dy[..., second] - dy[..., first] * dx[..., second]
