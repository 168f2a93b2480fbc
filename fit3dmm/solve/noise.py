"""How far an estimate lies off, where the noise is other than the energy takes it for.

An estimate that minimises an energy is moved by noise as `x - truth = H^-1 g`, with the curvature H
and the gradient g that the noise makes. Where the energy tells the truth, the covariance of g is H,
and that of the estimate its inverse (Laplace). In general it is `H^-1 S H^-1` with the true
covariance S of the gradient (P. Huber, "The behavior of maximum likelihood estimates under
nonstandard conditions", 1967; V. Godambe, "An optimum property of regular maximum likelihood
estimation", 1960). Priors count as observations of what they say, so that the same holds for an
estimate that is most likely with them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.solve.block_arrow import BlockArrow
from fit3dmm.solve.join import first_of, member
from fit3dmm.solve.problem import Evaluation, Problem, Residuals
from fit3dmm.solve.symmetric_product import symmetric_product

_TINY = 1e-9
"""Added to a diagonal of ones."""


@dataclass(frozen=True)
class TermProduct(TensorRecord):
    """What a term says of the unknowns that it touches, to second order."""

    columns: Int[Tensor, "touched"]
    """Elements of the flat vector."""
    gradient: Float[Tensor, "touched"]
    """`J^T W r`."""
    curvature: Float[Tensor, "touched touched"]
    """`J^T W J`."""
    noise: Float[Tensor, "touched touched"]
    """Covariance of the gradient by what the term knows of its noise (`Residuals.together`,
    `Residuals.variance`)."""


@dataclass(frozen=True)
class Sums(TensorRecord):
    """Products of several terms, summed over the flat vector; in float64."""

    gradient: Float[Tensor, "free"]
    curvature: BlockArrow
    """Gauss-Newton's H of the energy."""
    noise: BlockArrow
    """The covariance S of its gradient."""


def term_products(problem: Problem, at: Evaluation) -> dict[str, TermProduct]:
    """Of each term of a problem by its name, at a point: most of the time that a covariance takes,
    so it is done once for all who ask."""
    found = {}
    for name, term in at.terms.items():
        columns, jacobian = problem.touched(at, name)
        weighted = jacobian if term.weight is None else term.weight[:, None] * jacobian
        product = symmetric_product(jacobian, weighted)
        noise = product if term.together == 1 else _noise_of_gradient(term, jacobian)
        gradient = weighted.mT @ term.residual
        found[name] = TermProduct(columns, gradient, product, term.variance * noise)
    return found


def summed_products(problem: Problem, products: Mapping[str, TermProduct]) -> Sums:
    """The sum of some of a problem's terms."""
    return _sums(problem, _in_place(products))


def summed_curvature(
    problem: Problem, products: Mapping[str, TermProduct]
) -> tuple[BlockArrow, Float[Tensor, "free"]]:
    """Curvature and gradient of the sum of some of a problem's terms, as its `normal_equations` has
    them of all."""
    return _curvature(problem, _in_place(products))


def joined_products(
    joined: Problem, problems: Sequence[Problem], products: Sequence[Mapping[str, TermProduct]]
) -> Sums:
    """The sum of all terms of several problems that were joined (`solve.join`), by the products of
    each problem by itself.

    Args:
        joined: all as one.
        problems: what was joined.
        products: of each of them, at the same values.
    """
    columns = {name: torch.arange(p.start, p.stop) for name, p in joined.slices().items()}
    where = []
    for k, problem in enumerate(problems):
        of_member = member(columns, k)
        where.append(torch.cat([of_member[name] for name in problem.free]))
    every = []
    for name in joined.terms:
        inner, k = first_of(name)
        every.append((name, products[k][inner], where[k]))
    # What is no term is noise that a photo's own terms have in common (`solve.alike`).
    for k, (problem, own) in enumerate(zip(problems, products, strict=True)):
        every += [(name, own[name], where[k]) for name in own if name not in problem.terms]
    placed = [(name, one, there.to(one.columns.device)[one.columns]) for name, one, there in every]
    return _sums(joined, placed)


def curvature_and_noise(problem: Problem, at: Evaluation) -> tuple[BlockArrow, BlockArrow]:
    """Gauss-Newton's curvature H of the energy, and the covariance S of its gradient.

    Args:
        problem: one, or several that were joined.
        at: where a solver ended.
    """
    sums = summed_products(problem, term_products(problem, at))
    return sums.curvature, sums.noise


def _in_place(products: Mapping[str, TermProduct]) -> list[tuple[str, TermProduct, Tensor]]:
    return [(name, one, one.columns) for name, one in products.items()]


