"""The product with a kept transpose is torch's own, in both directions."""

import pytest
import torch

from fit3dmm.geometry.sparse import apply_sparse
from tests.toy import toy_model


def matrix() -> torch.Tensor:
    """A subdivision operator, (1538, 386)."""
    return toy_model(level=1).surface.operator


def columns(dtype: torch.dtype) -> torch.Tensor:
    return torch.randn(386, 4, generator=torch.Generator().manual_seed(1), dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_dense_product(dtype: torch.dtype) -> None:
    expected = matrix().to_dense().to(dtype) @ columns(dtype)
    torch.testing.assert_close(apply_sparse(matrix(), columns(dtype)), expected)


def test_the_derivative_is_the_transposed_product() -> None:
    dense, x = matrix().to_dense().double(), columns(torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(
        apply_sparse(matrix(), x).square().sum(), x, create_graph=True
    )
    torch.testing.assert_close(gradient, 2 * dense.T @ dense @ x)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    torch.testing.assert_close(second, 8 * dense.T @ dense @ dense.T @ dense @ x)
