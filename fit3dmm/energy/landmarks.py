"""Terms for what points seen in the photo say together: openings, and the size of the iris."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.points import Points, isotropic_whitening, project
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import LOG_FOCAL, PhotoIntrinsics

IRIS_DIAMETER_MM = 11.7
IRIS_SIGMA_MM = 0.5
"""Of the visible iris in adults, nearly the same for all: F. Rufer, A. Schroder, C. Erb, "White-to-
white corneal diameter", Cornea 24(3), 2005 (11.71 +- 0.42 mm); the rest is for the detector."""


def opening_term(
    points: Points,
    others: Points,
    observed_px: Float[Tensor, "pairs 2"],
    sigma_px: Float[Tensor, "pairs"],
    intrinsics: PhotoIntrinsics,
    loss: Loss | None = None,
) -> Term:
    """Vectors between points across an opening: how far eyes and mouth are open.

    A detector errs on neighbouring points alike, so that their difference is known much better than
    either of them (after the closure losses of Y. Feng et al., "Learning an animatable detailed 3D
    face model from in-the-wild images", 2021, section 4.2).

    Args:
        points, others: the two ends of each opening.
        observed_px: the vector from `others` to `points` in the photo.
        sigma_px: of each coordinate of that vector.
        intrinsics: the photo's camera but for the focal length, which is an unknown.
        loss: of each vector's whitened error.
    """
    loss = loss or charbonnier(scale=3.0)
    whitening = isotropic_whitening(sigma_px)

    def term(values: Values) -> Residuals:
        ends = [project(end, values, intrinsics) for end in (points, others)]
        residual = (ends[0].px - ends[1].px - observed_px) / sigma_px[:, None]
        energy, weight = loss(residual.square().sum(-1))

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            one, other = (end.pull_back(whitening, free) for end in ends)
            return {name: part - other[name] for name, part in one.items()}

        return Residuals(
            residual.flatten(-2),
            energy.sum(-1),
            weight.detach().repeat_interleave(2, -1),
            jacobian,
        )

    return term


def iris_term(
    irises: Points,
    diameter_px: Float[Tensor, ""],
    sigma_mm: float,
    intrinsics: PhotoIntrinsics,
) -> Term:
    """The irises have the diameter that irises have, at the depth where the eyes are.

    One residual: errors of the two eyes have the same cause, the person's own iris.

    Args:
        irises: their centres.
        diameter_px: mean diameter in the photo, as seen from the front.
        sigma_mm: of the diameter: `iris_sigma_mm`.
        intrinsics: the photo's camera but for the focal length, which is an unknown.
    """

    def term(values: Values) -> Residuals:
        at = project(irises, values, intrinsics)
        focal_px = intrinsics.focal_px(values)[..., None]
        depth_mm = -at.cam_mm[..., 2].mean(-1, keepdim=True)
        measured_mm = diameter_px * depth_mm / focal_px
        residual = (measured_mm - IRIS_DIAMETER_MM) / sigma_mm

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            share = -diameter_px / focal_px / sigma_mm / len(irises)
            wrt_cam = torch.zeros_like(at.cam_mm)
            wrt_cam[..., 2] = share
            parts = at.pull_back_cam(wrt_cam[..., None, :], free)
            parts = {name: part.sum(-2, keepdim=True) for name, part in parts.items()}
            if LOG_FOCAL in free:
                parts[LOG_FOCAL] = -(measured_mm / sigma_mm)[..., None]
            return parts

        return sum_of_squares(residual, jacobian)

    return term


def iris_sigma_mm(noise_mm: float) -> float:
    """Spread of irises among people and noise of the detector together."""
    return math.hypot(IRIS_SIGMA_MM, noise_mm)
