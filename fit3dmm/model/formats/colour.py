"""Colour models of other families, which are linear in sRGB, made linear in light."""

import numpy as np
from jaxtyping import Float

from fit3dmm.colour import srgb_to_linear


def linearised(
    mean_srgb: Float[np.ndarray, "vertices 3"], basis_srgb: Float[np.ndarray, "albedo vertices 3"]
) -> tuple[Float[np.ndarray, "vertices 3"], Float[np.ndarray, "albedo vertices 3"]]:
    """The linear model in linear light that is nearest to a linear model in sRGB.

    Under the prior a channel is normal with mean m and variance s^2 = sum of squared basis values.
    Of all affine functions of the coefficients, mean E[f] and basis E[f'] b have the least expected
    squared error to f(m + b c) (Stein's lemma gives E[f c] = E[f'] b); both expectations are sums
    over Gauss-Hermite nodes, as E[f'] = E[f z] / s.

    Args:
        mean_srgb: 0..1.
        basis_srgb: carries the sigmas.
    """
    sigma = np.sqrt(np.sum(np.square(basis_srgb, dtype=np.float64), axis=0))
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    weights = weights / weights.sum()
    mean = np.zeros(mean_srgb.shape)
    slope = np.zeros(mean_srgb.shape)
    # Where a channel never varies the quotient is a derivative: a small step stands for it.
    spread = np.maximum(sigma, 1e-4)
    for node, weight in zip(nodes, weights, strict=True):
        value = srgb_to_linear(np.clip(mean_srgb + spread * node, 0, 1))
        mean += weight * value
        slope += weight * node * value / spread
    return mean, (basis_srgb * slope).astype(np.float32)
