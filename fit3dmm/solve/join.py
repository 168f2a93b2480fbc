"""One problem of several that share unknowns: photos of one person."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fit3dmm.solve.problem import Problem, Residuals, Term, Values


def join(problems: Sequence[Problem], shared: tuple[str, ...]) -> Problem:
    """Solve them together. The cost of a step grows with their number, and no faster.

    Args:
        shared: names of what all have in common. Unknowns of these names are one unknown, which
            starts at the mean of its starts; terms of these names are about such unknowns alone and
            count once, as the first problem has them. All others stand for each problem by
            themselves, as `name@0`, `name@1` and so on.

    Raises:
        ValueError: a shared unknown is missing, of another shape, or free in some problems only.
    """
    first = problems[0]
    common = [name for name in first.start if name in shared]
    _check_shared(problems, common)
    start: dict[str, Tensor] = {
        name: torch.stack([one.start[name] for one in problems]).mean(0) for name in common
    }
    bounds = {name: rows for name, rows in first.bounds.items() if name in common}
    steps = {name: step for name, step in first.steps.items() if name in common}
    terms = {name: term for name, term in first.terms.items() if name in shared}
    groups = []
    for k, one in enumerate(problems):
        names = {name: name if name in common else f"{name}@{k}" for name in one.start}
        own = {name: outer for name, outer in names.items() if name not in common}
        start |= {outer: one.start[name] for name, outer in own.items()}
        bounds |= {names[name]: rows for name, rows in one.bounds.items() if name in own}
        steps |= {names[name]: step for name, step in one.steps.items() if name in own}
        groups.append(tuple(own[name] for name in one.free if name in own))
        for name, term in one.terms.items():
            if name not in shared:
                terms[f"{name}@{k}"] = _named(term, names)
    free = tuple(name for name in first.free if name in common)
    free += tuple(name for group in groups for name in group)
    return Problem(start, free, terms, bounds, steps, tuple(group for group in groups if group))


def member(values: Values, k: int) -> dict[str, Tensor]:
    """The values of one of the problems that were joined, by its own names."""
    own = {}
    for name, value in values.items():
        inner, joined, of = name.rpartition("@")
        if not joined:
            own[name] = value
        elif of == str(k):
            own[inner] = value
    return own


def scaled(term: Term, variance: float) -> Term:
    """The same term with so many times the variance of its noise, its robust loss alike."""

    def rescaled(values: Values) -> Residuals:
        at = term(values)
        weight = torch.ones_like(at.residual) if at.weight is None else at.weight
        return replace(at, energy=at.energy / variance, weight=weight / variance)

    return rescaled


def _named(term: Term, names: dict[str, str]) -> Term:
    """The same term on unknowns of other names; `names` has all that it may read, by its own."""
    outer = {there: here for here, there in names.items()}

    def read(values: Values) -> Residuals:
        at = term({here: values[there] for here, there in names.items()})
        inner_jacobian = at.jacobian
        if inner_jacobian is None:
            return at

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = inner_jacobian(tuple(outer[there] for there in free if there in outer))
            return {names[here]: part for here, part in parts.items()}

        return replace(at, jacobian=jacobian)

    return read


def _check_shared(problems: Sequence[Problem], common: Sequence[str]) -> None:
    first = problems[0]
    for k, one in enumerate(problems):
        for name in common:
            if name not in one.start or one.start[name].shape != first.start[name].shape:
                raise ValueError(f"Problem {k} has no {name} like that of the first.")
            if (name in one.free) != (name in first.free):
                raise ValueError(f"{name} is free in some of the problems only.")
