"""The term that keeps skin of one colour: the variance of albedo over a region."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import ALBEDO


def flattening_term(
    albedo_mean_linear: Float[Tensor, "points 3"],
    albedo_basis_linear: Float[Tensor, "points 3 albedo"],
    weight: Float[Tensor, "points"],
    sigma_linear: float,
) -> Term:
    """Half the variance of albedo over some points, in units of a sigma (Deng et al. 2019, equation
    5): the squared distances of their colours from the mean colour, on average.

    The variance is quadratic in the coefficients, so a row for each of them and one for the mean
    face hold all of it, however many points there are.

    Args:
        albedo_mean_linear: colours of the points on the mean face.
        albedo_basis_linear: how they follow each coefficient.
        weight: how much each of the points counts.
        sigma_linear: root of the variance that is as likely as one sigma.
    """
    share = (weight / weight.sum()).double()
    columns = torch.cat([albedo_mean_linear[..., None], albedo_basis_linear], -1).double()
    mean = torch.einsum("p,pck->ck", share, columns)
    rows = (share.sqrt()[:, None, None] * (columns - mean) / sigma_linear).flatten(0, 1)
    square = torch.linalg.qr(rows, mode="r").R
    constant, linear = (part.to(albedo_mean_linear) for part in (square[:, 0], square[:, 1:]))

    def term(values: Values) -> Residuals:
        residual = constant + values[ALBEDO] @ linear.mT
        return sum_of_squares(residual, lambda free: {ALBEDO: linear} if ALBEDO in free else {})

    return term
