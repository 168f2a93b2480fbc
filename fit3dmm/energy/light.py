"""Light as the terms see it: how colours follow it, and that there is no less of it than none."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import IRRADIANCE


def positive_light_term(
    harmonics: Float[Tensor, "points 9"], weight: Float[Tensor, "points"], sigma_linear: float
) -> Term:
    """Irradiance below zero, where a surface is seen.

    Harmonics of order 2 can't follow a hard lamp: without this term they buy a bright side with a
    dark one that is darker than black. Its rows vanish where there is any light.

    Args:
        harmonics: of the normals of what is seen (`sh_basis`), in `cam`.
        weight: how many independent observations each point stands for.
        sigma_linear: how far below zero is as much as one sigma, in linear RGB of white.
    """

    def term(values: Values) -> Residuals:
        irradiance = harmonics @ values[IRRADIANCE]
        residual = irradiance.clamp(max=0) / sigma_linear
        energy = 0.5 * weight * residual.square().sum(-1)
        below = (irradiance.detach() < 0).to(irradiance) / sigma_linear

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            # Most photos need no such help, and their steps shall not pay for it.
            if IRRADIANCE not in free or not below.any():
                return {}
            return {IRRADIANCE: rows_wrt_light(below, harmonics)}

        rows = weight.repeat_interleave(3).expand_as(residual.flatten(-2))
        return Residuals(residual.flatten(-2), energy.sum(-1), rows, jacobian)

    return term


def rows_wrt_light(
    scale: Float[Tensor, "*batch points 3"], harmonics: Float[Tensor, "*any points 9"]
) -> Float[Tensor, "*batch rows 27"]:
    """Derivatives of scaled irradiance with respect to the light; row (point, c) depends on the
    light's colour c only."""
    eye = torch.eye(3, dtype=harmonics.dtype, device=harmonics.device)
    part = torch.einsum("...pc,...pk,cd->...pckd", scale, harmonics, eye)
    return part.flatten(-2).flatten(-3, -2)
