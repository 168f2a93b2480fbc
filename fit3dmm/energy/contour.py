"""The term for contours: where the face ends in the render, the photo has an edge.

Edges are searched along lines across the projected contour, and the contour is drawn to them along
those lines (the correspondence of A. Bas, W. Smith, T. Bolkart, S. Wuhrer, "Fitting a 3D morphable
model to edges", ACCV workshops 2016, searched on the photo's side). A wrong edge must not pull for
ever, so the loss lets go of what stays far.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage
from fit3dmm.energy.points import Points, project
from fit3dmm.energy.robust import Loss, geman_mcclure
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import PhotoIntrinsics

# Half the length over which colours are averaged on either side of an edge, in steps of a line.
_SIDE = 3


def contour_term(
    points: Points,
    edge_px: Float[Tensor, "points 2"],
    across: Float[Tensor, "points 2"],
    weight: Float[Tensor, "points"],
    sigma_px: Float[Tensor, "points"],
    intrinsics: PhotoIntrinsics,
    loss: Loss | None = None,
) -> Term:
    """Distances, across the contour, of its points from edges of the photo.

    Args:
        points: of the surface, where it ends for the eye.
        edge_px: the edge that belongs to each, in the photo.
        across: unit vectors across the contour, in the picture.
        weight: how much each edge counts, 0 where none was found.
        sigma_px: of each distance.
        intrinsics: the photo's camera but for the focal length, which is an unknown.
        loss: of each distance in sigmas; squares if left out.
    """
    loss = loss or geman_mcclure(scale=3.0)
    rows = (across / sigma_px[:, None])[:, None]

    def term(values: Values) -> Residuals:
        at = project(points, values, intrinsics)
        residual = (rows @ (at.px - edge_px)[..., None])[..., 0, 0]
        energy, robust = loss(residual.square())
        return Residuals(
            residual,
            (weight * energy).sum(-1),
            weight * robust.detach(),
            lambda free: at.pull_back(rows, free),
        )

    return term


def find_edges(
    image: SmoothImage,
    start_px: Float[Tensor, "points 2"],
    across: Float[Tensor, "points 2"],
    reach_px: float,
    spread_px: float,
) -> tuple[Float[Tensor, "points"], Float[Tensor, "points"]]:
    """Strongest change of colour along lines through some points, nearer ones preferred.

    Args:
        image: in whose pixels everything is given.
        start_px: middles of the lines.
        across: unit vectors along the lines.
        reach_px: how far to look on either side.
        spread_px: how far edges usually are; the preference is a Gaussian of this width.

    Returns:
        Signed distance of each edge from its point, and the contrast there: the difference of the
        mean colours on its two sides, as a share of the mean along the line.
    """
    n_steps = 2 * int(2 * reach_px) + 1
    offset = torch.linspace(-reach_px, reach_px, n_steps + 2 * _SIDE).to(start_px)
    line = start_px[:, None] + offset[None, :, None] * across[:, None]
    colour, _ = image.sample(line.reshape(-1, 2))
    colour = colour.reshape(len(start_px), len(offset), -1)
    total = torch.nn.functional.pad(colour.cumsum(1), (0, 0, 1, 0))
    before = total[:, _SIDE:-_SIDE] - total[:, : -2 * _SIDE]
    after = total[:, 2 * _SIDE :] - total[:, _SIDE:-_SIDE]
    # The mean of the whole line: that of the two sides would draw edges towards the dark.
    mean = colour.mean(1).norm(dim=1).clamp_min(1e-6)
    contrast = (after - before).norm(dim=2) / _SIDE / mean[:, None]
    # Edge k of the differences lies between samples k + _SIDE - 1 and k + _SIDE.
    step = offset[1] - offset[0]
    place = offset[0] + step * (torch.arange(contrast.shape[1], device=offset.device) + _SIDE - 0.5)
    # The square makes the middle of a soft edge stand out from its nearer flank.
    preferred = contrast**2 * torch.exp(-0.5 * (place / spread_px) ** 2)
    best = preferred.argmax(dim=1)
    return place[best], contrast.gather(1, best[:, None])[:, 0]
