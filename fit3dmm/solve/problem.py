"""Least-squares problems: named unknowns and named terms.

An energy is a sum of terms, each a function of named tensors. A term says its residuals in units of
their noise, its energy, and, where it is robust, the weight of each row (iteratively reweighted
least squares): its quadratic model around a point is `energy + 1/2 d^T J^T W J d + r^T W J d`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.solve.arrow_sum import ArrowSum
from fit3dmm.solve.block_arrow import BlockArrow
from fit3dmm.solve.symmetric_product import symmetric_product

Values = Mapping[str, Tensor]
"""The unknowns by name, in their natural shapes."""


@dataclass(frozen=True)
class Residuals:
    """One term at one point, or at each of several: batch axes of the values lead everything."""

    residual: Float[Tensor, "*batch rows"]
    """In sigmas; differentiable with respect to the values, so that first-order solvers can do
    without `jacobian`."""
    energy: Float[Tensor, "*batch"]
    """Half the sum of squares, or what a robust loss puts in its place."""
    weight: Float[Tensor, "*batch rows"] | None = None
    """Weight of each row in the quadratic model: the derivative of the energy with respect to half
    the squared residual. None for a sum of squares, where it is 1."""
    jacobian: Callable[[tuple[str, ...]], dict[str, Tensor]] | None = None
    """Gives, for the names asked, derivatives `(*batch, rows, size of the unknown)`, without batch
    axes where they are the same for all; a name that the term does not depend on is left out. None
    has them found by automatic differentiation."""
    together: int = 1
    """So many rows, one after another, were observed together, as the channels of a colour are:
    what their noise has in common is seen in the residuals themselves (`solve.noise`)."""
    variance: float = 1.0
    """How many times the variance of the noise is what the energy takes it for. An estimate may
    hold to a term more than its noise allows, where another pulls one way; its error then grows."""
    alike: float = 0.0
    """Correlation of the error of a term of one row with that of what all other terms say of the
    same (`solve.alike`)."""


Term = Callable[[Values], Residuals]


def sum_of_squares(
    residual: Float[Tensor, "*batch rows"],
    jacobian: Callable[[tuple[str, ...]], dict[str, Tensor]] | None = None,
) -> Residuals:
    """A term that is a sum of squares."""
    return Residuals(residual, 0.5 * residual.square().sum(-1), jacobian=jacobian)


@dataclass(frozen=True)
class Evaluation:
    """All terms at one point."""

    x: Float[Tensor, "free"]
    values: Values
    terms: Mapping[str, Residuals]

    @property
    def energy(self) -> Float[Tensor, ""]:
        """The sum of the terms' energies."""
        return torch.stack([term.energy.double() for term in self.terms.values()]).sum()

    def energies(self) -> dict[str, float]:
        """Energy by term."""
        return {name: float(term.energy) for name, term in self.terms.items()}


