"""One problem of several that share unknowns: photos of one person."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor

from fit3dmm.solve.problem import Problem, Residuals, Term, Values

Value = TypeVar("Value")
"""What stands by a name: the values of unknowns, their places, energies of terms."""


def join(
    problems: Sequence[Problem],
    shared: tuple[str, ...],
    by_some: Mapping[str, Sequence[Sequence[int]]] | None = None,
) -> Problem:
    """Solve them together. The cost of a step grows with their number, and no faster.

    Args:
        shared: names of what all have in common. Unknowns of these names are one unknown, which
            starts at the mean of its starts; terms of these names are about such unknowns alone and
            count once, as the first problem has them. All others stand for each problem by
            themselves, as `name@0`, `name@1` and so on.
        by_some: names, again of unknowns and of terms about them alone, with the groups of problems
            that have them in common, such as a focal length with the photos of one camera:
            `name@0+2` is what the first and the third share. A problem is in one group at most.

    Raises:
        ValueError: a shared unknown is missing, of another shape, or free in some problems only.
    """
    sharing = {name: (tuple(range(len(problems))),) for name in shared}
    sharing |= {name: tuple(map(tuple, groups)) for name, groups in (by_some or {}).items()}

    def outer(name: str, k: int) -> str:
        if name in shared:
            return name
        of = next((group for group in sharing.get(name, ()) if k in group), (k,))
        return f"{name}@{'+'.join(map(str, of))}"

    named = [{name: outer(name, k) for name in one.start} for k, one in enumerate(problems)]
    owners: dict[str, list[int]] = {}
    for k, names in enumerate(named):
        for one in names.values():
            owners.setdefault(one, []).append(k)
    in_common = {one for one in owners if len(owners[one]) > 1 or one in shared}
    for name, groups in sharing.items():
        for group in groups:
            if any(name in problems[k].start for k in group):
                _check_shared(problems, group, name)
    start: dict[str, Tensor] = {}
    for one, of in owners.items():
        inner = one.rpartition("@")[0] or one
        start[one] = _mean([problems[k].start[inner] for k in of])
    bounds: dict[str, Tensor] = {}
    steps: dict[str, float] = {}
    terms: dict[str, Term] = {}
    head: dict[str, None] = {}
    groups = []
    for k, one in enumerate(problems):
        names = named[k]
        for name, rows in one.bounds.items():
            bounds.setdefault(names[name], rows)
        for name, step in one.steps.items():
            steps.setdefault(names[name], step)
        free = [names[name] for name in one.free]
        head |= dict.fromkeys(name for name in free if name in in_common)
        groups.append(tuple(name for name in free if name not in in_common))
        for name, term in one.terms.items():
            terms.setdefault(outer(name, k), _named(term, names))
    every = (*head, *(name for group in groups for name in group))
    return Problem(start, every, terms, bounds, steps, tuple(group for group in groups if group))


def member(values: Mapping[str, Value], k: int) -> dict[str, Value]:
    """What is one of the problems' that were joined, by its own names."""
    own: dict[str, Value] = {}
    for name, value in values.items():
        inner, joined, of = name.rpartition("@")
        if not joined:
            own[name] = value
        elif str(k) in of.split("+"):
            own[inner] = value
    return own


def first_of(name: str) -> tuple[str, int]:
    """A name of joined problems as the first of them that has it knows it, and which that is."""
    inner, joined, of = name.rpartition("@")
    return (inner, int(of.split("+")[0])) if joined else (name, 0)


def scaled(term: Term, variance: float) -> Term:
    """The same term with so many times the variance of its noise, its robust loss alike."""

    def rescaled(values: Values) -> Residuals:
        at = term(values)
        weight = torch.ones_like(at.residual) if at.weight is None else at.weight
        return replace(at, energy=at.energy / variance, weight=weight / variance)

    return rescaled


def _mean(starts: Sequence[Tensor]) -> Tensor:
    """Where all agree it is what each says: a sum that is rounded would move what nobody moved, and
    with it all that is kept for as long as nothing moves."""
    first, *others = starts
    if all(torch.equal(first, one) for one in others):
        return first
    return torch.stack(list(starts)).mean(0)


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


def _check_shared(problems: Sequence[Problem], of: Sequence[int], name: str) -> None:
    first = problems[of[0]]
    for k in of:
        one = problems[k]
        lacks = name not in one.start or name not in first.start
        if lacks or one.start[name].shape != first.start[name].shape:
            raise ValueError(f"Problem {k} has no {name} like that of problem {of[0]}.")
        if (name in one.free) != (name in first.free):
            raise ValueError(f"{name} is free in some of the problems only.")
