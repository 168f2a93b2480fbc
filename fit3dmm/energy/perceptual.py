"""The term that asks whether a recognition network takes the picture for the same person.

Its residuals are differences of unit embeddings, so that half their squares are the cosine
distance of Deng et al. 2019, equation 4. They have no closed Jacobian, and each of 128 rows costs a
pass back through network and renderer. One row is enough to descend: where the residual is turned
into the first direction, that row alone gives the exact gradient, and further directions add
curvature only (a low-rank Gauss-Newton).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares

Embedding = Callable[[Values], Float[Tensor, "n"]]
"""What the network makes of the picture at some values; differentiable."""


def perceptual_term(
    embedding: Embedding, wanted: Float[Tensor, "n"], sigma: float, n_directions: int
) -> Term:
    """The picture's embedding minus the photo's, both of unit length.

    Args:
        embedding: of the picture, of any length.
        wanted: of the photo, of any length.
        sigma: error of each number of an embedding of unit length.
        n_directions: rows of the Jacobian that are worked out, 1 to n; the first is along the
            residual.
    """
    target = torch.nn.functional.normalize(wanted, dim=-1)

    def off(values: Values) -> Tensor:
        return (torch.nn.functional.normalize(embedding(values), dim=-1) - target) / sigma

    def term(values: Values) -> Residuals:
        residual = off(values)
        directions = directions_from(residual.detach(), n_directions)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            with torch.enable_grad():
                moved = {name: values[name].detach().requires_grad_(True) for name in free}
                rows = off({**values, **moved}) @ directions
                return _rows_back(rows, moved)

        return sum_of_squares(residual @ directions, jacobian)

    return term


def directions_from(residual: Float[Tensor, "n"], count: int) -> Float[Tensor, "n count"]:
    """Orthonormal columns of which the first lies along the residual.

    A reflection that lays the first axis on the residual takes the other axes with it (A.
    Householder, 1958), so that the same residual always has the same directions.
    """
    axis = torch.zeros_like(residual)
    axis[0] = 1
    along = torch.nn.functional.normalize(residual, dim=0)
    if not along.any():
        along = axis
    # The one of both signs that is far from the axis: a difference of near vectors is inexact.
    sign = -1.0 if along[0] > 0 else 1.0
    mirror = torch.nn.functional.normalize(axis - sign * along, dim=0)
    eye = torch.eye(len(residual), dtype=residual.dtype, device=residual.device)[:, :count]
    columns = eye - 2 * mirror[:, None] * (mirror @ eye)
    # The first column is `sign` times the residual's direction.
    return columns


def _rows_back(
    rows: Float[Tensor, "rows"], moved: dict[str, Tensor]
) -> dict[str, Float[Tensor, "rows _"]]:
    """Derivatives of each row with respect to each of the tensors that it depends on."""
    parts: dict[str, list[Tensor]] = {}
    for row in rows.unbind():
        found = torch.autograd.grad(row, list(moved.values()), retain_graph=True, allow_unused=True)
        for (name, value), part in zip(moved.items(), found, strict=True):
            if part is not None:
                parts.setdefault(name, []).append(part.reshape(value.numel()))
    return {name: torch.stack(each) for name, each in parts.items()}
