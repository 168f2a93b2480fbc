"""Terms that know what is likely before the photo is seen."""

import math
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import IRRADIANCE, TRANSLATION

# Linear RGB; what is darker than this has no contrast that could be told.
_LEAST_LEVEL = 0.02


def normal_prior(
    name: str, mean: Float[Tensor, "n"] | float, sigma: Float[Tensor, "n"] | float
) -> Term:
    """Each element of an unknown is normally distributed, independent of the others."""

    def term(values: Values) -> Residuals:
        value = values[name]
        spread = torch.as_tensor(sigma, dtype=value.dtype, device=value.device)
        spread = spread.expand(value.shape[-1])
        residual = (value - mean) / spread
        return sum_of_squares(
            residual, lambda free: {name: torch.diag(1 / spread)} if name in free else {}
        )

    return term


def correlated_prior(name: str, factor: Float[Tensor, "n n"]) -> Term:
    """An unknown is normally distributed around zero.

    Args:
        factor: lower triangular L; the covariance is L L^T.
    """
    identity = torch.eye(len(factor), dtype=factor.dtype, device=factor.device)
    whitening = torch.linalg.solve_triangular(factor, identity, upper=False)

    def term(values: Values) -> Residuals:
        return sum_of_squares(
            values[name] @ whitening.mT, lambda free: {name: whitening} if name in free else {}
        )

    return term


def standard_normal(names: tuple[str, ...]) -> Term:
    """Each element of some unknowns is normally distributed with unit spread, all independent."""

    def term(values: Values) -> Residuals:
        residual = torch.cat([values[name] for name in names], -1)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            eye = torch.eye(residual.shape[-1], dtype=residual.dtype, device=residual.device)
            parts = eye.split([values[name].shape[-1] for name in names], -1)
            return {name: part for name, part in zip(names, parts, strict=True) if name in free}

        return sum_of_squares(residual, jacobian)

    return term


def distance_prior(
    distance_mm: float, log_sigma: float, variance: float = 1.0, alike: float = 0.0
) -> Term:
    """The head is about so far from the camera: log-normal.

    Args:
        log_sigma: of the natural logarithm; 0.5 is a factor of 1.65 either way.
        variance: how many times the square of it the error's is (`Residuals.variance`).
        alike: correlation with the error of what all else says of it (`Residuals.alike`).
    """

    def term(values: Values) -> Residuals:
        depth_mm = -values[TRANSLATION][..., 2:]
        residual = (depth_mm.log() - math.log(distance_mm)) / log_sigma

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            if TRANSLATION not in free:
                return {}
            row = torch.zeros_like(values[TRANSLATION])
            row[..., 2:] = -1 / (depth_mm * log_sigma)
            return {TRANSLATION: row[..., None, :]}

        return replace(sum_of_squares(residual, jacobian), variance=variance, alike=alike)

    return term


def light_prior(level: float, level_sigma: float, direct_sigma: float, tint_sigma: float) -> Term:
    """Photos are exposed for the face, light comes from all sides, and it is about white.

    What an exposure fixes is the light that reaches what the camera sees, not the light from all
    sides: with the prior on the latter, a strong front light would come free and skin too dark.
    Contrast and tint are shares of the light's own level. Were they so of the usual one, dim light
    would seem the evener one, and dark skin came out lighter than it is.

    Args:
        level: what white reflects in linear RGB, on average over the directions that face the
            camera, each by its projected area.
        level_sigma: of that level.
        direct_sigma: of each harmonic but the first, in units of the light's own level.
        tint_sigma: of the difference of a colour from the mean of the three, in the same units.
    """
    shares = torch.zeros(35, 9, 3)
    for k in range(9):
        for c in range(3):
            shares[3 * k + c, k, :] = -1 / 3
            shares[3 * k + c, k, c] += 1
    # In units of the harmonics, a level is Y0 times the first coefficient.
    unit = 1 / math.sqrt(4 * math.pi)
    shares[:27] *= unit / tint_sigma
    for k in range(1, 9):
        shares[26 + k, k, :] = unit / (3 * direct_sigma)
    shares = shares.flatten(1)
    towards = (mean_towards_camera() / 3)[:, None].expand(9, 3).flatten()

    def term(values: Values) -> Residuals:
        light = values[IRRADIANCE].flatten(-2)
        matrix, mean = shares.to(light), towards.to(light)
        own = light @ mean
        scale = own.clamp_min(_LEAST_LEVEL)[..., None]
        relative = light @ matrix.mT / scale
        residual = torch.cat([relative, (own[..., None] - level) / level_sigma], -1)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            if IRRADIANCE not in free:
                return {}
            follows = (own > _LEAST_LEVEL).to(light)[..., None, None]
            rows = (matrix - follows * relative[..., None] * mean) / scale[..., None]
            last = (mean / level_sigma).expand(*own.shape, 1, 27)
            return {IRRADIANCE: torch.cat([rows, last], -2)}

        return sum_of_squares(residual, jacobian)

    return term


def mean_towards_camera() -> Float[Tensor, "9"]:
    """Mean of each harmonic over the normals that face the camera, weighted by their cosine.

    Over that half of the sphere the mean of z is 2/3, that of z^2 is 1/2 and that of x^2 and y^2
    1/4; the harmonics that are odd in x or y vanish.
    """
    at_pole = sh_basis(torch.tensor([0.0, 0.0, 1.0]))
    # z is linear; 3 z^2 - 1 is 2 at the pole and 1/2 on average.
    shares = torch.tensor([1.0, 0.0, 2 / 3, 0.0, 0.0, 0.0, 1 / 4, 0.0, 0.0])
    return at_pole * shares
