"""What points that lie like these tell of a face: how it is turned, and who it is."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_UNIT = 0.05
"""What counts as a large difference between points, in faces' sizes."""
_SMALLEST = 1e-3
"""Spread of points, in crops' sides: an untrained network may begin with all in one place."""


class PointReader(nn.Module):
    """From where points lie to numbers of which the last layer says coefficients and pose.

    Pictures of two people differ less than two pictures of one; where their points lie is what is
    left of a face when light, colour and all that covers it are gone.

    Args:
        n_read: how many numbers.
        n_points: how many points there are.
    """

    def __init__(self, n_read: int, n_points: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [nn.Linear(2 * n_points + 3, n_read), nn.Linear(n_read, n_read)]
        )

    def forward(
        self, points: Float[Tensor, "batch points 2"], usual: Float[Tensor, "points 2"]
    ) -> Float[Tensor, "batch read"]:
        """
        Args:
            points: in crops' sides.
            usual: where points of training pictures lie on average.
        """
        shape, centre, size = _normalised(points)
        usual_shape, usual_centre, usual_size = _normalised(usual)
        told = [
            ((shape - usual_shape) / _UNIT).flatten(1),
            (centre - usual_centre).squeeze(1) / _UNIT,
            (size / usual_size).log().squeeze(1) / _UNIT,
        ]
        read = torch.cat(told, 1)
        for layer in self.layers:
            read = F.silu(layer(read))
        return read


def _normalised(points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """About their centre and in units of their spread; centre; spread."""
    centre = points.mean(-2, keepdim=True)
    size = (points - centre).square().sum(-1, keepdim=True).mean(-2, keepdim=True).sqrt()
    size = size.clamp_min(_SMALLEST)
    return (points - centre) / size, centre, size
