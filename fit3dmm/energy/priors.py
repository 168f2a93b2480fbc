"""Terms that know what is likely before the photo is seen."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.solve.problem import Residuals, Term, Values, plain


def normal_prior(
    name: str, mean: Float[Tensor, "n"] | float, sigma: Float[Tensor, "n"] | float
) -> Term:
    """Each element of an unknown is normally distributed, independent of the others."""

    def term(values: Values) -> Residuals:
        value = values[name].flatten()
        spread = torch.as_tensor(sigma, dtype=value.dtype, device=value.device).expand_as(value)
        residual = (value - mean) / spread
        return plain(residual, lambda free: {name: torch.diag(1 / spread)} if name in free else {})

    return term


def distance_prior(distance_mm: float, log_sigma: float) -> Term:
    """The head is about so far from the camera: log-normal.

    Args:
        log_sigma: of the natural logarithm; 0.5 is a factor of 1.65 either way.
    """

    def term(values: Values) -> Residuals:
        depth_mm = -values["translation_mm"][2:]
        residual = (depth_mm.log() - math.log(distance_mm)) / log_sigma

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            if "translation_mm" not in free:
                return {}
            row = torch.zeros_like(values["translation_mm"])
            row[2] = -1 / (depth_mm[0] * log_sigma)
            return {"translation_mm": row[None]}

        return plain(residual, jacobian)

    return term


def light_prior(level: float, level_sigma: float, direct_sigma: float, tint_sigma: float) -> Term:
    """Photos are exposed alike, most light comes from all sides, and light is about white.

    Args:
        level: what a white surface reflects under the mean of all light, in linear RGB.
        level_sigma: of that level.
        direct_sigma: of each other harmonic, in units of `level`.
        tint_sigma: of the difference of a colour from the mean of the three, in units of `level`.
    """
    rows = torch.zeros(36, 9, 3)
    for k in range(9):
        for c in range(3):
            rows[3 * k + c, k, :] = -1 / 3
            rows[3 * k + c, k, c] += 1
    rows[:27] /= tint_sigma * level
    rows[27, 0, :] = 1 / (3 * level_sigma)
    for k in range(1, 9):
        rows[27 + k, k, :] = 1 / (3 * direct_sigma * level)
    # In units of the harmonics the level is Y0 times the first coefficient.
    rows = rows.flatten(1) / math.sqrt(4 * math.pi)
    wanted = torch.zeros(36)
    wanted[27] = level / level_sigma

    def term(values: Values) -> Residuals:
        light = values["irradiance_sh"]
        matrix = rows.to(light)
        residual = matrix @ light.flatten() - wanted.to(light)
        return plain(
            residual, lambda free: {"irradiance_sh": matrix} if "irradiance_sh" in free else {}
        )

    return term
