"""Harmonics: orthonormal, their derivative, and the light numbers of others."""

import math

import torch

from fit3dmm.geometry.harmonics import (
    clamped_cosine_sh,
    irradiance_from_deng2019,
    irradiance_from_radiance,
    irradiance_to_deng2019,
    sh_basis,
    sh_basis_jacobian,
)


def quadrature(n: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors and solid angles, exact for polynomials of order 4."""
    height = torch.cos((torch.arange(n, dtype=torch.float64) + 0.5) * math.pi / n)
    edges = torch.cos(torch.arange(n + 1, dtype=torch.float64) * math.pi / n)
    around = torch.arange(2 * n, dtype=torch.float64) * math.pi / n
    z, a = torch.meshgrid(height, around, indexing="ij")
    s = (1 - z * z).sqrt()
    weight = (edges[:-1] - edges[1:])[:, None].expand_as(z) * math.pi / n
    directions = torch.stack([s * a.cos(), s * a.sin(), z], -1)
    return directions.reshape(-1, 3), weight.reshape(-1)


def some_directions(n: int = 50) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def test_the_basis_is_orthonormal() -> None:
    directions, weight = quadrature()
    y = sh_basis(directions)
    # The midpoint rule in height with 64 rings leaves about 5e-4.
    torch.testing.assert_close(
        (y * weight[:, None]).mT @ y, torch.eye(9, dtype=torch.float64), atol=1e-3, rtol=0
    )


def test_the_jacobian_is_the_derivative() -> None:
    for direction in some_directions(5):
        expected = torch.autograd.functional.jacobian(sh_basis, direction)
        torch.testing.assert_close(sh_basis_jacobian(direction), expected)


def test_constant_light_is_constant_irradiance() -> None:
    radiance = torch.zeros(9, 1, dtype=torch.float64)
    radiance[0] = math.sqrt(4 * math.pi)
    shade = sh_basis(some_directions()) @ irradiance_from_radiance(radiance)
    torch.testing.assert_close(shade, torch.ones_like(shade))


def test_a_lamp_lights_as_a_clamped_cosine() -> None:
    towards = torch.tensor([0.0, 0.6, 0.8], dtype=torch.float64)
    directions = some_directions(400)
    approximate = sh_basis(directions) @ clamped_cosine_sh(towards)
    exact = (directions @ towards).clamp_min(0)
    # Cut after order 2 the clamped cosine is furthest off at the horizon: 1/4 - 5/32.
    assert (approximate - exact).abs().max() < 3 / 32 + 1e-9


def test_the_light_numbers_of_deng2019() -> None:
    """Against the formula of the published code, spelled out for one normal."""
    generator = torch.Generator().manual_seed(1)
    gamma = torch.randn(27, generator=generator, dtype=torch.float64)
    zeroth = math.pi / math.sqrt(4 * math.pi)
    first = 2 * math.pi / math.sqrt(3) * math.sqrt(3) / math.sqrt(4 * math.pi)
    second = 2 * math.pi / math.sqrt(8) * 3 * math.sqrt(5) / math.sqrt(12 * math.pi)
    for normal in some_directions(5):
        x, y, z = normal.tolist()
        basis = torch.tensor(
            [
                zeroth,
                -first * y,
                first * z,
                -first * x,
                second * x * y,
                -second * y * z,
                second * 0.5 / math.sqrt(3) * (3 * z * z - 1),
                -second * x * z,
                second * 0.5 * (x * x - y * y),
            ],
            dtype=torch.float64,
        )
        light = gamma.reshape(3, 9) + torch.tensor([0.8] + [0.0] * 8)
        torch.testing.assert_close(
            sh_basis(normal) @ irradiance_from_deng2019(gamma), light @ basis
        )
    torch.testing.assert_close(irradiance_to_deng2019(irradiance_from_deng2019(gamma)), gamma)
