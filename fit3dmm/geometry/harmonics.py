"""Real spherical harmonics to order 2, orthonormal, and the light that they describe.

Order of the nine: (l, m) = (0,0), (1,-1), (1,0), (1,1), (2,-2), ..., (2,2), that is
1, y, z, x, xy, yz, 3z^2 - 1, xz, x^2 - y^2, each with its positive normalisation.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

_Y0 = math.sqrt(1 / (4 * math.pi))
_Y1 = math.sqrt(3 / (4 * math.pi))
_Y2 = math.sqrt(15 / (4 * math.pi))
_Y2_ZONAL = math.sqrt(5 / (16 * math.pi))
_Y2_DIFFERENCE = math.sqrt(15 / (16 * math.pi))

_ORDERS = (0, 1, 1, 1, 2, 2, 2, 2, 2)
# Harmonic weights of max(0, cos): Ramamoorthi and Hanrahan 2001, equation 8.
_CLAMPED_COSINE = (math.pi, 2 * math.pi / 3, math.pi / 4)
# The weights that the code of Deng et al. 2019 carries in its basis, with the signs of its axes.
_DENG_ORDERS = (math.pi, 2 * math.pi / math.sqrt(3), 2 * math.pi / math.sqrt(8))
_DENG_SIGNS = (1, -1, 1, -1, 1, -1, 1, -1, 1)
# Ambient light that the code of Deng et al. 2019 adds to every gamma.
_DENG_AMBIENT = 0.8


def sh_basis(directions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """The nine harmonics at unit vectors."""
    x, y, z = directions.unbind(-1)
    rows = [
        torch.full_like(x, _Y0),
        _Y1 * y,
        _Y1 * z,
        _Y1 * x,
        _Y2 * x * y,
        _Y2 * y * z,
        _Y2_ZONAL * (3 * z * z - 1),
        _Y2 * x * z,
        _Y2_DIFFERENCE * (x * x - y * y),
    ]
    # One behind the other in memory, and not side by side: a third of the time.
    return torch.stack(rows).movedim(0, -1)


def sh_basis_jacobian(directions: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9 3"]:
    """Derivative of the polynomials of `sh_basis` by (x, y, z); the caller keeps to the sphere."""
    x, y, z = directions.unbind(-1)
    o = torch.zeros_like(x)
    one = torch.ones_like(x)
    rows = [
        [o, o, o],
        [o, _Y1 * one, o],
        [o, o, _Y1 * one],
        [_Y1 * one, o, o],
        [_Y2 * y, _Y2 * x, o],
        [o, _Y2 * z, _Y2 * y],
        [o, o, 6 * _Y2_ZONAL * z],
        [_Y2 * z, o, _Y2 * x],
        [2 * _Y2_DIFFERENCE * x, -2 * _Y2_DIFFERENCE * y, o],
    ]
    return torch.stack([torch.stack(row, -1) for row in rows], -2)


def clamped_cosine_sh(direction: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """Harmonics of max(0, normal . direction) as a function of the normal, cut after order 2."""
    return sh_basis(direction) * _by_order(_CLAMPED_COSINE, direction)


def irradiance_from_radiance(
    radiance_sh: Float[Tensor, "*batch 9 c"],
) -> Float[Tensor, "*batch 9 c"]:
    """Irradiance over pi under incoming light with these harmonics (a constant stays itself)."""
    return radiance_sh * _by_order(_CLAMPED_COSINE, radiance_sh)[:, None] / math.pi


def irradiance_from_deng2019(gamma: Float[Tensor, "*batch 27"]) -> Float[Tensor, "*batch 9 3"]:
    """Our harmonics of the 27 light numbers of Deep3DFaceRecon, ambient 0.8 included.

    There colour c of a surface is its albedo times the sum of (gamma[9c + k] + 0.8 [k = 0]) B_k,
    with B_k our Y_k times a weight for its order and a sign for its axis. Normals are in `cam`.
    Source: Deep3DFaceRecon_pytorch at 9167c71, models/bfm.py, `compute_color`.
    """
    sh = gamma.unflatten(-1, (3, 9)).mT.clone()
    sh[..., 0, :] += _DENG_AMBIENT
    return sh * _deng_weights(gamma)[:, None]


def irradiance_to_deng2019(
    irradiance_sh: Float[Tensor, "*batch 9 3"],
) -> Float[Tensor, "*batch 27"]:
    """Inverse of `irradiance_from_deng2019`."""
    sh = irradiance_sh / _deng_weights(irradiance_sh)[:, None]
    sh[..., 0, :] -= _DENG_AMBIENT
    return sh.mT.flatten(-2)


def _deng_weights(like: Tensor) -> Tensor:
    return _by_order(_DENG_ORDERS, like) * like.new_tensor(_DENG_SIGNS)


def _by_order(weights: tuple[float, float, float], like: Tensor) -> Tensor:
    return like.new_tensor([weights[order] for order in _ORDERS])
