"""Products with a fixed sparse matrix, whose derivative is as quick as they are."""

import warnings
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_transposes = WeakIdKeyDictionary()


def sparse_matrix(
    row_start: Int[Tensor, "rows_and_one"],
    column: Int[Tensor, "entries"],
    value: Float[Tensor, "entries"],
    shape: tuple[int, int],
) -> Tensor:
    """A CSR matrix, without any of the warnings that torch has for one; we use products only.

    Args:
        row_start: first entry of each row, and the number of entries.
        column: of each entry.
        value: of each entry.
        shape: rows and columns.
    """
    # Newer versions warn wherever a sparse tensor is made or moved, until somebody has said whether
    # its indices are to be checked. The state is left as it was found.
    checks = torch.sparse.check_sparse_tensor_invariants
    with checks(enable=checks.is_enabled()), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly")
        # Indices of 64 bits would be narrowed in every product.
        places = (row_start.int(), column.int())
        return torch.sparse_csr_tensor(*places, value, size=shape, check_invariants=False)


def apply_sparse(matrix: Tensor, columns: Float[Tensor, "columns n"]) -> Float[Tensor, "rows n"]:
    """`matrix @ columns` for a CSR matrix (rows, columns) that takes no gradient.

    torch's own product transposes the matrix anew in every backward pass, which costs forty times
    the product. Here the transpose is kept for as long as the matrix lives.
    """
    if not columns.requires_grad:
        return torch.sparse.mm(matrix.to(columns.dtype), columns)
    transpose = _transposes.get(matrix)
    if transpose is None:
        transpose = matrix.t().to_sparse_csr()
        _transposes[matrix] = transpose
    return _SparseProduct.apply(columns, matrix.to(columns.dtype), transpose.to(columns.dtype))


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, columns: Tensor, matrix: Tensor, transpose: Tensor) -> Tensor:
        ctx.matrix, ctx.transpose = matrix, transpose
        return torch.sparse.mm(matrix, columns)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor):
        # Itself differentiable, as the product is linear.
        return _SparseProduct.apply(grads[0], ctx.transpose, ctx.matrix), None, None
