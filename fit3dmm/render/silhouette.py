"""Silhouettes: where a surface ends against what lies behind it, and how that changes the picture.

A rasteriser's picture jumps where a silhouette crosses a pixel's centre, so its derivative knows
nothing of silhouettes. Here every pair of neighbouring pixels that one runs between is mixed by
where it crosses the line between their centres, which is what the derivative of the exact picture
asks for, as in S. Laine et al., "Modular primitives for high-performance differentiable rendering",
SIGGRAPH Asia 2020, section 3.6. There the edges of the triangles that the two pixels show are
searched. On a face mesh, whose triangles are smaller than pixels, those are almost never on the
silhouette. We go the other way: from the few edges that are, to the pixels they pass.

An edge is on a silhouette if it is a border or joins a triangle that faces the viewer to one that
doesn't. An edge steeper than 45 degrees mixes pixels that lie beside each other, a flatter one
pixels above each other, so that nothing is counted twice.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.mesh import Topology
from fit3dmm.render.fragments import Fragments, drawable, pixels_from_clip

# Depths (w) that differ by less than this share are one surface: 1.2 mm at 600 mm.
SAME_DEPTH = 2e-3


@dataclass(frozen=True)
class SilhouettePairs(TensorRecord):
    """Pairs of neighbouring pixels that a silhouette runs between. Which ones has no derivative."""

    image: Int[Tensor, "pairs"]
    """Index in the batch."""
    row: Int[Tensor, "pairs"]
    """Of the pair's first pixel."""
    column: Int[Tensor, "pairs"]
    axis: Int[Tensor, "pairs"]
    """0: the second pixel is to the right of the first; 1: below it."""
    inside: Int[Tensor, "pairs"]
    """0: the first pixel shows the surface that ends here, 1: the second does."""
    vertices: Int[Tensor, "pairs 2"]
    """Ends of the edge that the silhouette is made of."""

    def __len__(self) -> int:
        return len(self.image)

    def ends(self, values: Float[Tensor, "batch vertices c"]) -> Float[Tensor, "pairs 2 c"]:
        """Vertex values at the two ends of the edges."""
        n_vertices, channels = values.shape[1:]
        row = self.image[:, None].long() * n_vertices + self.vertices.long()
        # Unlike indexing, this has a quick derivative.
        return values.reshape(-1, channels).index_select(0, row.flatten()).unflatten(0, (-1, 2))

    def crossings(self, ends_px: Float[Tensor, "pairs 2 2"]) -> Float[Tensor, "pairs"]:
        """Where the silhouette crosses the line from the first centre (0) to the second (1).

        Args:
            ends_px: (x, y) of the ends of the edges, such as `pairs.ends(vertices_px)`.
        """
        a, b = self._from_first_centre(ends_px)
        return a[:, 0] + (b - a)[:, 0] * a[:, 1] / (a - b)[:, 1]

    def crossing_jacobian(self, ends_px: Float[Tensor, "pairs 2 2"]) -> Float[Tensor, "pairs 2 2"]:
        """Derivative of `crossings` by (end of the edge, x or y in px)."""
        a, b = self._from_first_centre(ends_px)
        # With t how far from a to b the crossing lies, it moves with the mean (1 - t, t) of the
        # ends along the line, and against that by the slope of the edge across it.
        t = a[:, 1] / (a - b)[:, 1]
        slope = (b - a)[:, 0] / (b - a)[:, 1]
        along = torch.stack([1 - t, t], -1)
        across = -slope[:, None] * along
        horizontal = (self.axis == 0)[:, None, None]
        return torch.where(
            horizontal, torch.stack([along, across], -1), torch.stack([across, along], -1)
        )

    def pixels(self, height: int, width: int) -> tuple[Tensor, Tensor]:
        """Indices of the first and the second pixels among all pixels of the batch."""
        first = (self.image.long() * height + self.row) * width + self.column
        return first, first + torch.where(self.axis == 0, 1, width)

    def _from_first_centre(self, ends_px: Tensor) -> tuple[Tensor, Tensor]:
        """Ends of the edges as (along the line, across it), from the first pixel's centre."""
        centre = torch.stack([self.column, self.row], -1).to(ends_px.dtype) + 0.5
        ends = ends_px - centre[:, None]
        ends = torch.where((self.axis == 0)[:, None, None], ends, ends.flip(-1))
        a, b = ends.unbind(1)
        return a, b


