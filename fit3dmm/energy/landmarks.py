"""Terms for what points seen in the photo say together: openings, and the size of the iris."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.points import ModelPoints, isotropic_whitening, project
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.solve.problem import Residuals, Term, Values, sum_of_squares
from fit3dmm.unknowns import PhotoIntrinsics

IRIS_DIAMETER_MM = 11.7
IRIS_SIGMA_MM = 0.5
"""Of the visible iris in adults, nearly the same for all: F. Rufer, A. Schroder, C. Erb, "White-to-
white corneal diameter", Cornea 24(3), 2005 (11.71 +- 0.42 mm); the rest is for the detector."""


def gap_term(
    points: ModelPoints,
    others: ModelPoints,
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
        points, others: the two ends of each gap.
        observed_px: the vector from `others` to `points` in the photo.
        sigma_px: of each coordinate of that vector.
        loss: of each vector's whitened error.
    """
    loss = loss or charbonnier(turn=3.0)

    def term(values: Values) -> Residuals:
        ends = [project(end, values, intrinsics) for end in (points, others)]
        residual = (ends[0].px - ends[1].px - observed_px) / sigma_px[:, None]
        energy, weight = loss(residual.square().sum(1))
        whitening = isotropic_whitening(sigma_px)

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            one, other = (end.pull_back(whitening, free) for end in ends)
            return {name: part - other[name] for name, part in one.items()}

        return Residuals(
            residual.flatten(),
            energy.sum(),
            weight.detach().repeat_interleave(2),
            jacobian,
        )

    return term


def iris_term(
    irises: ModelPoints,
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
    """

    def term(values: Values) -> Residuals:
        at = project(irises, values, intrinsics)
        focal_px = values["log_focal"].exp()
        depth_mm = -at.cam_mm[:, 2].mean()
        measured_mm = diameter_px * depth_mm / focal_px
        residual = (measured_mm - IRIS_DIAMETER_MM) / sigma_mm

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            share = -diameter_px / focal_px / sigma_mm / len(irises)
            by_cam = torch.zeros_like(at.cam_mm)
            by_cam[:, 2] = share
            parts = at.pull_back_cam(by_cam[:, None], free)
            parts = {name: part.sum(0, keepdim=True) for name, part in parts.items()}
            if "log_focal" in free:
                parts["log_focal"] = -(measured_mm / sigma_mm)[:, None]
            return parts

        return sum_of_squares(residual, jacobian)

    return term


def iris_sigma_mm(noise_mm: float) -> float:
    """Spread of irises among people and noise of the detector together."""
    return math.hypot(IRIS_SIGMA_MM, noise_mm)
