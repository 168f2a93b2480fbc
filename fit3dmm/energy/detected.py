"""The term for points that a detector saw.

A network that finds the points of a face answers with a likely face: it makes unusual shapes less
unusual, turns less turned, and errs on neighbouring points alike. So its points are not the face's
points with some noise, and 478 of them are not 478 observations. Where it puts them is

    the points + bias + by_shape @ shape + by_view @ view + modes @ z + noise

in which `view` are `view_features`, z are unknowns of their own with a standard normal prior (what
the detector happens to make of this photo), and the noise of each point is independent.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.points import (
    ModelPoints,
    Projection,
    by_rotation,
    isotropic_whitening,
    project,
)
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import PhotoIntrinsics

N_VIEW_FEATURES = 6
_REFERENCE_DISTANCE_MM = 1000.0


@dataclass(frozen=True)
class PointErrors(TensorRecord):
    """How a detector errs on the points of a model, near one view. In px of the photo."""

    bias_px: Float[Tensor, "points 2"]
    by_shape_px: Float[Tensor, "points 2 shape"]
    """By the coefficients, in the order of `ModelPoints.basis_mm`."""
    by_view_px: Float[Tensor, "points 2 features"]
    modes_px: Float[Tensor, "points 2 modes"]
    sigma_px: Float[Tensor, "points"]
    """Of the noise, in each coordinate."""
    forward: Float[Tensor, "3"]
    """Out of the face, in `model`."""
    upright: Float[Tensor, "2 2"]
    """Turns x and y of `cam` so that the head stands upright."""


def view_features(
    forward_upright: Float[Tensor, "*n 2"], distance_mm: Float[Tensor, "*n"]
) -> Float[Tensor, "*n 6"]:
    """What the errors depend on besides the shape: the turn of the head to second order, and how
    near it is.

    Args:
        forward_upright: x and y, with the head upright, of the unit vector out of the face.
        distance_mm: of the model's origin from the camera.
    """
    x, y = forward_upright.unbind(-1)
    near = _REFERENCE_DISTANCE_MM / distance_mm - 1
    return torch.stack([x, y, x * x, x * y, y * y, near], -1)


def detected_term(
    points: ModelPoints,
    observed_px: Float[Tensor, "points 2"],
    errors: PointErrors,
    modes: str,
    intrinsics: PhotoIntrinsics,
    loss: Loss | None = None,
) -> Term:
    """Distances of the points that the detector should see from those that it saw.

    Args:
        modes: what z is called among the unknowns.
        loss: of each point's distance in sigmas.
    """
    loss = loss or charbonnier(turn=3.0)
    whitening = isotropic_whitening(errors.sigma_px)

    def term(values: Values) -> Residuals:
        at = project(points, values, intrinsics)
        residual = (expected_px(at, values, errors, modes) - observed_px) / errors.sigma_px[:, None]
        energy, weight = loss(residual.square().sum(1))

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = at.pull_back(whitening, free)
            for name, by_px in _error_parts(free).items():
                rows = (whitening @ by_px).flatten(0, 1)
                parts[name] = parts[name] + rows if name in parts else rows
            return parts

        def _error_parts(free: tuple[str, ...]) -> dict[str, Float[Tensor, "points 2 _"]]:
            turn, distance_mm = _view(at, values, errors)
            columns = points.shape_columns(free)
            parts = {name: errors.by_shape_px[..., column] for name, column in columns.items()}
            if "rotation_rad" in free:
                forward = at.rotation @ errors.forward
                axes = torch.eye(3, dtype=forward.dtype, device=forward.device)
                by_vector = by_rotation(forward[None], axes[None], at.rotation_jacobian)[0]
                by_turn = _features_by_turn(turn)
                parts["rotation_rad"] = errors.by_view_px @ (
                    by_turn @ errors.upright @ by_vector[:2]
                )
            if "translation_mm" in free:
                by_place = turn.new_zeros(N_VIEW_FEATURES, 3)
                by_place[-1, 2] = _REFERENCE_DISTANCE_MM / distance_mm**2
                parts["translation_mm"] = errors.by_view_px @ by_place
            if modes in free:
                parts[modes] = errors.modes_px
            return parts

        return Residuals(
            residual.flatten(), energy.sum(), weight.detach().repeat_interleave(2), jacobian
        )

    return term


def expected_px(
    at: Projection, values: Values, errors: PointErrors, modes: str
) -> Float[Tensor, "points 2"]:
    """Where the detector should see the points."""
    turn, distance_mm = _view(at, values, errors)
    return (
        at.px
        + errors.bias_px
        + errors.by_shape_px @ at.points.shape_coefficients(values)
        + errors.by_view_px @ view_features(turn, distance_mm)
        + errors.modes_px @ values[modes]
    )


def _view(at: Projection, values: Values, errors: PointErrors) -> tuple[Tensor, Tensor]:
    """The turn with the head upright, and the distance."""
    return errors.upright @ (at.rotation @ errors.forward)[:2], -values["translation_mm"][2]


def _features_by_turn(turn: Float[Tensor, "2"]) -> Float[Tensor, "6 2"]:
    """Derivatives of `view_features` by the turn."""
    x, y = turn
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    by_x = torch.stack([one, zero, 2 * x, y, zero, zero])
    by_y = torch.stack([zero, one, zero, x, 2 * y, zero])
    return torch.stack([by_x, by_y], 1)
