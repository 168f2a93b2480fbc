"""Laws of the matte surface under order-2 light."""

import torch

from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.render.shading import shade, unit
from fit3dmm.scene import Lighting


def normals() -> torch.Tensor:
    drawn = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.normalize(drawn, dim=-1)


def albedo() -> torch.Tensor:
    return torch.rand(40, 3, generator=torch.Generator().manual_seed(1))


def test_ambient_white_shows_the_albedo() -> None:
    shown = shade(albedo(), normals(), Lighting.ambient_white().irradiance_sh)
    torch.testing.assert_close(shown, albedo())


def test_colour_is_linear_in_light_and_in_albedo() -> None:
    a = Lighting.directional((1.0, 0.2, 0.4), (1.0, 0.8, 0.6))
    b = Lighting.ambient_white(0.2)
    both = shade(albedo(), normals(), (a + b).irradiance_sh)
    parts = [shade(albedo(), normals(), light.irradiance_sh) for light in (a, b)]
    torch.testing.assert_close(both, parts[0] + parts[1])
    torch.testing.assert_close(shade(3 * albedo(), normals(), a.irradiance_sh), 3 * parts[0])


def test_turning_the_lamp_with_the_head_changes_nothing() -> None:
    turn = rotation_matrix(torch.tensor([0.4, -0.9, 0.2]))
    towards = torch.tensor([0.3, 0.8, 0.5])
    before = shade(albedo(), normals(), Lighting.directional(towards).irradiance_sh)
    lamp = Lighting.directional(turn @ towards)
    after = shade(albedo(), normals() @ turn.T, lamp.irradiance_sh)
    # Order-2 polynomials of rounded rotations.
    torch.testing.assert_close(before, after, atol=1e-5, rtol=0)


def test_gradients() -> None:
    light = Lighting.directional((0.1, 0.5, 0.7)).irradiance_sh.double().requires_grad_()
    inputs = [t[:4].double().requires_grad_() for t in (albedo(), normals())]
    assert torch.autograd.gradcheck(shade, (*inputs, light))


def test_the_unit_of_zero_is_zero_with_a_finite_derivative() -> None:
    vectors = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 4.0]], requires_grad=True)
    units = unit(vectors)
    torch.testing.assert_close(units, torch.tensor([[0.0, 0.0, 0.0], [0.6, 0.0, 0.8]]))
    units.sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
