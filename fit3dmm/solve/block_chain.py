"""Symmetric matrices in the shape of a chain: what the frames of a video need.

Each member meets the one before it and the one behind it alone, so that curvature fills a block for
each member and one between neighbours. Eliminating them in order takes time in proportion to their
number; for random walks it is the smoother of H. Rauch, F. Tung, C. Striebel, "Maximum likelihood
estimates of linear dynamic systems", AIAA Journal 3(8), 1965, in its information form.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class BlockChain:
    """One member is a plain matrix."""

    blocks: tuple[Float[Tensor, "_ _"], ...]
    links: tuple[Float[Tensor, "_ _"], ...]
    """Between each member (rows) and the next (columns)."""

    @property
    def sizes(self) -> list[int]:
        """Rows of each member."""
        return [len(block) for block in self.blocks]

    def diagonal(self) -> Float[Tensor, "n"]:
        """The elements on the diagonal."""
        return torch.cat([block.diagonal() for block in self.blocks])

    def __matmul__(self, vector: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The product with a vector."""
        parts = vector.split(self.sizes)
        products = [block @ part for block, part in zip(self.blocks, parts, strict=True)]
        for k, link in enumerate(self.links):
            products[k] = products[k] + link @ parts[k + 1]
            products[k + 1] = products[k + 1] + link.mT @ parts[k]
        return torch.cat(products)

    def with_added(self, diagonal: Float[Tensor, "n"]) -> "BlockChain":
        """The sum with a diagonal matrix."""
        parts = diagonal.split(self.sizes)
        blocks = (block + torch.diag(part) for block, part in zip(self.blocks, parts, strict=True))
        return BlockChain(tuple(blocks), self.links)

    def select(self, rows: Bool[Tensor, "n"]) -> "BlockChain":
        """The rows and columns that are asked for, of which a member may keep none."""
        kept = rows.split(self.sizes)
        links = zip(self.links, kept, kept[1:], strict=False)
        return BlockChain(
            tuple(block[part][:, part] for block, part in zip(self.blocks, kept, strict=True)),
            tuple(link[this][:, following] for link, this, following in links),
        )

    def solve(self, right: Float[Tensor, "n"]) -> Float[Tensor, "n"]:
        """The vector whose product is `right`, for a matrix that is positive definite; of one that
        rounding has made indefinite, the least-squares solution."""
        kept, parts = [], []
        block, part = self.blocks[0], right.split(self.sizes)[0]
        rest = zip((*self.blocks[1:], None), (*right.split(self.sizes)[1:], None), strict=True)
        for k, (next_block, next_part) in enumerate(rest):
            factor, failed = torch.linalg.cholesky_ex(block)
            if int(failed) != 0:
                return self._least_squares(right)
            white = torch.linalg.solve_triangular(factor, part[:, None], upper=False)[:, 0]
            if next_block is None or next_part is None:
                kept.append((factor, None, white))
                break
            white_link = torch.linalg.solve_triangular(factor, self.links[k], upper=False)
            kept.append((factor, white_link, white))
            block = next_block - white_link.mT @ white_link
            part = next_part - white_link.mT @ white
        for factor, white_link, white in reversed(kept):
            if white_link is not None:
                white = white - white_link @ parts[-1]
            parts.append(torch.linalg.solve_triangular(factor.mT, white[:, None], upper=True)[:, 0])
        return torch.cat(parts[::-1])

    def dense(self) -> Float[Tensor, "n n"]:
        """All elements."""
        matrix = torch.block_diag(*self.blocks)
        starts = torch.tensor([0, *self.sizes]).cumsum(0).tolist()
        for k, link in enumerate(self.links):
            this = slice(starts[k], starts[k + 1])
            following = slice(starts[k + 1], starts[k + 2])
            matrix[this, following], matrix[following, this] = link, link.mT
        return matrix

    def _least_squares(self, right: Tensor) -> Tensor:
        # By singular values: PyTorch's usual driver starts from pivots that nobody has set, and now
        # and then gives zeros. Devices other than processors have no other.
        driver = "gelsd" if right.device.type == "cpu" else None
        return torch.linalg.lstsq(self.dense(), right[:, None], driver=driver).solution[:, 0]