def _sums(problem: Problem, every: Sequence[tuple[str, TermProduct, Tensor]]) -> Sums:
    curvature, gradient = _curvature(problem, every)
    noise = problem.empty_sum(problem.start[problem.free[0]])
    for name, one, columns in every:
        noise.add(name, columns, one.noise)
    return Sums(gradient, curvature, noise.arrow())


def _curvature(
    problem: Problem, every: Sequence[tuple[str, TermProduct, Tensor]]
) -> tuple[BlockArrow, Float[Tensor, "free"]]:
    like = problem.start[problem.free[0]]
    curvature = problem.empty_sum(like)
    gradient = like.new_zeros(sum(problem.sizes), dtype=torch.float64)
    for name, one, columns in every:
        gradient[columns] += one.gradient.double()
        curvature.add(name, columns, one.curvature)
    return curvature.arrow(), gradient


def in_common(term: Residuals) -> Float[Tensor, "together together"]:
    """What the noise of rows that were observed together has in common, as it is seen in the
    residuals: their second moments, scaled to a mean variance of 1.

    Three channels that err alike by a correlation c are worth `3 / (1 + 2 c)` of what they would be
    if each erred by itself.
    """
    k = term.together
    residual = term.residual.unflatten(-1, (-1, k)).double()
    if term.weight is not None:
        residual = term.weight.unflatten(-1, (-1, k)).clamp_min(0).sqrt() * residual
    moments = residual.mT @ residual
    size = moments.trace() / k
    if not size > 0:
        return torch.eye(k).to(residual)
    return moments / size


def well_conditioned(curvature: BlockArrow) -> tuple[BlockArrow, Float[Tensor, "free"]]:
    """A curvature scaled to a unit diagonal, which is well conditioned whatever the units, and the
    scales of its unknowns. What no term depends on is not known at all; so it gets a variance, and
    a large one."""
    scale = curvature.diagonal().clamp_min(1e-30).rsqrt()
    return curvature.scaled(scale).with_added(torch.full_like(scale, _TINY)), scale


def sandwich(curvature: BlockArrow, noise: BlockArrow) -> BlockArrow:
    """Covariance `H^-1 S H^-1` of the estimate, in time in proportion to the number of tips.

    Returns:
        Covariances of the head, of the head with each tip, and of each tip. Tips are correlated
        with each other, too; that is no part of it.
    """
    curvature, scale = well_conditioned(curvature)
    noise = noise.scaled(scale).with_added(torch.full_like(scale, _TINY))
    # Eliminating a tip leaves of the head's gradient g_h - A T^-1 g_t, with this covariance.
    schur, of_head, regressions = curvature.head, noise.head, []
    for arm, tip, noise_arm, noise_tip in zip(
        curvature.arms, curvature.tips, noise.arms, noise.tips, strict=True
    ):
        regression = torch.linalg.solve(tip, arm.mT).mT
        schur = schur - regression @ arm.mT
        mixed = regression @ noise_arm.mT
        of_head = of_head - mixed - mixed.mT + regression @ noise_tip @ regression.mT
        regressions.append(regression)
    inverse = torch.linalg.inv(schur)
    head = inverse @ of_head @ inverse
    arms, tips = [], []
    for arm, tip, noise_arm, noise_tip, regression in zip(
        curvature.arms, curvature.tips, noise.arms, noise.tips, regressions, strict=True
    ):
        # Of the head's estimate with the tip's gradient; the tip's is T^-1 (g_t - A^T head).
        with_gradient = inverse @ (noise_arm - regression @ noise_tip)
        arms.append(torch.linalg.solve(tip, with_gradient.mT - arm.mT @ head).mT)
        mixed = arm.mT @ with_gradient
        left = noise_tip - mixed - mixed.mT + arm.mT @ head @ arm
        tips.append(torch.linalg.solve(tip, torch.linalg.solve(tip, left).mT))
    return BlockArrow(head, tuple(arms), tuple(tips)).scaled(scale)


def _noise_of_gradient(term: Residuals, jacobian: Float[Tensor, "rows n"]) -> Float[Tensor, "n n"]:
    """Covariance of `J^T W r`, for noise whose variance is the inverse of the weight."""
    common = in_common(term)
    values, vectors = torch.linalg.eigh(common)
    factor = (vectors * values.clamp_min(0).sqrt()).to(jacobian)
    root = jacobian if term.weight is None else term.weight.clamp_min(0).sqrt()[:, None] * jacobian
    # Rows are mixed with those that were observed together, and nothing else.
    mixed = factor.mT @ root.unflatten(0, (-1, term.together))
    mixed = mixed.flatten(0, 1)
    return symmetric_product(mixed, mixed)
