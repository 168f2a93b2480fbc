"""How well the photo and the priors determine a fit: Laplace's approximation at its end."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.solve.problem import Evaluation, Problem


@dataclass(frozen=True)
class Uncertainty(TensorRecord):
    """Covariance of the unknowns, as far as the sigmas of the settings tell the truth.

    Not calibrated: it says which directions are flat and how they go together.
    """

    names: tuple[str, ...]
    """The unknowns that moved, in order."""
    sizes: tuple[int, ...]
    covariance: Float[Tensor, "free free"]
    """Of the flat vector of the unknowns, in their own units."""

    def sigma(self, name: str) -> Float[Tensor, "n"]:
        """Standard deviation of each element of an unknown; zeros for one that did not move."""
        if name not in self.names:
            return self.covariance.new_zeros(1)
        return self.covariance.diagonal()[self._place(name)].clamp_min(0).sqrt()

    def correlation(self, a: tuple[str, int], b: tuple[str, int]) -> float:
        """Between two elements, each an unknown's name and an index."""
        if a[0] not in self.names or b[0] not in self.names:
            return 0.0
        i, j = (self._place(name).start + index for name, index in (a, b))
        c = self.covariance
        return float(c[i, j] / (c[i, i] * c[j, j]).clamp_min(1e-30).sqrt())

    def _place(self, name: str) -> slice:
        k = self.names.index(name)
        start = sum(self.sizes[:k])
        return slice(start, start + self.sizes[k])


def laplace(problem: Problem, at: Evaluation) -> Uncertainty:
    """Inverse of the curvature of the energy where a solver ended."""
    arrow, _ = problem.normal_equations(at)
    curvature = arrow.dense()
    # Scaled to a unit diagonal the matrix is well conditioned whatever the units.
    scale = curvature.diagonal().clamp_min(1e-30).rsqrt()
    scaled = curvature * scale[:, None] * scale + 1e-9 * torch.diag(torch.ones_like(scale))
    covariance = torch.linalg.inv(scaled) * scale[:, None] * scale
    return Uncertainty(problem.free, problem.sizes, covariance.to(at.x.dtype))
