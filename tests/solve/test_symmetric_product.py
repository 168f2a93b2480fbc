import pytest
import torch

from fit3dmm.solve.symmetric_product import symmetric_product


@pytest.mark.parametrize("n", [0, 1, 79, 159, 160, 161, 321])
def test_it_is_the_plain_product(n):
    generator = torch.Generator().manual_seed(n)
    left = torch.randn(50, n, generator=generator, dtype=torch.float64)
    right = torch.rand(50, 1, generator=generator, dtype=torch.float64) * left
    found = symmetric_product(left, right)
    assert torch.allclose(found, left.mT @ right, atol=1e-12)
    # Plain products of floats are symmetric within their rounding only.
    if n >= 160:
        assert torch.equal(found.tril(-80), found.mT.tril(-80))
