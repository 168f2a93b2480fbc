"""Smooth random functions of places: sums of waves, and sums of bumps."""

import numpy as np
from jaxtyping import Float


def random_waves(
    places_mm: Float[np.ndarray, "n 3"],
    length_mm: float,
    generator: np.random.Generator,
    waves: int = 48,
) -> Float[np.ndarray, "n"]:
    """A stationary Gaussian field of unit variance (A. Rahimi, B. Recht, "Random features for
    large-scale kernel machines", NIPS 2007).

    Args:
        places_mm: where it is asked for.
        length_mm: at this distance values are correlated by exp(-1/2).
        generator: of random numbers.
        waves: how many are added up: the more, the nearer to normal.
    """
    frequency = (generator.normal(size=(3, waves)) / length_mm).astype(places_mm.dtype)
    phase = generator.uniform(0, 2 * np.pi, waves).astype(places_mm.dtype)
    return np.sqrt(2 / waves) * np.cos(places_mm @ frequency + phase).sum(axis=1)


def random_bumps(
    places_mm: Float[np.ndarray, "n 3"],
    centres_mm: Float[np.ndarray, "bumps 3"],
    length_mm: float,
    generator: np.random.Generator,
) -> Float[np.ndarray, "n 3"]:
    """A smooth random vector field: a bump of a random vector at each centre.

    Args:
        places_mm: where it is asked for.
        centres_mm: of the bumps.
        length_mm: sigma of each bump.
        generator: of random numbers.
    """
    squared = ((places_mm[:, None] - centres_mm) ** 2).sum(axis=2)
    return np.exp(-squared / (2 * length_mm**2)) @ generator.normal(size=(len(centres_mm), 3))