def blend_silhouettes(
    picture: Float[Tensor, "batch height width c"],
    pairs: SilhouettePairs,
    crossings: Float[Tensor, "pairs"],
) -> Float[Tensor, "batch height width c"]:
    """Mix the pixels of each pair by how far the silhouette reaches into the other's half.

    Where it crosses at 0.5 nothing is mixed; at 0 the first pixel takes half of the second's value.
    """
    height, width, channels = picture.shape[1:]
    flat = picture.reshape(-1, channels)
    first, second = pairs.pixels(height, width)
    excess = (crossings - 0.5)[:, None].to(picture.dtype)
    difference = flat.index_select(0, second) - flat.index_select(0, first)
    flat = flat.index_add(0, first, (-excess).clamp_min(0) * difference)
    flat = flat.index_add(0, second, -excess.clamp_min(0) * difference)
    return flat.reshape(picture.shape)


def find_silhouettes(
    clip: Float[Tensor, "batch vertices 4"], fragments: Fragments, topology: Topology
) -> SilhouettePairs:
    """The pairs of all silhouettes that are seen, in plain PyTorch on any device.

    The surface ends between two pixels where a silhouette's edge crosses the line between their
    centres, the inner pixel shows nothing that lies behind the edge, and the outer pixel shows
    something that does, or nothing. Where several edges cross, the outermost counts.
    """
    height, width = fragments.size
    px = pixels_from_clip(clip.detach().double(), height, width)
    found = _crossed_pairs(px, drawable(clip.detach(), height, width), fragments, topology)
    image, row, column, axis, inside, edge, position = found
    ends = topology.edges.long()[edge]
    a, b = px[image[:, None], ends].unbind(1)
    across = torch.where(axis == 0, row, column) + 0.5
    side = torch.arange(len(axis), device=axis.device), 1 - axis
    t = (across - a[side]) / (b[side] - a[side])
    ends_w = clip.detach().double()[..., 3][image[:, None], ends]
    # Depth w along an edge is linear in 1/w.
    edge_w = 1 / ((1 - t) / ends_w[:, 0] + t / ends_w[:, 1])

    first = (image * height + row) * width + column
    second = first + torch.where(axis == 0, 1, width)
    seen_w = _seen_depth(clip.detach(), fragments, topology).flatten()
    shown = fragments.triangle.flatten()
    inner, outer = torch.where(inside == 0, first, second), torch.where(inside == 0, second, first)
    limit = edge_w * (1 + SAME_DEPTH)
    ends_here = (
        (shown[inner] >= 0)
        & (shown[inner] != shown[outer])
        & (seen_w[inner] <= limit)
        & (seen_w[outer] > limit)
    )
    outwards = torch.where(inside == 0, position, -position)
    slot = first * 2 + axis
    best = torch.full((2 * shown.numel(),), -torch.inf, dtype=outwards.dtype, device=shown.device)
    best = best.scatter_reduce(0, slot[ends_here], outwards[ends_here], "amax")
    keep = (ends_here & (outwards == best[slot])).nonzero()[:, 0]
    # In the order of slots, and of edges where two cross in the very same place.
    keep = keep[torch.argsort(slot[keep], stable=True)]
    single = torch.ones_like(keep, dtype=torch.bool)
    single[1:] = slot[keep][1:] != slot[keep][:-1]
    k = keep[single]
    return SilhouettePairs(image[k], row[k], column[k], axis[k], inside[k], topology.edges[edge[k]])


