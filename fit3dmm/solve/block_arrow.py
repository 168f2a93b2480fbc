"""Symmetric matrices in the shape of an arrow: what several photos of one person need.

Unknowns of one photo meet those of another only through what they share. With the shared ones
first, curvature fills a block for them (the head), a block for each photo (its tip), and what lies
between these (its arm). Solving by Schur's complement onto the head takes time in proportion to the
number of photos (B. Triggs, P. McLauchlan, R. Hartley, A. Fitzgibbon, "Bundle adjustment - a modern
synthesis", 2000, section 6.1).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class BlockArrow:
    """Without tips it is a plain matrix."""

    head: Float[Tensor, "h h"]
    arms: tuple[Float[Tensor, "h _"], ...] = ()
    tips: tuple[Float[Tensor, "_ _"], ...] = ()

    @property
    def sizes(self) -> list[int]:
        """Rows of the head and of each tip."""
        return [len(self.head), *(len(tip) for tip in self.tips)]

    def diagonal(self) -> Float[Tensor, "n"]:
        """The elements on the diagonal."""
        return torch.cat([block.diagonal() for block in (self.head, *self.tips)])

    def __matmul__(self, vector: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The product with a vector."""
        head, *rest = vector.split(self.sizes)
        total = self.head @ head
        parts = []
        for arm, tip, part in zip(self.arms, self.tips, rest, strict=True):
            total = total + arm @ part
            parts.append(arm.mT @ head + tip @ part)
        return torch.cat([total, *parts])

    def with_added(self, diagonal: Float[Tensor, "n"]) -> "BlockArrow":
        """The sum with a diagonal matrix."""
        head, *tips = (
            block + torch.diag(part)
            for block, part in zip((self.head, *self.tips), diagonal.split(self.sizes), strict=True)
        )
        return BlockArrow(head, self.arms, tuple(tips))

    def scaled(self, scale: Float[Tensor, "n"]) -> "BlockArrow":
        """With each row and column multiplied by a number."""
        head, *tips = scale.split(self.sizes)
        return BlockArrow(
            head[:, None] * self.head * head,
            tuple(head[:, None] * arm * tip for arm, tip in zip(self.arms, tips, strict=True)),
            tuple(tip[:, None] * block * tip for block, tip in zip(self.tips, tips, strict=True)),
        )

    def select(self, rows: Bool[Tensor, "n"]) -> "BlockArrow":
        """The rows and columns that are asked for, of which an arm or a tip may keep none."""
        head, *rest = rows.split(self.sizes)
        return BlockArrow(
            self.head[head][:, head],
            tuple(arm[head][:, part] for arm, part in zip(self.arms, rest, strict=True)),
            tuple(tip[part][:, part] for tip, part in zip(self.tips, rest, strict=True)),
        )

    def solve(self, right: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The vector whose product is `right`, for a matrix that is positive definite; of one that
        rounding has made indefinite, the least-squares solution."""
        of_head, *of_tips = right.split(self.sizes)
        schur, reduced, kept = self.head, of_head, []
        for arm, tip, part in zip(self.arms, self.tips, of_tips, strict=True):
            factor, failed = torch.linalg.cholesky_ex(tip)
            if int(failed) != 0:
                return self._least_squares(right)
            # Whitened by the tip's factor L: L^-1 arm^T, and L^-1 part.
            beside = torch.cat([arm.mT, part[:, None]], 1)
            white = torch.linalg.solve_triangular(factor, beside, upper=False)
            white_arm, white_part = white[:, :-1], white[:, -1]
            schur = schur - white_arm.mT @ white_arm
            reduced = reduced - white_arm.mT @ white_part
            kept.append((factor, white_arm, white_part))
        factor, failed = torch.linalg.cholesky_ex(schur)
        if int(failed) != 0:
            return self._least_squares(right)
        head = torch.cholesky_solve(reduced[:, None], factor)[:, 0]
        parts = [
            torch.linalg.solve_triangular(
                tip_factor.mT, (white_part - white_arm @ head)[:, None], upper=True
            )[:, 0]
            for tip_factor, white_arm, white_part in kept
        ]
        return torch.cat([head, *parts])

    def dense(self) -> Float[Tensor, "n n"]:
        """All elements."""
        n, at = sum(self.sizes), len(self.head)
        matrix = self.head.new_zeros(n, n)
        matrix[:at, :at] = self.head
        for arm, tip in zip(self.arms, self.tips, strict=True):
            own = slice(at, at + len(tip))
            matrix[: len(self.head), own], matrix[own, : len(self.head)] = arm, arm.mT
            matrix[own, own] = tip
            at += len(tip)
        return matrix

    def _least_squares(self, right: Tensor) -> Tensor:
        return torch.linalg.lstsq(self.dense(), right[:, None]).solution[:, 0]
