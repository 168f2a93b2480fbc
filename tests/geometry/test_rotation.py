"""Laws of the exponential and logarithm of rotations, near the singular angles too."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fit3dmm.geometry.rotation import (
    angles_of_rotation,
    cross_matrix,
    left_jacobian,
    rotation_from_angles,
    rotation_matrix,
    rotation_vector,
)

ANGLES = [0.0, 1e-9, 1e-5, 1e-2, 0.0316, 0.032, 0.5, 1.5, 2.5, math.pi - 1e-3, math.pi - 1e-7]


def axes(n: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(n, 3, dtype=torch.float64, generator=generator)
    axes = torch.cat([drawn, torch.eye(3, dtype=torch.float64), -torch.eye(3, dtype=torch.float64)])
    return torch.nn.functional.normalize(axes, dim=-1)


def vectors() -> torch.Tensor:
    return (torch.tensor(ANGLES, dtype=torch.float64)[:, None, None] * axes()).reshape(-1, 3)


def test_the_exponential_gives_rotations() -> None:
    r = rotation_matrix(vectors())
    eye = torch.eye(3, dtype=torch.float64).expand_as(r)
    # Rounding of a few float64 products; the Taylor branch is exact to 1e-13.
    torch.testing.assert_close(r @ r.mT, eye, atol=1e-12, rtol=0)
    torch.testing.assert_close(torch.linalg.det(r), torch.ones(len(r), dtype=torch.float64))


def test_it_agrees_with_the_matrix_exponential() -> None:
    v = vectors()
    expected = torch.linalg.matrix_exp(cross_matrix(v))
    # Rounding; matrix_exp itself is good to about 1e-14.
    torch.testing.assert_close(rotation_matrix(v), expected, atol=1e-12, rtol=0)


def test_the_axis_stays_and_opposite_vectors_are_inverse() -> None:
    v = vectors()
    r = rotation_matrix(v)
    torch.testing.assert_close((r @ v[..., None])[..., 0], v, atol=1e-12, rtol=0)
    torch.testing.assert_close(rotation_matrix(-v), r.mT, atol=1e-12, rtol=0)


def test_the_logarithm_undoes_the_exponential() -> None:
    v = vectors()
    # Near pi the angle comes from a matrix whose sine part has 1e-7 left of it.
    torch.testing.assert_close(rotation_vector(rotation_matrix(v)), v, atol=1e-9, rtol=0)


def test_half_turns_have_a_logarithm_up_to_sign() -> None:
    v = math.pi * axes()
    again = rotation_matrix(rotation_vector(rotation_matrix(v)))
    torch.testing.assert_close(again, rotation_matrix(v), atol=1e-12, rtol=0)


def test_float32_is_good_to_a_few_ulp() -> None:
    v = vectors()
    # Products of numbers below 1 in float32.
    torch.testing.assert_close(
        rotation_matrix(v.float()).double(), rotation_matrix(v), atol=5e-7, rtol=0
    )


def test_the_left_jacobian_is_the_derivative_of_a_turned_point() -> None:
    point = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64)
    for v in vectors():
        q = rotation_matrix(v) @ point
        jacobian = torch.autograd.functional.jacobian(lambda r: rotation_matrix(r) @ point, v)
        torch.testing.assert_close(-cross_matrix(q) @ left_jacobian(v), jacobian, atol=1e-9, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.5, 2.9])
def test_gradients(angle: float) -> None:
    v = (angle * axes(2)).requires_grad_()
    assert torch.autograd.gradcheck(rotation_matrix, (v,))
    assert torch.autograd.gradcheck(lambda r: rotation_vector(rotation_matrix(r)), (v,))


def test_batch_axes() -> None:
    v = torch.zeros(2, 4, 3)
    assert rotation_matrix(v).shape == (2, 4, 3, 3)
    assert rotation_vector(rotation_matrix(v)).shape == (2, 4, 3)


@given(angles=st.tuples(st.floats(-179, 179), st.floats(-89, 89), st.floats(-179, 179)))
@settings(max_examples=50, deadline=None)
def test_angles_come_back(angles) -> None:
    found = angles_of_rotation(rotation_from_angles(*angles))
    # Near a right angle of yaw, where pitch and roll can hardly be told apart, a little is lost.
    np.testing.assert_allclose([found["pitch"], found["yaw"], found["roll"]], angles, atol=1e-6)


def test_angles_turn_one_after_the_other_about_the_axes_of_the_camera() -> None:
    pitch, yaw, roll = torch.diag(torch.tensor([10.0, 25.0, -40.0], dtype=torch.float64).deg2rad())
    expected = rotation_matrix(roll) @ rotation_matrix(yaw) @ rotation_matrix(pitch)
    found = rotation_from_angles(10.0, 25.0, -40.0)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-15)


def test_a_profile_has_angles_too() -> None:
    found = angles_of_rotation(rotation_from_angles(20.0, 90.0, 0.0))
    assert found == pytest.approx({"pitch": 20.0, "yaw": 90.0, "roll": 0.0}, abs=1e-5)