def _crossed_pairs(
    px: Tensor, allowed: Tensor, fragments: Fragments, topology: Topology
) -> tuple[Tensor, ...]:
    """Image, row, column, axis, inside, edge and crossing of all pairs that silhouettes pass."""
    corners = px[:, topology.triangles.long()]
    a, b, c = corners.unbind(2)
    area = _cross(b - a, c - a)
    usable = allowed[:, topology.triangles.long()].all(-1)
    first, second = topology.edge_triangles.long().unbind(-1)
    border = second < 0
    second = torch.where(border, first, second)
    flips = ((area[:, first] > 0) != (area[:, second] > 0)) | border
    image, edge = (flips & usable[:, first] & usable[:, second]).nonzero(as_tuple=True)

    ends = topology.edges.long()[edge]
    a, b = px[image[:, None], ends].unbind(1)
    steep = (b - a)[:, 1].abs() >= (b - a)[:, 0].abs()
    axis = torch.where(steep, 0, 1)
    # From here on (along, across) the line between the centres, in units of centres.
    a, b = (torch.where(steep[:, None], p, p.flip(-1)) - 0.5 for p in (a, b))
    # Of the two triangles the one that is wider in the picture says where the surface lies.
    beyond = _cross(
        (b - a)[:, None], _third_corners(px, image, edge, ends, steep, topology) - a[:, None]
    )
    widest = beyond.gather(1, beyond.abs().argmax(1, keepdim=True))[:, 0]
    towards_larger = (widest * (b - a)[:, 1]) < 0
    inside = torch.where(towards_larger, 1, 0)

    lines = torch.where(axis == 0, *fragments.size)
    places = torch.where(axis == 0, *reversed(fragments.size))
    lowest, highest = torch.minimum(a[:, 1], b[:, 1]), torch.maximum(a[:, 1], b[:, 1])
    start = lowest.ceil().clamp_min(0).long()
    count = (torch.minimum(highest.ceil().long(), lines) - start).clamp_min(0)
    item = torch.repeat_interleave(torch.arange(len(edge), device=edge.device), count)
    before = (count.cumsum(0) - count)[item]
    line = start[item] + torch.arange(len(item), device=edge.device) - before
    t = (line - a[item, 1]) / (b - a)[item, 1]
    along = a[item, 0] + t * (b - a)[item, 0]
    place = along.floor()
    fits = (place >= 0) & (place + 1 < places[item])
    item, line, along, place = item[fits], line[fits], along[fits], place[fits].long()
    horizontal = axis[item] == 0
    return (
        image[item],
        torch.where(horizontal, line, place),
        torch.where(horizontal, place, line),
        axis[item],
        inside[item],
        edge[item],
        along - place,
    )


def _third_corners(
    px: Tensor, image: Tensor, edge: Tensor, ends: Tensor, steep: Tensor, topology: Topology
) -> Tensor:
    """The corners (edges, 2, 2) opposite an edge in its triangles, as (along, across)."""
    around = topology.edge_triangles.long()[edge]
    around = torch.where(around < 0, around[:, :1], around)
    corners = topology.triangles.long()[around]
    # The sum of a triangle's corners less the ends of the edge is the third.
    third = corners.sum(-1) - ends.sum(-1)[:, None]
    points = px[image[:, None], third]
    return torch.where(steep[:, None, None], points, points.flip(-1)) - 0.5


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def _seen_depth(clip: Tensor, fragments: Fragments, topology: Topology) -> Tensor:
    """Depth w at every pixel; infinite where it shows nothing."""
    corners = topology.triangles.long()[fragments.triangle.clamp_min(0).long()]
    image = torch.arange(len(clip), device=clip.device)[:, None, None, None]
    w = (clip[..., 3].double()[image, corners] * fragments.barycentric.detach()).sum(-1)
    return torch.where(fragments.covered, w, torch.inf)
