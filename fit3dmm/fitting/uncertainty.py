"""How well the photo and the priors determine a fit: its covariance, to second order at its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.solve.join import member
from fit3dmm.solve.noise import (
    TermProduct,
    joined_products,
    sandwich,
    summed_curvature,
    summed_products,
    well_conditioned,
)
from fit3dmm.solve.problem import Problem


@dataclass(frozen=True)
class Uncertainty(TensorRecord):
    """Covariance of the error of the unknowns, by what is known of the noises (docs/method.md,
    "Uncertainty").

    What a face can be beyond the model is no unknown: `fitting.vertex_sigma` adds it to points.
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
        return self.covariance.diagonal()[self.place(name)].clamp_min(0).sqrt()

    def correlation(self, a: tuple[str, int], b: tuple[str, int]) -> float:
        """Between two elements, each an unknown's name and an index."""
        if a[0] not in self.names or b[0] not in self.names:
            return 0.0
        i, j = (self.place(name).start + index for name, index in (a, b))
        c = self.covariance
        return float(c[i, j] / (c[i, i] * c[j, j]).clamp_min(1e-30).sqrt())

    def variance_of(self, wrt: Mapping[str, Float[Tensor, "rows _"]]) -> Float[Tensor, "rows"]:
        """Of quantities by their derivatives with respect to the unknowns; those that are left out
        do not change them, and those that did not move are as sure as can be."""
        moved = [name for name in self.names if name in wrt]
        if not moved:
            return self.covariance.new_zeros(len(next(iter(wrt.values()))))
        columns = torch.cat([torch.arange(p.start, p.stop) for p in map(self.place, moved)])
        columns = columns.to(self.covariance.device)
        slopes = torch.cat([wrt[name] for name in moved], 1)
        covariance = self.covariance[columns][:, columns].to(slopes)
        return ((slopes @ covariance) * slopes).sum(1).clamp_min(0)

    def place(self, name: str) -> slice:
        """Where an unknown stands in the flat vector.

        Raises:
            ValueError: it did not move.
        """
        k = self.names.index(name)
        start = sum(self.sizes[:k])
        return slice(start, start + self.sizes[k])


def posterior(problem: Problem, products: Mapping[str, TermProduct]) -> Uncertainty:
    """The covariance where a solver ended, with the noises as they are known to be.

    Args:
        problem: of one photo.
        products: of its terms there (`solve.noise`).
    """
    _check_of_one(problem)
    sums = summed_products(problem, products)
    return _uncertainty(problem, sandwich(sums.curvature, sums.noise).head)


def laplace(problem: Problem, products: Mapping[str, TermProduct]) -> Uncertainty:
    """The same with the noises as the energy takes them: the inverse of its curvature.

    Args:
        problem: of one photo.
        products: of its terms there.
    """
    _check_of_one(problem)
    curvature, _ = summed_curvature(problem, products)
    return _uncertainty(problem, sandwich(curvature, curvature).head)


def sigma_by_energy(
    problem: Problem, products: Mapping[str, TermProduct], name: str
) -> Float[Tensor, "n"]:
    """What `laplace` says of one unknown, in the time of a factorisation; zeros if it did not move.

    Args:
        problem: of one photo.
        products: of its terms where a solver ended.
        name: of the unknown.
    """
    _check_of_one(problem)
    if name not in problem.free:
        return torch.zeros_like(problem.start[name])
    curvature, scale = well_conditioned(summed_curvature(problem, products)[0])
    place = problem.slices()[name]
    unit = torch.eye(len(scale), dtype=scale.dtype, device=scale.device)[:, place]
    solved = torch.linalg.solve(curvature.head, unit)
    variance = solved[place].diagonal() * scale[place].square()
    return variance.clamp_min(0).sqrt().to(problem.start[name].dtype)


def _check_of_one(problem: Problem) -> None:
    if problem.groups:
        raise ValueError("Expected the problem of one photo: use posteriors() for several.")


def _uncertainty(problem: Problem, covariance: Float[Tensor, "free free"]) -> Uncertainty:
    like = problem.start[problem.free[0]]
    return Uncertainty(problem.free, problem.sizes, covariance.to(like.dtype))


def posteriors(
    joined: Problem, problems: Sequence[Problem], products: Sequence[Mapping[str, TermProduct]]
) -> tuple[Uncertainty, ...]:
    """The same for several photos of one person, in time in proportion to their number.

    Args:
        joined: the photos' problems as one (`solve.join`).
        problems: of each photo by itself.
        products: of each photo's terms where a solver ended.

    Returns:
        Of each photo, over its own unknowns by their own names.
    """
    sums = joined_products(joined, problems, products)
    found, like = sandwich(sums.curvature, sums.noise), joined.start[joined.free[0]]
    n_head = len(found.head)
    columns = {name: torch.arange(p.start, p.stop) for name, p in joined.slices().items()}
    each, start = [], n_head
    for k, problem in enumerate(problems):
        arm, tip = found.arms[k], found.tips[k]
        whole = torch.cat([torch.cat([found.head, arm], 1), torch.cat([arm.mT, tip], 1)])
        of_member = member(columns, k)
        chosen = torch.cat([of_member[name] for name in problem.free])
        # Behind the head, its own unknowns stand where those of the first photo do.
        chosen = torch.where(chosen < n_head, chosen, chosen - start + n_head).to(whole.device)
        covariance = whole[chosen][:, chosen].to(like.dtype)
        each.append(Uncertainty(problem.free, problem.sizes, covariance))
        start += len(tip)
    return tuple(each)
