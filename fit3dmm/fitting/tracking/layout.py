"""Where each unknown of a frame stands in the flat vector that frames are chained by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.fitting.tracking.config import Motion
from fit3dmm.solve.problem import Values
from fit3dmm.unknowns import bounds_of


@dataclass(frozen=True)
class Layout:
    """The unknowns that a frame moves, one after another."""

    rest: Values
    """All unknowns, where nothing was seen yet."""
    names: tuple[str, ...]
    """Those that move."""
    low: Float[Tensor, "n"]
    high: Float[Tensor, "n"]
    """Their bounds, in float64."""

    @classmethod
    def of(cls, rest: Values, families: Sequence[str], model: Any) -> "Layout":
        """In the order in which `fitting.run.stage_problem` frees them.

        Args:
            rest: all unknowns.
            families: those that move; a family stands for all its members.
            model: whose bounds count.
        """
        names = [
            name
            for family in families
            for name in rest
            if name.partition("/")[0] == family and rest[name].numel()
        ]
        bounds = bounds_of(rest, model)
        rows = [
            bounds.get(name, torch.tensor([[-torch.inf, torch.inf]]).expand(rest[name].numel(), 2))
            for name in names
        ]
        low, high = torch.cat([row.double().cpu() for row in rows]).unbind(-1)
        return cls(rest, tuple(names), low, high)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Elements of each."""
        return tuple(self.rest[name].numel() for name in self.names)

    def rows(self, names: Sequence[str]) -> Int[Tensor, "some"]:
        """Where some of them stand in the flat vector."""
        parts = zip(self.names, torch.arange(len(self.low)).split(self.sizes), strict=True)
        places = dict(parts)
        return torch.cat([places[name] for name in names])

    def values(self, x: Float[Tensor, "n"]) -> dict[str, Tensor]:
        """All unknowns, by name and in their shapes."""
        parts = zip(self.names, x.split(self.sizes), strict=True)
        moved = {name: part.to(self.rest[name]).reshape_as(self.rest[name]) for name, part in parts}
        return {**self.rest, **moved}

    def variance(self, motion: Motion, seconds: float) -> Float[Tensor, "n"]:
        """How far each of them walks in a time, squared; in float64."""
        parts = [
            torch.full((size,), motion.of(name) ** 2 * seconds, dtype=torch.float64)
            for name, size in zip(self.names, self.sizes, strict=True)
        ]
        return torch.cat(parts)
