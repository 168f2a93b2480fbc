"""Sums of products over the unknowns of a problem, in the shape that its groups make."""

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.solve.block_arrow import BlockArrow


class ArrowSum:
    """Sums products of terms into the shape that the groups of a problem make."""

    def __init__(self, sizes: list[int], like: Tensor) -> None:
        """Nothing yet.

        Args:
            sizes: elements of what is free outside all groups, and in each of them.
            like: on whose device.
        """
        self._head, *self._own = sizes
        self._starts = list(itertools.accumulate(sizes))
        # One matrix a group, of what lies outside all groups and, behind it, of its own.
        self._blocks = [
            like.new_zeros(self._head + n, self._head + n, dtype=torch.float64)
            for n in self._own or [0]
        ]

    def add(
        self, name: str, columns: Int[Tensor, "touched"], product: Float[Tensor, "touched touched"]
    ) -> None:
        """Add a term's.

        Args:
            name: of the term.
            columns: elements of the flat vector that it touches.
            product: of these with each other.

        Raises:
            ValueError: they are of several groups.
        """
        k = self._group_of(columns, name) if self._own else 0
        within = torch.where(columns < self._head, columns, columns - self._starts[k] + self._head)
        run = None if within.is_cuda else _run(within)
        if run is not None:
            self._blocks[k][run, run] += product
        else:
            self._blocks[k][within[:, None], within] += product.double()

    def arrow(self) -> BlockArrow:
        """The sum until now."""
        head, blocks = self._head, self._blocks
        if not self._own:
            return BlockArrow(blocks[0])
        return BlockArrow(
            torch.stack([block[:head, :head] for block in blocks]).sum(0),
            tuple(block[:head, head:] for block in blocks),
            tuple(block[head:, head:] for block in blocks),
        )

    def _group_of(self, columns: Int[Tensor, "touched"], name: str) -> int:
        """The one group that a term touches; the first where it touches none."""
        boundaries = torch.tensor(self._starts[:-1], device=columns.device)
        # Zero stands for what lies outside the groups.
        touched = torch.bucketize(columns, boundaries, right=True).unique()
        touched = [k - 1 for k in touched.tolist() if k > 0]
        if len(touched) > 1:
            raise ValueError(f"The term {name} touches the unknowns of several groups.")
        return touched[0] if touched else 0


def _run(places: Int[Tensor, "n"]) -> slice | None:
    """The slice that ascending places are, if they follow each other without a gap."""
    if len(places) == 0:
        return slice(0, 0)
    first, last = int(places[0]), int(places[-1])
    return slice(first, last + 1) if last - first + 1 == len(places) else None
