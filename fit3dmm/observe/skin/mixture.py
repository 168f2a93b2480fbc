"""A mixture of Gaussians whose density over a whole picture is one product of matrices."""

import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class Mixture(TensorRecord):
    """Gaussians in a space of colours."""

    weights: Float[Tensor, "components"]
    """Their shares."""
    means: Float[Tensor, "components channels"]
    covariances: Float[Tensor, "components channels channels"]

    @property
    def n_components(self) -> int:
        return len(self.weights)

    @property
    def n_channels(self) -> int:
        return self.means.shape[1]

    def log_density(self, colours: Float[Tensor, "n channels"]) -> Float[Tensor, "n"]:
        """Natural logarithm of the density at each colour."""
        return torch.logsumexp(quadratic_features(colours) @ self._coefficients.to(colours), dim=1)

    @functools.cached_property
    def _coefficients(self) -> Float[Tensor, "features components"]:
        """A Gaussian's log-density is linear in `quadratic_features`; worked out in float64."""
        mean, covariance = self.means.double(), self.covariances.double()
        precision = torch.linalg.inv(covariance)
        towards = (precision @ mean[:, :, None])[:, :, 0]
        constant = (
            torch.log(self.weights.double())
            - 0.5 * (mean * towards).sum(1)
            - 0.5 * torch.logdet(covariance)
            - 0.5 * self.n_channels * math.log(2 * math.pi)
        )
        squares = -0.5 * torch.diagonal(precision, dim1=1, dim2=2)
        first, second = torch.triu_indices(self.n_channels, self.n_channels, offset=1)
        # Each product of two channels stands twice in the quadratic form.
        products = -precision[:, first, second]
        return torch.cat([squares, towards, constant[:, None], products], dim=1).T


def quadratic_features(colours: Float[Tensor, "n channels"]) -> Float[Tensor, "n features"]:
    """Squares, the channels themselves, 1, and the products of any two channels."""
    channels = colours.shape[1]
    first, second = torch.triu_indices(channels, channels, offset=1, device=colours.device)
    one = torch.ones_like(colours[:, :1])
    return torch.cat([colours**2, colours, one, colours[:, first] * colours[:, second]], dim=1)
