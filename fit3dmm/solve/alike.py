"""Noise of a term that errs as all the others do.

Two looks at one thing err alike, and count as one and a bit. Where the energy takes them for
independent the estimate is as good as ever, but less sure than it says: the covariance of the
gradient (`solve.noise`) lacks what the two have in common.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.solve.noise import TermProduct, summed_products, well_conditioned
from fit3dmm.solve.problem import Evaluation, Problem

_NAME = "{} like the rest"


def with_alike(
    problem: Problem, at: Evaluation, products: Mapping[str, TermProduct]
) -> dict[str, TermProduct]:
    """Products with what the noise of some terms has in common with that of all others.

    A term of one row r = a . x + const whose noise has the gradient g_d = s u a, with u of variance
    1, and the rest, whose estimate of a . x alone would be off by e = a . H_r^-1 g_r: if u and e
    have a correlation c (`Residuals.alike`), then cov(u, g_r) = c S_r H_r^-1 a / sigma(e), for what
    g_r has beyond e is no concern of the term's. This is symmetric and adds no negative variance.

    Args:
        problem: of one photo.
        at: where a solver ended.
        products: of its terms there (`solve.noise.term_products`).

    Returns:
        The same and, for each term that errs so, a product without curvature and gradient.

    Raises:
        ValueError: such a term has more than one row.
    """
    found = dict(products)
    for name, term in at.terms.items():
        if term.alike == 0 or not len(products[name].columns):
            continue
        if term.residual.numel() != 1:
            raise ValueError(f"The term {name} has several rows, which can't be like all others.")
        others = {key: one for key, one in products.items() if key != name}
        shared = term.alike * _covariance(problem, products[name], others)
        every = torch.arange(len(shared), device=shared.device)
        nothing = torch.zeros_like(shared)
        found[_NAME.format(name)] = TermProduct(every, nothing[0], nothing, shared)
    return found


def _covariance(
    problem: Problem, one: TermProduct, others: Mapping[str, TermProduct]
) -> Float[Tensor, "free free"]:
    """Of a term's gradient with that of all others, and the other way round, where they err as one:
    in the precision of the products."""
    rest = summed_products(problem, others)
    curvature, scale = well_conditioned(rest.curvature)
    # The noise of one row is the square of a vector; its largest element has the most digits.
    most = int(one.noise.diagonal().argmax())
    gradient = scale.new_zeros(len(scale))
    gradient[one.columns] = (one.noise[:, most] / one.noise[most, most].sqrt()).to(gradient)
    moved = scale * torch.linalg.solve(curvature.head, scale * gradient)
    common = rest.noise.head @ moved
    common = common / (moved @ common).clamp_min(1e-30).sqrt()
    product = torch.outer(gradient, common)
    return (product + product.mT).to(one.noise)
