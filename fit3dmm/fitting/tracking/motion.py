"""What earlier frames say of a frame: a random walk that starts where they ended.

    x_k+1 = x_k + noise,  noise ~ N(0, sigma^2 dt)

With a frame's own evidence this is the filter of R. Kalman, "A new approach to linear filtering and
prediction problems", 1960, in the information form, with each frame solved by a few steps of
Levenberg-Marquardt in place of the linear update (B. Bell, F. Cathey, "The iterated Kalman filter
update as a Gauss-Newton method", 1993).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares


@dataclass(frozen=True)
class Belief(TensorRecord):
    """A normal distribution of the flat vector of a frame's unknowns, in float64."""

    mean: Float[Tensor, "n"]
    information: Float[Tensor, "n n"]
    """Inverse of the covariance."""

    def of(self, rows: Int[Tensor, "some"]) -> "Belief":
        """Of some of the unknowns, which the others must tell nothing of."""
        return Belief(self.mean[rows], self.information[rows[:, None], rows])

    def after(self, variance: Float[Tensor, "n"]) -> "Belief":
        """The same some time later: inv(inv(information) + diag(variance)) by Woodbury's
        formula, which asks for no inverse of what may be known well."""
        precision = 1 / variance
        factor = torch.linalg.cholesky(self.information + torch.diag(precision))
        white = torch.linalg.solve_triangular(factor, torch.diag(precision), upper=False)
        information = torch.diag(precision) - white.mT @ white
        return Belief(self.mean, (information + information.mT) / 2)


def belief_term(belief: Belief, names: Sequence[str], like: Tensor) -> Term:
    """A prior that joins several unknowns.

    Args:
        belief: of all of them, one after another.
        names: of the unknowns.
        like: of the type and device in which the term is evaluated.
    """
    # Where nothing is known the information is zero but for rounding.
    floor = 1e-12 * belief.information.diagonal().mean() * torch.ones_like(belief.mean)
    root = torch.linalg.cholesky(belief.information + torch.diag(floor)).mT.to(like)
    mean = belief.mean.to(like)

    def term(values: Values) -> Residuals:
        x = torch.cat([values[name].flatten() for name in names])

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = root.split([values[name].numel() for name in names], 1)
            return {name: part for name, part in zip(names, parts, strict=True) if name in free}

        return sum_of_squares(root @ (x - mean), jacobian)

    return term