@dataclass(frozen=True)
class Problem:
    """Minimise the sum of the terms over the free unknowns, within bounds."""

    start: Values
    """Every unknown that the terms read, free or not."""
    free: tuple[str, ...]
    """Which of them are moved, in the order in which they stand in the flat vector."""
    terms: Mapping[str, Term]
    bounds: Mapping[str, Float[Tensor, "n 2"]] = field(default_factory=dict)
    """Lowest and highest admissible values of some unknowns, one row an element."""
    steps: Mapping[str, float] = field(default_factory=dict)
    """What a small step is in each unknown's unit, for solvers that know no curvature; else 1."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Free unknowns that no term brings together with those of another group (`solve.join`). They
    stand behind all other free ones, group by group."""

    def __post_init__(self) -> None:
        grouped = tuple(name for group in self.groups for name in group)
        if grouped != self.free[len(self.free) - len(grouped) :]:
            raise ValueError("The unknowns of the groups must be the last of the free ones.")
        unknown = [name for name in (*self.free, *self.bounds) if name not in self.start]
        if unknown:
            raise ValueError(f"{unknown} is free or bounded but has no start value.")
        if not self.free or not self.terms:
            raise ValueError("A problem needs at least one free unknown and one term.")

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each free unknown."""
        return tuple(self.start[name].numel() for name in self.free)

    def slices(self) -> dict[str, slice]:
        """Where each free unknown stands in the flat vector."""
        places, at = {}, 0
        for name, size in zip(self.free, self.sizes, strict=True):
            places[name] = slice(at, at + size)
            at += size
        return places

    def flat_start(self) -> Float[Tensor, "free"]:
        """The start as a flat vector, moved within the bounds."""
        x = torch.cat([self.start[name].detach().reshape(-1) for name in self.free])
        low, high = self.flat_bounds()
        return torch.minimum(torch.maximum(x, low), high)

    def values(self, x: Float[Tensor, "*batch free"]) -> dict[str, Tensor]:
        """Named tensors for a flat vector, or for each of a batch; the unknowns that are not free
        keep their start."""
        moved = {
            name: part.reshape(*x.shape[:-1], *self.start[name].shape)
            for name, part in zip(self.free, x.split(self.sizes, -1), strict=True)
        }
        return {**self.start, **moved}

    def flat_bounds(self) -> tuple[Float[Tensor, "free"], Float[Tensor, "free"]]:
        """Lowest and highest flat vector."""
        rows = []
        for name, size in zip(self.free, self.sizes, strict=True):
            unbounded = self.start[name].new_tensor([-torch.inf, torch.inf]).expand(size, 2)
            rows.append(self.bounds.get(name, unbounded).to(unbounded))
        low, high = torch.cat(rows).unbind(-1)
        return low, high

    def flat_steps(self) -> Float[Tensor, "free"]:
        """`steps`, one number an element."""
        parts = [
            self.start[name].new_full((size,), self.steps.get(name, 1.0))
            for name, size in zip(self.free, self.sizes, strict=True)
        ]
        return torch.cat(parts)

    def evaluate(self, x: Float[Tensor, "free"]) -> Evaluation:
        """All terms at a point."""
        values = self.values(x)
        return Evaluation(x, values, {name: term(values) for name, term in self.terms.items()})

    def energy_and_gradient(self, x: Float[Tensor, "free"]) -> tuple[Tensor, Float[Tensor, "free"]]:
        """Energy and its gradient, by automatic differentiation."""
        at = x.detach().requires_grad_(True)
        with torch.enable_grad():
            energy = self.evaluate(at).energy
        (gradient,) = torch.autograd.grad(energy, at)
        return energy.detach(), gradient.detach()

    def jacobian(self, at: Evaluation, name: str) -> Float[Tensor, "rows free"]:
        """Derivatives of a term's residuals with respect to the flat vector."""
        columns, part = self.touched(at, name)
        dense = part.new_zeros(len(part), len(at.x))
        dense[:, columns] = part
        return dense

    def touched(
        self, at: Evaluation, name: str
    ) -> tuple[Int[Tensor, "touched"], Float[Tensor, "rows touched"]]:
        """Which elements of the flat vector a term depends on, and its derivatives."""
        term = at.terms[name]
        if term.jacobian is None:
            jacobian = self._automatic_jacobian(at.x, name)
            columns = torch.arange(len(at.x), device=at.x.device)
            if self.groups:
                (columns,) = torch.nonzero(jacobian.abs().amax(0), as_tuple=True)
            return columns, jacobian[:, columns]
        parts = term.jacobian(self.free)
        if not parts:
            empty = term.residual.new_zeros(len(term.residual), 0)
            return torch.zeros(0, dtype=torch.long, device=at.x.device), empty
        # In the order of the flat vector, in which most terms touch a run of its elements.
        touched = [u for u in self.free if u in parts]
        columns = torch.cat([self._columns[u] for u in touched])
        return columns.to(at.x.device), torch.cat([parts[u] for u in touched], dim=1)

    @cached_property
    def _columns(self) -> dict[str, Int[Tensor, "n"]]:
        """Where each free unknown stands in the flat vector, element by element."""
        return {name: torch.arange(s.start, s.stop) for name, s in self.slices().items()}

    @cached_property
    def _group_sizes(self) -> list[int]:
        """Elements of what is free outside the groups, and in each of them."""
        sizes = dict(zip(self.free, self.sizes, strict=True))
        grouped = [sum(sizes[name] for name in group) for group in self.groups]
        return [sum(self.sizes) - sum(grouped), *grouped]

    def empty_sum(self, like: Tensor) -> ArrowSum:
        """For products over the flat vector, term by term."""
        return ArrowSum(self._group_sizes, like)

    def _automatic_jacobian(self, x: Tensor, name: str) -> Tensor:
        def residual(x: Tensor) -> Tensor:
            return self.terms[name](self.values(x)).residual

        with torch.enable_grad():
            jacobian = torch.autograd.functional.jacobian(residual, x.detach())
        assert isinstance(jacobian, Tensor)
        return jacobian

    def normal_equations(self, at: Evaluation) -> tuple[BlockArrow, Float[Tensor, "free"]]:
        """Gauss-Newton's curvature `J^T W J` and the gradient `J^T W r`, in float64.

        We form the product instead of solving the stacked system: there are some twenty times more
        rows than unknowns, and priors in sigmas keep the condition number far from where squaring
        it would matter.
        """
        total = self.empty_sum(at.x)
        gradient = at.x.new_zeros(len(at.x), dtype=torch.float64)
        for name, term in at.terms.items():
            # Most terms touch few unknowns, and their products are small.
            columns, jacobian = self.touched(at, name)
            weighted = jacobian if term.weight is None else term.weight[:, None] * jacobian
            gradient[columns] += (weighted.mT @ term.residual).double()
            total.add(name, columns, symmetric_product(jacobian, weighted))
        return total.arrow(), gradient
