"""What each photo says of a person: normal likelihoods, which add up over photos.

Around the place where a photo was fitted alone its energy is a quadratic form. With its own
unknowns (pose, expression, light ...) solved for, Schur's complement, what is left says all that it
tells of the person: exp(-1/2 w^T J w + h^T w), a precision J and a pull h, without any prior. Those
of several photos add up, the prior comes to them once, and how likely photos are to show one person
is an integral in closed form. J weighs each coefficient of each photo by what the photo tells of
it, which the confidence network of Y. Deng et al. (CVPRW 2019, section 4) is trained to guess.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.solve.problem import Problem, Values


@dataclass(frozen=True)
class PersonEvidence(TensorRecord):
    """A normal likelihood of some unknowns of a person, of zero precision where nothing is told."""

    precision: Float[Tensor, "n n"]
    pull: Float[Tensor, "n"]
    """Precision times where the likelihood is largest."""

    def __add__(self, other: "PersonEvidence") -> "PersonEvidence":
        """What both say, if they err independently."""
        return PersonEvidence(self.precision + other.precision, self.pull + other.pull)

    def __mul__(self, factor: float) -> "PersonEvidence":
        """The same with so many times the information."""
        return PersonEvidence(factor * self.precision, factor * self.pull)

    def of_first(self, n: int, prior: Float[Tensor, "n n"]) -> "PersonEvidence":
        """Of the first unknowns alone, with the others left to their prior."""
        ours, theirs = slice(None, n), slice(n, None)
        rest = self.precision[theirs, theirs] + prior[theirs, theirs]
        regression = torch.linalg.solve(rest, self.precision[theirs, ours]).mT
        return PersonEvidence(
            self.precision[ours, ours] - regression @ self.precision[theirs, ours],
            self.pull[ours] - regression @ self.pull[theirs],
        )

    def mean(self, prior: Float[Tensor, "n n"]) -> Float[Tensor, "n"]:
        """The most likely unknowns, with a normal prior around zero of this precision."""
        return torch.linalg.solve(prior + self.precision, self.pull)

    def log_evidence(self, prior: Float[Tensor, "n n"]) -> float:
        """Natural logarithm of the mean of the likelihood over the prior."""
        return sum(self.log_evidence_parts(prior))

    def log_evidence_parts(self, prior: Float[Tensor, "n n"]) -> tuple[float, float]:
        """The same as a sum: what the pull makes of it, and what the precision alone does."""
        before, after = (torch.linalg.cholesky(one) for one in (prior, prior + self.precision))
        white = torch.linalg.solve_triangular(after, self.pull[:, None], upper=False)
        # Half of a logarithm of a determinant is the sum of its factor's.
        shrunk = (before.diagonal().log() - after.diagonal().log()).sum()
        return float(0.5 * white.square().sum()), float(shrunk)


@dataclass(frozen=True)
class PhotoModel(TensorRecord):
    """The quadratic model of one photo's energy, without the priors that photos share."""

    names: tuple[str, ...]
    """The person's unknowns, one after another."""
    of_person: PersonEvidence
    at_person: Float[Tensor, "n"]
    """Where it was made."""
    own_names: tuple[str, ...]
    own_sizes: tuple[int, ...]
    at_own: Float[Tensor, "m"]
    """The photo's unknowns there."""
    step: Float[Tensor, "m"]
    """From there to where they are best, the person's being what they are."""
    by_person: Float[Tensor, "m n"]
    """How they follow the person's."""

    def own(self, person: Float[Tensor, "n"], like: Values) -> dict[str, Tensor]:
        """The photo's most likely unknowns for somebody, in the shapes of `like`."""
        moved = self.at_own + self.step + self.by_person @ (person - self.at_person)
        parts = zip(self.own_names, moved.split(self.own_sizes), strict=True)
        return {name: part.to(like[name]).reshape(like[name].shape) for name, part in parts}


def photo_model(
    problem: Problem,
    shared: Sequence[str],
    curvature: Float[Tensor, "free free"],
    gradient: Float[Tensor, "free"],
) -> PhotoModel:
    """The quadratic model at the start of a photo's problem.

    Args:
        problem: of the photo.
        shared: the person's unknowns that are free, in the order that is wanted.
        curvature: Gauss-Newton's, without terms about the shared unknowns alone.
        gradient: without them, too.
    """
    places = problem.slices()
    own_names = tuple(name for name in problem.free if name not in shared)

    def rows(names: Sequence[str]) -> Tensor:
        every = torch.arange(len(gradient), device=gradient.device)
        return torch.cat([every[places[name]] for name in names])

    w, y = rows(shared), rows(own_names)
    x = problem.flat_start().double()
    # What no term says anything of stays where it is.
    of_own = curvature[y][:, y]
    of_own = of_own + torch.diag(1e-9 * of_own.diagonal() + 1e-12)
    solved = torch.linalg.solve(of_own, torch.cat([curvature[y][:, w], gradient[y, None]], 1))
    by_person, step = -solved[:, :-1], -solved[:, -1]
    precision = curvature[w][:, w] + curvature[w][:, y] @ by_person
    slope = gradient[w] + curvature[w][:, y] @ step
    precision = (precision + precision.mT) / 2
    evidence = PersonEvidence(precision, precision @ x[w] - slope)
    sizes = tuple(problem.start[name].numel() for name in own_names)
    return PhotoModel(tuple(shared), evidence, x[w], own_names, sizes, x[y], step, by_person)


def summed(parts: Sequence[PersonEvidence]) -> PersonEvidence:
    """What all say together."""
    first, *others = parts
    for one in others:
        first = first + one
    return first


def information_shares(
    parts: Sequence[PersonEvidence], prior: Float[Tensor, "n n"]
) -> tuple[float, ...]:
    """Of what all photos tell, beyond the prior, the share that each does.

    The trace of the posterior covariance times a part's precision is how many unknowns that part
    determines: with the prior's they add up to all (D. MacKay, "Bayesian interpolation", Neural
    Computation 4(3), 1992, equation 4.9).
    """
    covariance = torch.linalg.inv(prior + summed(parts).precision)
    determined = [float((covariance * one.precision).sum()) for one in parts]
    total = sum(determined)
    return tuple(n / total if total > 0 else 1 / len(parts) for n in determined)
