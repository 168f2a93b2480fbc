"""Colours that are easy to tell apart, and mixtures that nobody trained."""

import numpy as np
import torch

from fit3dmm.observe.skin.mixture import Mixture
from fit3dmm.observe.skin.model import SkinModel

BROWN, BLUE = np.array([0.7, 0.45, 0.35]), np.array([0.3, 0.4, 0.6])


def colours(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """As many browns, which are skin, as blues: `(2 n, 3)` sRGB, and labels."""
    draw = np.random.default_rng(seed)
    middle = np.repeat([BROWN, BLUE], n, axis=0)
    found = np.clip(middle + draw.normal(0, 0.08, middle.shape), 0, 1)
    return found, np.repeat([True, False], n)


def random_mixture(n_components: int, n_channels: int, seed: int) -> Mixture:
    """Slanted Gaussians about the origin."""
    draw = np.random.default_rng(seed)
    slant = draw.normal(size=(n_components, n_channels, n_channels))
    return Mixture(
        torch.from_numpy(draw.dirichlet(np.ones(n_components))),
        torch.from_numpy(draw.normal(0, 2, (n_components, n_channels))),
        torch.from_numpy(slant @ slant.transpose(0, 2, 1) + 0.3 * np.eye(n_channels)),
    )


def random_model(seed: int = 0) -> SkinModel:
    """In no space in particular."""
    skin, other = random_mixture(3, 3, seed), random_mixture(4, 3, seed + 1)
    return SkinModel(None, skin, other, 0.3, "Drawn by the tests.")
