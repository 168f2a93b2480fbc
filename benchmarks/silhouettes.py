"""Which share of a silhouette has a derivative: our edge-driven rule, and the pixel-driven one."""

from collections.abc import Iterator

import torch
from torch import Tensor

from fit3dmm.geometry.mesh import Topology
from fit3dmm.render import cpu
from fit3dmm.render.fragments import Fragments, pixels_from_clip
from harness import Metric
from heads import Mesh


def silhouette_sides(px: Tensor, topology: Topology) -> Tensor:
    """For the sides 0-1, 1-2, 2-0 of each triangle whether they are on a silhouette."""
    triangles = topology.triangles.long()
    a, b, c = px[triangles].unbind(1)
    front = (b - a)[:, 0] * (c - a)[:, 1] < (b - a)[:, 1] * (c - a)[:, 0]
    first, second = topology.edge_triangles.long().unbind(-1)
    silhouette = (second < 0) | (front[first] != front[second.clamp_min(0)])
    key = torch.tensor([topology.n_vertices, 1])
    edge = torch.searchsorted(topology.edges.long() @ key, _sides(topology) @ key)
    return silhouette[edge]


def _sides(topology: Topology) -> Tensor:
    """Ends of the three sides of each triangle, in increasing order."""
    return topology.triangles.long()[:, [[0, 1], [1, 2], [2, 0]]].sort(-1).values


def silhouette_shares(mesh: Mesh, sizes: list[int], label: str) -> Iterator[Metric]:
    """Share of the pairs with one pixel on the head and one off it that have a derivative."""
    for size in sizes:
        clip = mesh.clip(size)
        fragments = cpu.rasterise(clip, mesh.topology.triangles, size, size)
        covered = fragments.covered[0]
        across, down = covered[:, 1:] != covered[:, :-1], covered[1:] != covered[:-1]
        total = int(across.sum() + down.sum())
        pairs = cpu.find_silhouettes(clip, fragments, mesh.topology)
        first, second = pairs.pixels(size, size)
        ours = int((covered.flatten()[first] != covered.flatten()[second]).sum())
        theirs = _pixel_driven(clip, fragments, mesh.topology)
        for name, count in (("edge-driven (ours)", ours), ("pixel-driven", theirs)):
            share = 100 * count / total
            yield Metric(f"{label}, {size} px: silhouette seen, {name}", share, "%", False)


def _pixel_driven(clip: Tensor, fragments: Fragments, topology: Topology) -> int:
    """Silhouette pairs that the rule of nvdiffrast's antialiasing finds.

    Of the pair's triangles the one that is seen (or nearer) is asked: one of its own edges must be
    on a silhouette, be primary for the pair's axis, and cross the line between the centres.
    """
    height, width = fragments.size
    px = pixels_from_clip(clip.double(), height, width)[0] - 0.5
    sides, on_silhouette = _sides(topology), silhouette_sides(px, topology)
    found = 0
    shown = fragments.triangle[0].long()
    for axis, (one, other) in enumerate([(shown[:, :-1], shown[:, 1:]), (shown[:-1], shown[1:])]):
        row, column = ((one >= 0) != (other >= 0)).nonzero(as_tuple=True)
        triangle = torch.maximum(one, other)[row, column]
        ends = px[sides[triangle]] - torch.stack([column, row], -1)[:, None, None]
        along, across = ends[..., axis], ends[..., 1 - axis]
        extent = across[..., 1] - across[..., 0]
        t = -across[..., 0] / extent
        crossing = along[..., 0] + t * (along[..., 1] - along[..., 0])
        primary = extent.abs() >= (along[..., 1] - along[..., 0]).abs()
        hit = (t >= 0) & (t <= 1) & (crossing >= 0) & (crossing <= 1) & primary
        found += int((hit & on_silhouette[triangle]).any(-1).sum())
    return found
