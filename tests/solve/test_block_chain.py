"""Chains: the same as the matrices that they stand for."""

from itertools import pairwise

import pytest
import torch

from fit3dmm.solve import BlockArrow, BlockChain
from fit3dmm.solve.levenberg_marquardt import bounded_step

SIZES = [[4], [3, 5], [2, 4, 3, 4]]


def random_chain(sizes: list[int], seed: int = 0) -> BlockChain:
    """Positive definite: the normal equations of rows that neighbours share."""
    generator = torch.Generator().manual_seed(seed)
    total = torch.eye(sum(sizes), dtype=torch.float64)
    starts = torch.tensor([0, *sizes]).cumsum(0).tolist()
    ends = [*starts[2:], starts[-1]]
    for begin, end in zip(starts[:-1], ends, strict=True):
        rows = torch.randn(20, end - begin, generator=generator, dtype=torch.float64)
        total[begin:end, begin:end] += rows.T @ rows
    parts = [slice(a, b) for a, b in pairwise(starts)]
    return BlockChain(
        tuple(total[part, part] for part in parts),
        tuple(total[a, b] for a, b in pairwise(parts)),
    )


def vector(n: int, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("sizes", SIZES)
def test_a_chain_is_its_dense_matrix(sizes):
    chain, v = random_chain(sizes), vector(sum(sizes))
    dense = chain.dense()
    torch.testing.assert_close(dense, dense.T)
    torch.testing.assert_close(chain @ v, dense @ v)
    torch.testing.assert_close(chain.diagonal(), dense.diagonal())
    torch.testing.assert_close(chain.with_added(v).dense(), dense + torch.diag(v))
    torch.testing.assert_close(chain.solve(v), torch.linalg.solve(dense, v))


def test_rows_can_be_left_out_also_all_of_a_member():
    chain = random_chain([2, 4, 3, 4])
    rows = torch.tensor([1, 0, 1, 0, 1, 1, 0, 0, 0, 1, 1, 0, 1]).bool()
    kept, v = chain.select(rows), vector(int(rows.sum()))
    torch.testing.assert_close(kept.dense(), chain.dense()[rows][:, rows])
    torch.testing.assert_close(kept.solve(v), torch.linalg.solve(kept.dense(), v))


def test_a_matrix_that_rounding_made_indefinite_is_solved_as_well_as_it_goes():
    flat = BlockChain(
        (torch.zeros(2, 2).double(), torch.eye(2).double()), (torch.zeros(2, 2).double(),)
    )
    right = torch.tensor([0.0, 0.0, 1.0, 2.0], dtype=torch.float64)
    torch.testing.assert_close(flat.solve(right), right)


def test_a_bounded_step_is_that_of_the_dense_matrix():
    sizes = [2, 4, 3, 4]
    chain, x = random_chain(sizes), vector(13, 2).clamp(-0.5, 0.5)
    bounds = (torch.full_like(x, -0.5), torch.full_like(x, 0.5))
    gradient = 30 * vector(13, 3)
    dense = BlockArrow(chain.dense())
    expected = bounded_step(dense, gradient, x, bounds, 1e-3)
    found = bounded_step(chain, gradient, x, bounds, 1e-3)
    torch.testing.assert_close(found, expected)
    assert ((x + found).abs() == 0.5).any()  # so that some bounds were met
