"""What cells of a photo show, told by what hair, skin and background look like in it.

The kinds' colours are found by expectation-maximisation (Dempster, Laird, Rubin 1977).
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import gaussian_filter, grey_opening

from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.hair_prior import N_KINDS, OF_HAIR, Kind

# Cells whose place makes a kind this likely say at the start what it looks like.
_LIKELY = 0.25
# Degrees of freedom of the distributions of colours: hair and walls have outliers.
_FREEDOM = 12.0


def explained(
    features: Float[np.ndarray, "features n n"],
    prior: Float[np.ndarray, "kinds n n"],
    sure: Bool[np.ndarray, "n n"],
    counts: Float[np.ndarray, "kinds n n"],
    settings: HairMapSettings,
) -> Float[np.ndarray, "kinds n n"]:
    """Posterior of each kind at each cell.

    Args:
        features: what each cell looks like.
        prior: of each kind; they add up to 1.
        sure: where there is skin for certain.
        counts: how much each cell says of what a kind looks like.
        settings: what is taken for hair.
    """
    values = features.reshape(len(features), -1)
    start = prior.reshape(N_KINDS, -1)
    counts = counts.reshape(N_KINDS, -1)
    # Hair's two kinds share their prior.
    likely = np.where(start > _LIKELY, start, 0)
    weight = likely * counts
    weight[Kind.SKIN] = sure.reshape(-1)
    hair = weight[Kind.LIT] > 0
    if hair.any():
        lit = values[0] > np.median(values[0][hair])
        weight[Kind.LIT] *= lit
        weight[Kind.SHADE] *= ~lit
    least = np.array(settings.least_spread, np.float32) ** 2
    shares = start
    shape, size = prior.shape[1:], settings.narrowest_cells
    for _ in range(settings.rounds):
        densities = np.stack([_log_density(values, one, least) for one in weight])
        if settings.smooth_cells:
            blur = (0, *[settings.smooth_cells] * 2)
            densities = gaussian_filter(densities.reshape(-1, *shape), blur).reshape(N_KINDS, -1)
        odds = start * np.exp(densities - densities.max(0))
        shares = odds / odds.sum(0)
        # About a bald head runs a rim of cells that are neither its skin nor the wall.
        hair = shares[Kind.LIT] + shares[Kind.SHADE]
        wide = grey_opening(hair.reshape(shape), size).ravel() / hair.clip(1e-6)
        shares[OF_HAIR] *= wide
        weight = shares * counts
        # On a bald head what is taken for hair must not learn what skin looks like.
        weight[OF_HAIR] *= 1 - np.exp(densities[Kind.SKIN] - densities[Kind.SKIN].max())
        weight[Kind.SKIN] = weight[Kind.SKIN] * 0.3 + sure.reshape(-1)
        if weight[OF_HAIR].sum() < settings.fewest:
            shares[OF_HAIR] = 0
            break
    return shares.reshape(prior.shape)


def _log_density(values: np.ndarray, weight: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Of a normal distribution that is found from weighted values, with heavy tails."""
    total = weight.sum() + 1e-9
    mean = values @ weight / total
    centred = values - mean[:, None]
    covariance = (centred * weight) @ centred.T / total + np.diag(least)
    factor = np.linalg.cholesky(covariance.astype(np.float64))
    away = np.linalg.inv(factor).astype(np.float32) @ centred
    # Student's t with few degrees of freedom: no cell is impossible.
    squared = np.einsum("fc,fc->c", away, away)
    n = len(values)
    log_scale = float(np.log(np.diag(factor)).sum())
    return -0.5 * (_FREEDOM + n) * np.log1p(squared / _FREEDOM) - log_scale
