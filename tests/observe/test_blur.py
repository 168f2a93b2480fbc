"""The blur is a Gaussian's, keeps light, and has gradients."""

import pytest
import torch
from scipy import ndimage

from fit3dmm.observe.blur import blurred


def _noise(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(height, width, 2, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("sigma_px", [0.3, 0.7, 2.0, 5.3])
def test_blur_is_a_gaussian_with_repeated_borders(sigma_px):
    image = _noise(40, 33)
    reach = int(3 * sigma_px + 1)
    plain = ndimage.gaussian_filter(
        image.numpy(), sigma_px, mode="nearest", radius=(reach, reach), axes=(0, 1)
    )
    # Weights are Python's floats in both.
    assert torch.allclose(blurred(image, sigma_px), torch.from_numpy(plain), atol=1e-12)


def test_blur_keeps_light_and_does_nothing_at_zero():
    image = _noise(40, 30)
    assert blurred(image, 0.0) is image
    flat = torch.full((40, 30, 3), 0.37, dtype=torch.float64)
    assert torch.allclose(blurred(flat, 5.0), flat)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2)])
def test_what_is_narrower_than_the_blur_is_blurred_as_far_as_it_goes(shape):
    image = _noise(*shape)
    soft = blurred(image, 4.0)
    assert soft.shape == image.shape
    assert soft.min() >= image.min() - 1e-12
    assert soft.max() <= image.max() + 1e-12


def test_blur_has_gradients():
    image = _noise(6, 5).requires_grad_(True)
    assert torch.autograd.gradcheck(lambda x: blurred(x, 0.8), image)
