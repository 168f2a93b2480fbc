"""Intervals around what a fit found, by how its errors are distributed."""

import math

NORMAL = 2.0
"""Exponent of the normal distribution."""
PEAKED = 1.5
"""Exponent of errors of places in the picture: some photos are seen much better than others, and so
are some places, more than sigmas know, so that small errors and large ones are more frequent than
of a normal distribution. Chosen by the fourth moment of 55 fits to photos of the half for choosing,
as a multiple of the square of the second: 3.9; of this law it is 3.8, of the normal one 3. That of
depths and of logarithms of distances (2.6) is nearer to the normal one's."""


def reach_in_sigmas(level: float, exponent: float = NORMAL) -> float:
    """How far an interval around the middle reaches, in standard deviations.

    Errors have a density of `exp(-|x / a|^exponent)`, times a constant (M. Subbotin, "On the law of
    frequency of error", 1923).

    Args:
        level: which share of the errors lies within it, between 0 and 1.
        exponent: the larger, the more even errors are up to where they end.
    """
    # Imported here, because results are read without it.
    from scipy.special import gammaincinv

    shape = 1 / exponent
    scale = math.sqrt(math.gamma(shape) / math.gamma(3 * shape))
    return scale * float(gammaincinv(shape, level)) ** shape


def interval_of_logarithm(
    value: float, log_sigma: float, level: float, exponent: float = NORMAL
) -> tuple[float, float]:
    """The lowest and the highest value of what is known by its logarithm.

    Args:
        value: in the middle.
        log_sigma: standard deviation of its natural logarithm.
        level: as `reach_in_sigmas`.
        exponent: as `reach_in_sigmas`.
    """
    factor = math.exp(reach_in_sigmas(level, exponent) * log_sigma)
    return value / factor, value * factor
