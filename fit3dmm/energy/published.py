"""Losses of Deng et al. 2019 that are no log-likelihoods, as terms of an energy.

Y. Deng, J. Yang, S. Xu, D. Chen, Y. Jia, X. Tong, "Accurate 3D face reconstruction with
weakly-supervised learning: from single image to image set", CVPR workshops 2019.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.points import Points, project
from fit3dmm.geometry.transform import Similarity
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import IRRADIANCE, PhotoIntrinsics

# Rounds the norm at zero, as the published code does.
_EPSILON = 1e-6
# What the published code multiplies its coefficients of each band by, in orthonormal harmonics.
_UNITS = (math.pi,) + (2 * math.pi / 3**0.5,) * 3 + (2 * math.pi / 8**0.5,) * 5


def mean_colour_distance(
    drawn: Float[Tensor, "height width 3"],
    photo: Float[Tensor, "height width 3"],
    weight: Float[Tensor, "height width"],
) -> Float[Tensor, ""]:
    """Distance of two pictures' colours, on the average of pixels by their weights (equation 2)."""
    distance = (_EPSILON + (drawn - photo).square().sum(-1)).sqrt()
    return (weight * distance).sum() / weight.sum().clamp_min(1.0)


def mean_landmark_square(
    points_px: Float[Tensor, "points 2"],
    observed_px: Float[Tensor, "points 2"],
    weight: Float[Tensor, "points"],
) -> Float[Tensor, ""]:
    """Weighted squared distances of points, over their number (equation 3)."""
    return (weight * (points_px - observed_px).square().sum(-1)).mean()


def as_one_residual(energy: Float[Tensor, ""]) -> Residuals:
    """Any energy above zero as half the square of one number: first-order solvers see the energy,
    and second-order ones its gradient and a curvature along it."""
    return sum_of_squares((2 * energy).clamp_min(1e-12).sqrt()[None])


def landmark_square_term(
    points: Points,
    observed_px: Float[Tensor, "points 2"],
    weight: Float[Tensor, "points"],
    T_crop_photo: Similarity,
    intrinsics: PhotoIntrinsics,
    sigma_px: float,
) -> Term:
    """Half of `mean_landmark_square` in pixels of a crop, in units of a sigma.

    Args:
        points: of the model.
        observed_px: where they were seen, in `crop`.
        weight: of each.
        T_crop_photo: maps pixels of the photo to the crop's.
        intrinsics: the photo's camera but for the focal length.
        sigma_px: root of the weighted mean square that is as likely as one sigma.
    """
    scale = (weight / len(weight)).sqrt() / sigma_px

    def term(values: Values) -> Residuals:
        at = project(points, values, intrinsics)
        residual = scale[:, None] * (T_crop_photo @ at.px - observed_px)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            eye = torch.eye(2, dtype=scale.dtype, device=scale.device)
            return at.pull_back((scale * T_crop_photo.scale)[:, None, None] * eye, free)

        return sum_of_squares(residual.flatten(-2), jacobian)

    return term


def white_light_term(sigma: float) -> Term:
    """Light has the same harmonics in red, green and blue: half the mean square of what a
    coefficient differs from the three's mean, in units of a sigma.

    In the published code's coefficients of light, before it makes irradiance of them.
    """
    rows = torch.zeros(27, 9, 3)
    for k, unit in enumerate(_UNITS):
        for c in range(3):
            rows[3 * k + c, k] = -1 / 3
            rows[3 * k + c, k, c] += 1
            rows[3 * k + c, k] /= unit * sigma * 27**0.5
    rows = rows.flatten(1)

    def term(values: Values) -> Residuals:
        matrix = rows.to(values[IRRADIANCE])
        return sum_of_squares(
            values[IRRADIANCE].flatten(-2) @ matrix.mT,
            lambda free: {IRRADIANCE: matrix} if IRRADIANCE in free else {},
        )

    return term
