"""From albedo, normals and light to colour: a matte surface under distant light, in linear RGB.

Linear colours become those of an sRGB picture by `colour.linear_to_srgb`.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.harmonics import sh_basis


def shade(
    albedo_linear: Float[Tensor, "*batch points 3"],
    normals_cam: Float[Tensor, "*batch points 3"],
    irradiance_sh: Float[Tensor, "*batch 9 3"],
) -> Float[Tensor, "*batch points 3"]:
    """Colour of points: albedo times the light that arrives (Deng et al. 2019, section 3.1).

    Not clipped, so that it stays linear in albedo and light: strong light gives more than 1, and
    order-2 harmonics can be slightly negative on the far side of a lamp.
    """
    return albedo_linear * (sh_basis(normals_cam) @ irradiance_sh)


def unit(vectors: Float[Tensor, "*shape 3"]) -> Float[Tensor, "*shape 3"]:
    """Vectors of length 1 in the same directions; zero stays zero, with zero derivative."""
    return torch.nn.functional.normalize(vectors, dim=-1)
