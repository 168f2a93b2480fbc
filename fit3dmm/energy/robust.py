"""Robust losses as energies and the weights of iteratively reweighted least squares.

Each takes squared norms of residuals in sigmas and gives the energy of each and its derivative
with respect to half the squared norm, which is the weight that makes least squares follow the
robust energy (P. Holland, R. Welsch, "Robust regression using iteratively reweighted
least-squares", 1977).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

Loss = Callable[[Float[Tensor, "*n"]], tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]]


def squares() -> Loss:
    """Half the square: Gaussian noise, no robustness."""

    def loss(squared: Tensor) -> tuple[Tensor, Tensor]:
        return 0.5 * squared, torch.ones_like(squared)

    return loss


def charbonnier(scale: float = 1.0) -> Loss:
    """The norm itself, rounded at zero; of a vector per pixel it is the L2,1 norm.

    Half the square up to about `scale` sigmas, beyond them as steep as at `scale`.
    """

    def loss(squared: Tensor) -> tuple[Tensor, Tensor]:
        root = (1 + squared / scale**2).sqrt()
        return scale**2 * (root - 1), 1 / root

    return loss


def cauchy(scale: float = 1.0) -> Loss:
    """Half the square near zero, growing like a logarithm beyond `scale`: outliers pull ever less,
    but never change sides as abruptly as with `geman_mcclure`."""

    def loss(squared: Tensor) -> tuple[Tensor, Tensor]:
        share = 1 / (1 + squared / scale**2)
        return -0.5 * scale**2 * share.log(), share

    return loss


def geman_mcclure(scale: float = 1.0) -> Loss:
    """Half the square near zero, never more than half of `scale` squared: outliers stop
    counting."""

    def loss(squared: Tensor) -> tuple[Tensor, Tensor]:
        share = 1 / (1 + squared / scale**2)
        return 0.5 * squared * share, share**2

    return loss
