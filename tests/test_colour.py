"""Colours: the transfer function and its inverse, the same for tensors and arrays."""

import numpy as np
import pytest
import torch

from fit3dmm.colour import linear_of_bytes, linear_to_srgb, luminance, srgb_to_linear
from fit3dmm.geometry.smoothstep import smoothstep

VALUES = np.linspace(0, 1, 1001)


def test_the_curve_by_hand() -> None:
    # The straight piece, a point of the curve (0.5 is 21.4 % of the light) and the end.
    np.testing.assert_allclose(
        srgb_to_linear(np.array([0.0, 0.02, 0.5, 1.0])), [0, 0.02 / 12.92, 0.21404114, 1], atol=1e-8
    )


def test_there_and_back() -> None:
    # The published constants leave a gap of 1e-8 where the two pieces meet.
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(VALUES)), VALUES, atol=1e-7)


@pytest.mark.parametrize(
    "function", [srgb_to_linear, linear_to_srgb, lambda x: smoothstep(x, 0.7, 0.2)]
)
def test_tensors_give_what_arrays_give(function) -> None:
    tensor = torch.from_numpy(VALUES)
    np.testing.assert_allclose(function(tensor).numpy(), function(VALUES), rtol=1e-14, atol=1e-15)
    assert function(tensor.float()).dtype == torch.float32
    assert function(VALUES.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("function", [srgb_to_linear, linear_to_srgb])
def test_slopes_are_finite_down_to_black(function) -> None:
    values = torch.tensor([0.0, 0.001, 0.03, 0.2, 0.9], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, (values,))


def test_luminance_weighs_the_channels() -> None:
    assert luminance(np.eye(3)).tolist() == [0.2126, 0.7152, 0.0722]
    assert luminance(torch.ones(2, 3)).tolist() == pytest.approx([1.0, 1.0])


def test_a_soft_step_is_level_at_its_ends() -> None:
    np.testing.assert_allclose(smoothstep(np.array([-1, 0, 1, 2, 9.0]), 0, 2), [0, 0, 0.5, 1, 1])
    np.testing.assert_allclose(smoothstep(np.array([-1.0, 0.5, 9]), 2, -1), [1, 0.5, 0])


def test_light_of_bytes_is_that_of_their_shares() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    plain = srgb_to_linear(pixels.astype(np.float32) / 255)
    assert np.array_equal(linear_of_bytes(pixels), plain)
