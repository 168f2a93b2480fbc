"""The contract of `render.fragments` on CUDA, through nvdiffrast where it is installed.

nvdiffrast (S. Laine et al., "Modular primitives for high-performance differentiable rendering",
SIGGRAPH Asia 2020) is on no package registry and licensed for non-commercial use only, so it is
optional. It rounds corners to 1/16 px and sums gradients in any order: pictures agree with the
other backends up to single pixels at edges, and from run to run up to rounding.
"""

import functools
import importlib
import importlib.util
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.geometry.mesh import vertex_normals as vertex_normals
from fit3dmm.render.fragments import Fragments, drawable
from fit3dmm.render.silhouette import find_silhouettes as find_silhouettes

NAME = "nvdiffrast"

INSTALL = (
    "pip install setuptools wheel ninja && "
    "pip install git+https://github.com/NVlabs/nvdiffrast.git --no-build-isolation"
)


def missing() -> str | None:
    """Why the backend can't be used, with what to do about it; None where it can."""
    if not torch.cuda.is_available():
        return (
            "torch sees no CUDA device here: use the processor, or, where there is such a device, "
            "install a CUDA build of torch."
        )
    if importlib.util.find_spec("nvdiffrast") is None:
        return (
            "nvdiffrast is not installed (its licence is non-commercial; it needs a CUDA compiler "
            f"and the CUDA version that torch was built with). To install it: {INSTALL}"
        )
    return None


def rasterise(
    clip: Float[Tensor, "batch vertices 4"],
    triangles: Int[Tensor, "triangles 3"],
    height: int,
    width: int,
) -> Fragments:
    """Find what each pixel shows.

    Args:
        clip: the vertices, as `Camera.to_clip` makes them.
        triangles: rows of `clip`.
        height: of the pictures, in pixels.
        width: of the pictures, in pixels.

    Raises:
        InputError: nvdiffrast can't be used here.
    """
    corners = triangles.to(device=clip.device, dtype=torch.int32).contiguous()
    allowed = drawable(clip.detach(), height, width)
    # nvdiffrast's rows start at y = -1, which in our clip space is the top: nothing is flipped.
    if bool(allowed.all()):
        raster, _ = _library().rasterize(
            _context(clip.device), clip.float().contiguous(), corners, (height, width)
        )
        triangle = raster[..., 3].int() - 1
    else:
        raster, triangle = _without_dropped(clip, corners, allowed, height, width)
    covered = triangle >= 0
    first, second = raster[..., 0], raster[..., 1]
    weights = torch.stack([first, second, 1 - first - second], -1)
    barycentric = torch.where(covered[..., None], weights, torch.zeros_like(weights))
    depth = torch.where(covered, raster[..., 2].detach(), torch.ones_like(first))
    return Fragments(triangle, barycentric, depth)


def interpolate(
    values: Float[Tensor, "batch vertices c"],
    triangles: Int[Tensor, "triangles 3"],
    fragments: Fragments,
) -> Float[Tensor, "batch height width c"]:
    """Vertex values at every pixel, 0 where it shows no triangle."""
    corners = triangles.to(device=values.device, dtype=torch.int32).contiguous()
    raster = torch.cat(
        [
            fragments.barycentric[..., :2],
            fragments.depth[..., None],
            (fragments.triangle + 1).to(fragments.depth.dtype)[..., None],
        ],
        -1,
    )
    picture, _ = _library().interpolate(values.contiguous(), raster.contiguous(), corners)
    return picture


def _without_dropped(
    clip: Tensor, corners: Tensor, allowed: Tensor, height: int, width: int
) -> tuple[Tensor, Tensor]:
    """Rasterise with each image's own list of triangles that the contract lets it have."""
    keep = allowed[:, corners.long()].all(-1)
    kept = keep.nonzero()
    own = corners[kept[:, 1]] + (kept[:, :1] * clip.shape[1]).int()
    counts = keep.sum(1).cpu()
    ranges = torch.stack([counts.cumsum(0) - counts, counts], -1).int()
    # What is not drawn must still be finite.
    points = torch.where(allowed[..., None], clip, torch.ones_like(clip)).float().reshape(-1, 4)
    raster, _ = _library().rasterize(
        _context(clip.device), points.contiguous(), own.contiguous(), (height, width), ranges=ranges
    )
    index = raster[..., 3].long() - 1
    original = torch.cat([kept[:, 1], kept.new_zeros(1)])[index]
    return raster, torch.where(index >= 0, original, -1).int()


def _library() -> Any:
    reason = missing()
    if reason is not None:
        raise InputError(f"The CUDA renderer can't be used: {reason}")
    return importlib.import_module("nvdiffrast.torch")


@functools.cache
def _context(device: torch.device) -> Any:
    """nvdiffrast's buffers on a device; they live as long as the process."""
    return _library().RasterizeCudaContext(device=device)
