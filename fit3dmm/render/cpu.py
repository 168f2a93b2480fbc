"""The contract of `render.fragments` on the processor, with numba kernels and their derivatives.

Results are the same bit for bit whatever the number of threads, and an image gives the same in a
batch as alone: what is added up is added in a fixed number of parts, in a fixed order.
"""

import itertools
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from fit3dmm._kernels import CACHED, run_jobs
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.render import cpu_interpolate, cpu_normals, cpu_raster, cpu_silhouette
from fit3dmm.render.fragments import Fragments
from fit3dmm.render.silhouette import SilhouettePairs

NAME = "cpu"

# Sums over an image or a mesh are made in this many buffers, whatever the number of threads.
_PARTS = 2
# More depth buffers cost more to merge than the triangles that each thread is spared.
_MAX_BUFFERS = 4


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
    """
    triangle, barycentric, depth = _Rasterise.apply(clip, _int32(triangles), height, width)
    return Fragments(triangle, barycentric, depth)


def interpolate(
    values: Float[Tensor, "batch vertices c"],
    triangles: Int[Tensor, "triangles 3"],
    fragments: Fragments,
) -> Float[Tensor, "batch height width c"]:
    """Vertex values at every pixel, 0 where it shows no triangle."""
    return _Interpolate.apply(
        values, _int32(triangles), fragments.triangle, fragments.barycentric.to(values.dtype)
    )


def vertex_normals(
    points: Float[Tensor, "*batch vertices 3"], topology: Topology
) -> Float[Tensor, "*batch vertices 3"]:
    """The same as `geometry.mesh.vertex_normals`."""
    *batch, n_vertices, _ = points.shape
    flat = points.reshape(math.prod(batch), n_vertices, 3)
    return _VertexNormals.apply(flat, topology.triangles).reshape(points.shape)


def find_silhouettes(
    clip: Float[Tensor, "batch vertices 4"], fragments: Fragments, topology: Topology
) -> SilhouettePairs:
    """The same as `silhouette.find_silhouettes`."""
    points, ids, weights = _arrays(clip, fragments.triangle, fragments.barycentric)
    mesh = [t.numpy() for t in (topology.triangles, topology.edges, topology.edge_triangles)]
    n_images, n_vertices = clip.shape[:2]
    n_slots = 2 * ids[0].size
    # Only the pages that are touched cost time: zeros come from the system, room is not cleared.
    entry = np.zeros((*ids.shape, 2), np.int32)
    pairs = np.empty((n_images, n_slots, 3), np.int64)
    count = np.zeros((n_images, 1), np.int64)
    px = np.empty((n_images, n_vertices, 2))
    facing = np.empty((n_images, len(topology.triangles)), np.int8)
    run_jobs(
        cpu_silhouette.find,
        [
            (points[b], *mesh, ids[b], weights[b], px[b], facing[b], entry[b], pairs[b], count[b])
            for b in range(n_images)
        ],
    )
    found = [rows[:n][np.argsort(rows[:n, 0])] for rows, n in zip(pairs, count[:, 0], strict=True)]
    slot, edge, inside = torch.from_numpy(np.concatenate(found)).unbind(-1)
    image = torch.repeat_interleave(torch.arange(n_images), torch.from_numpy(count[:, 0]))
    pixel, width = slot // 2, ids.shape[2]
    return SilhouettePairs(
        image, pixel // width, pixel % width, slot % 2, inside, topology.edges[edge]
    )


def kernel_cache() -> Path:
    """Where numba keeps the compiled kernels."""
    return Path(str(cpu_raster.cover.stats.cache_path))


def kernels_cached() -> bool:
    """Whether this machine has compiled the kernels before, so that `warm_up` is quick."""
    return CACHED and any(kernel_cache().glob("cpu_raster.cover-*.nbi"))


def warm_up() -> float:
    """Compile the kernels, or load them from the cache, and say how many seconds it took.

    The first call on a machine compiles; without this the first picture would stall instead.
    """
    start = time.perf_counter()
    clip = torch.tensor([[[-0.5, -0.5, 0.0, 1.0], [0.5, -0.5, 0.0, 1.0], [0.0, 0.5, 0.0, 1.0]]])
    clip.requires_grad_()
    topology = build_topology(torch.tensor([[0, 1, 2]]), 3)
    normals = vertex_normals(clip[..., :3], topology)
    fragments = rasterise(clip, topology.triangles, 8, 8)
    picture = interpolate(normals, topology.triangles, fragments)
    find_silhouettes(clip, fragments, topology)
    picture.sum().backward()
    return time.perf_counter() - start


class _Rasterise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, clip: Tensor, triangles: Tensor, height: int, width: int):
        n_images, n_vertices = clip.shape[:2]
        corners = triangles.numpy()
        points = clip.detach().contiguous().numpy()
        x_steps = np.empty((n_images, n_vertices), np.int32)
        y_steps = np.zeros_like(x_steps)
        z = np.empty((n_images, n_vertices), np.float32)
        run_jobs(
            cpu_raster.snap,
            [(points[b], height, width, x_steps[b], y_steps[b], z[b]) for b in range(n_images)],
        )
        parts = min(max(1, torch.get_num_threads() // max(n_images, 1)), _MAX_BUFFERS)
        nearest = np.empty((n_images, parts, height, width), np.float32)
        shown = np.empty((n_images, parts, height, width), np.int32)
        run_jobs(
            cpu_raster.cover,
            [
                (x_steps[b], y_steps[b], z[b], corners, *part, nearest[b, p], shown[b, p])
                for b in range(n_images)
                for p, part in enumerate(_ranges(len(corners), parts))
            ],
        )
        triangle = torch.empty(n_images, height, width, dtype=torch.int32)
        barycentric = clip.new_empty(n_images, height, width, 3)
        depth = clip.new_empty(n_images, height, width)
        outputs = triangle.numpy(), barycentric.numpy(), depth.numpy()
        run_jobs(
            cpu_raster.resolve,
            [
                (points[b], corners, nearest[b], shown[b], *rows, *(o[b] for o in outputs))
                for b in range(n_images)
                for rows in _ranges(height, parts)
            ],
        )
        ctx.save_for_backward(clip, triangles, triangle)
        ctx.mark_non_differentiable(triangle, depth)
        return triangle, barycentric, depth

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor):
        clip, triangles, triangle = ctx.saved_tensors
        n_images, height = triangle.shape[:2]
        points, grad = clip.detach().contiguous().numpy(), grads[1].contiguous().numpy()
        corners, ids = triangles.numpy(), triangle.numpy()
        parts = clip.new_zeros(_PARTS, *clip.shape)
        buffers = parts.numpy()
        run_jobs(
            cpu_raster.resolve_backward,
            [
                (points[b], corners, ids[b], grad[b], *rows, buffers[p, b])
                for b in range(n_images)
                for p, rows in enumerate(_ranges(height, _PARTS))
            ],
        )
        return _total(parts), None, None, None


class _Interpolate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, triangles: Tensor, triangle: Tensor, barycentric: Tensor):
        out = values.new_empty(*triangle.shape, values.shape[-1])
        arrays = _arrays(values, triangle, barycentric)
        corners, picture = triangles.numpy(), out.numpy()
        run_jobs(
            cpu_interpolate.interpolate,
            [
                (v, corners, t, w, *rows, picture[b])
                for b, (v, t, w) in enumerate(zip(*arrays, strict=True))
                for rows in _ranges(triangle.shape[1], _PARTS)
            ],
        )
        ctx.save_for_backward(values, triangles, triangle, barycentric)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor):
        values, triangles, triangle, barycentric = ctx.saved_tensors
        arrays = _arrays(values, triangle, barycentric, grads[0])
        corners = triangles.numpy()
        parts = values.new_zeros(_PARTS, *values.shape)
        grad_barycentric = torch.empty_like(barycentric)
        buffers, weights = parts.numpy(), grad_barycentric.numpy()
        run_jobs(
            cpu_interpolate.interpolate_backward,
            [
                (v, corners, t, w, g, *rows, buffers[p, b], weights[b])
                for b, (v, t, w, g) in enumerate(zip(*arrays, strict=True))
                for p, rows in enumerate(_ranges(triangle.shape[1], _PARTS))
            ],
        )
        return _total(parts), None, None, grad_barycentric


class _VertexNormals(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, points: Tensor, triangles: Tensor):
        (positions,), corners = _arrays(points), triangles.numpy()
        n_images, n_vertices = points.shape[:2]
        totals = np.zeros((n_images, _PARTS, n_vertices, 3), positions.dtype)
        run_jobs(
            cpu_normals.add_triangle_normals,
            [
                (positions[b], corners, *part, totals[b, p])
                for b in range(n_images)
                for p, part in enumerate(_ranges(len(corners), _PARTS))
            ],
        )
        normals = torch.empty_like(points, memory_format=torch.contiguous_format)
        inverse_length = points.new_empty(n_images, n_vertices)
        out, lengths = normals.numpy(), inverse_length.numpy()
        run_jobs(
            cpu_normals.normalise,
            [
                (totals[b], *part, out[b], lengths[b])
                for b in range(n_images)
                for part in _ranges(n_vertices, _PARTS)
            ],
        )
        ctx.save_for_backward(points, triangles, normals, inverse_length)
        return normals

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor):
        points, triangles, *rest = ctx.saved_tensors
        positions, normals, lengths, grad = _arrays(points, *rest, grads[0])
        corners, n_images = triangles.numpy(), len(points)
        grad_total = np.empty_like(grad)
        run_jobs(
            cpu_normals.normalise_backward,
            [
                (grad[b], normals[b], lengths[b], *part, grad_total[b])
                for b in range(n_images)
                for part in _ranges(points.shape[1], _PARTS)
            ],
        )
        parts = points.new_zeros(_PARTS, *points.shape)
        buffers = parts.numpy()
        run_jobs(
            cpu_normals.add_point_gradients,
            [
                (positions[b], corners, grad_total[b], *part, buffers[p, b])
                for b in range(n_images)
                for p, part in enumerate(_ranges(len(corners), _PARTS))
            ],
        )
        return _total(parts), None


def _ranges(length: int, parts: int) -> list[tuple[int, int]]:
    """0..length cut into nearly equal ranges."""
    cuts = [length * part // parts for part in range(parts + 1)]
    return list(itertools.pairwise(cuts))


def _total(parts: Tensor) -> Tensor:
    """Sum of the buffers in their fixed order."""
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total


def _arrays(*tensors: Tensor) -> list[np.ndarray]:
    return [tensor.detach().contiguous().numpy() for tensor in tensors]


def _int32(triangles: Tensor) -> Tensor:
    return triangles.int().contiguous()
