"""Points looked at once more, each where it was first said to be.

Reading all points off the coarsest features tells the average face, moved and turned: what sets a
person apart is smaller than a cell of theirs. So fine features are read around each point, what all
points see there is put together, and each is moved by both (as P. Dollar, P. Welinder, P. Perona,
"Cascaded pose regression", CVPR 2010, index features by the current shape).
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm.regress.trunks import Features
from fit3dmm.regress.zeroed import zeroed

N_SAID = 5
"""Numbers that are said of a point: two of its place, two sigmas and a correlation."""
_TAPS = 3
"""Cells along each side of the patch that is read around a point."""


@dataclass(frozen=True)
class RefinerSettings:
    """How much a second look at the points takes in."""

    features: int = 64
    """Channels of the map that joins the trunk's three resolutions, at a stride of 8."""
    edges: int = 32
    """Channels of the map of the picture itself, at a stride of 4."""
    local: int = 48
    """Numbers that each point keeps of what is around it."""
    anchors: int = 48
    """Mixtures of points by which all of them are put together."""
    hidden: int = 384


class PointRefiner(nn.Module):
    """From features and first places to what is to be added to what was said of each point.

    Args:
        settings: sizes.
        channels: of the trunk's fine, middle and coarse maps.
        n_hidden: of the numbers by which the points were first said.
        n_points: how many there are.
    """

    def __init__(
        self,
        settings: RefinerSettings,
        channels: tuple[int, int, int],
        n_hidden: int,
        n_points: int,
    ) -> None:
        super().__init__()
        self._n_points = n_points
        width, edges, local = settings.features, settings.edges, settings.local
        self.laterals = nn.ModuleList(nn.Conv2d(c, width, 1) for c in reversed(channels))
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        self.edges = nn.ModuleList(
            [nn.Conv2d(3, edges, 7, stride=4, padding=3), nn.Conv2d(edges, edges, 3, padding=1)]
        )
        self.squeeze = nn.Linear((width + edges) * _TAPS**2, local)
        # The same reading for all points, in each one's own units.
        self.scale = nn.Parameter(torch.ones(n_points, local))
        self.shift = nn.Parameter(torch.zeros(n_points, local))
        self.mix = nn.Linear(local, local)
        self.anchors = nn.Parameter(torch.empty(settings.anchors, n_points))
        # Uniform: what `read_regressor` makes first has no numbers, and normal ones would load much
        # of torch for them.
        most = (3 / n_points) ** 0.5
        nn.init.uniform_(self.anchors, -most, most)
        self.together = nn.ModuleList(
            [
                nn.Linear(n_hidden + settings.anchors * local, settings.hidden),
                nn.Linear(settings.hidden, settings.hidden),
            ]
        )
        self.say_all = zeroed(nn.Linear(settings.hidden, N_SAID * n_points))
        self.say_each = nn.Parameter(torch.zeros(n_points, local, N_SAID))

    def forward(
        self,
        features: Features,
        image: Float[Tensor, "batch 3 size size"],
        hidden: Float[Tensor, "batch hidden"],
        points: Float[Tensor, "batch points 2"],
    ) -> Float[Tensor, "batch points said"]:
        """
        Args:
            features: of the trunk.
            image: as the trunk saw it.
            hidden: by which the points were first said.
            points: where they were first said to be, in crops' sides.
        """
        read = [_around(points, self._joined(features)), _around(points, self._edges(image))]
        local = F.silu(self.squeeze(torch.cat(read, -1)) * self.scale + self.shift)
        local = F.silu(self.mix(local))
        mixed = torch.einsum("an,bnl->bal", self.anchors, local).flatten(1)
        joined = torch.cat([hidden, mixed], 1)
        for layer in self.together:
            joined = F.silu(layer(joined))
        of_all = self.say_all(joined).unflatten(1, (self._n_points, N_SAID))
        return of_all + torch.einsum("bnl,nls->bns", local, self.say_each)

    def _joined(self, features: Features) -> Float[Tensor, "batch width fine_h fine_w"]:
        x = F.silu(self.laterals[0](features.coarse))
        for place, finer in enumerate((features.middle, features.fine)):
            larger = F.interpolate(x, finer.shape[-2:], mode="bilinear", align_corners=False)
            x = F.silu(self.smooth[place](F.silu(larger + self.laterals[place + 1](finer))))
        return x

    def _edges(self, image: Float[Tensor, "batch 3 size size"]) -> Tensor:
        x = image
        for layer in self.edges:
            x = F.silu(layer(x))
        return x


def _around(
    points: Float[Tensor, "batch points 2"], maps: Float[Tensor, "batch c height width"]
) -> Float[Tensor, "batch points read"]:
    """What maps show at points and in the cells beside them, between cells linearly."""
    steps = torch.arange(_TAPS, device=points.device) - (_TAPS - 1) / 2
    down, right = torch.meshgrid(steps, steps, indexing="ij")
    size = torch.tensor(maps.shape[-2:]).flip(0).to(points)
    offsets = torch.stack([right, down], -1).reshape(-1, 2).to(points) / size
    # `grid_sample` counts from the middle, in units of half a side.
    grid = 2 * (points[:, :, None] + offsets) - 1
    seen = F.grid_sample(
        maps.to(grid.dtype), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return seen.permute(0, 2, 1, 3).flatten(2)
