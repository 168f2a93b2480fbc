"""Densities by one product of matrices are those of Gaussians written out."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from tests.observe.skin.examples import random_mixture


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
def test_the_density_is_the_sum_of_gaussians(n_channels):
    mixture = random_mixture(4, n_channels, seed=n_channels)
    points = np.random.default_rng(9).normal(0, 3, (50, n_channels))
    wanted = sum(
        float(weight) * multivariate_normal(mean.numpy(), covariance.numpy()).pdf(points)
        for weight, mean, covariance in zip(
            mixture.weights, mixture.means, mixture.covariances, strict=True
        )
    )
    got = mixture.log_density(torch.from_numpy(points)).exp().numpy()
    # Two ways to add in float64.
    np.testing.assert_allclose(got, wanted, rtol=1e-9)


def test_single_precision_is_as_good_as_a_picture_needs():
    """Squares of large numbers are subtracted: what is lost must not be seen in a probability."""
    mixture = random_mixture(8, 3, seed=3)
    points = torch.from_numpy(np.random.default_rng(1).normal(0, 6, (1000, 3)))
    single, double = mixture.log_density(points.float()), mixture.log_density(points)
    assert single.dtype == torch.float32
    # A probability changes by a quarter of this at most; a map has steps of 0.004.
    assert (single - double).abs().max() < 1e-3
