"""How a detector errs on the points of one model, near one pose."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.detected import PointErrors, ShapeScores
from fit3dmm.energy.points import LinearPoints, Points
from fit3dmm.energy.skinned_points import SkinnedPoints
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.observe.detector_errors import DetectorErrors


@dataclass(frozen=True)
class LandmarkErrorModel(TensorRecord):
    """The errors for the points of one model."""

    errors: DetectorErrors
    points: Points
    """Those of the detector's points of the face whose errors are known, on the model."""
    scores: ShapeScores
    R_model_reference: Float[Tensor, "3 3"]
    """Turns the axes of the reference to those of the model: heads of different models are not
    held quite alike."""

    def at_view(
        self,
        rotation: Float[Tensor, "3 3"],
        px_per_mm: float,
        scale: float,
        noise_scale: float,
        noise_floor_mm: float,
        told_px2: Float[Tensor, "told 2 2"] | None = None,
    ) -> PointErrors:
        """The errors near a pose.

        Args:
            rotation: from `model` to `cam`.
            px_per_mm: scale of the face in the photo.
            scale: how much larger the modes are than in the table.
            noise_scale, noise_floor_mm: the noise is that of the table and this floor together,
                times this scale.
            told_px2: covariances that the detector tells of its points: for tables that are in
                their sigmas.
        """
        upright = upright_axes((rotation @ self.R_model_reference[:, 1])[:2])
        forward = self.R_model_reference[:, 2]
        share = _shares(self.errors.yaw_deg, _yaw_deg(rotation @ forward, upright))

        def mixed(values: Tensor) -> Tensor:
            return torch.einsum("v,v...->...", share, values)

        # The photo's y is down.
        turn = upright.mT * upright.new_tensor([[1.0], [-1.0]])
        to_px = px_per_mm * turn
        errors = self.errors
        unit_px = to_px.expand(errors.n_points, 2, 2)
        if errors.in_told_sigmas:
            unit_px = turn @ self._told_factors_px(turn, told_px2)
        # Noise and floor together are as long along both axes as their covariance says.
        noise_px2 = mixed(errors.sigma).square()[:, None, None] * (unit_px @ unit_px.mT)
        floor_px2 = (noise_floor_mm * px_per_mm) ** 2 * torch.eye(2).to(noise_px2)
        factor_px = torch.linalg.cholesky(noise_scale**2 * (noise_px2 + floor_px2))
        return PointErrors(
            bias_px=mixed(errors.bias_mm) @ to_px.mT,
            by_score_px=to_px @ mixed(errors.by_score_mm),
            scores=self.scores,
            by_view_px=to_px @ mixed(errors.by_view_mm),
            modes_px=scale * unit_px @ mixed(errors.modes),
            whitening=torch.linalg.inv(factor_px),
            forward=forward,
            upright=upright,
        )

    def _told_factors_px(
        self, turn: Float[Tensor, "2 2"], told_px2: Float[Tensor, "told 2 2"] | None
    ) -> Float[Tensor, "points 2 2"]:
        """Cholesky factors of the told covariances, with the head upright and y up."""
        if told_px2 is None:
            raise InputError(
                f"The errors of points {self.errors.point_set} are known in sigmas that their "
                "detector tells, and this detection tells none: give it covariances."
            )
        told_px2 = told_px2[: self.errors.n_points].to(turn)
        return torch.linalg.cholesky(turn.mT @ told_px2 @ turn)


def landmark_error_model(
    errors: DetectorErrors, landmarks: LinearPoints | SkinnedPoints
) -> LandmarkErrorModel:
    """Work out what the errors are for a model.

    Args:
        landmarks: its points for all of the detector's.
    """
    errors = errors.to(landmarks.mean.device, landmarks.mean.dtype)
    points = landmarks.select(torch.arange(errors.n_points))
    mean_mm = points.mean
    turn = torch.eye(3).to(mean_mm)
    offset_mm = torch.zeros_like(mean_mm)
    if len(errors.score_basis):
        turn = _turn_between(errors.reference_mm, mean_mm)
        offset_mm = (mean_mm - mean_mm.mean(0)) @ turn
        offset_mm = offset_mm - (errors.reference_mm - errors.reference_mm.mean(0))
    basis = errors.score_basis
    at_mean = torch.einsum("spx,px->s", basis, offset_mm)
    return LandmarkErrorModel(errors, points, ShapeScores(mean_mm, at_mean, basis @ turn.mT), turn)


def upright_axes(up: Float[Tensor, "*n 2"]) -> Float[Tensor, "*n 2 2"]:
    """Turns x and y of `cam` until a head with this upward axis stands upright."""
    x, y = torch.nn.functional.normalize(up, dim=-1).unbind(-1)
    return torch.stack([torch.stack([y, -x], -1), torch.stack([x, y], -1)], -2)


def _shares(views_deg: Float[Tensor, "views"], yaw_deg: float) -> Float[Tensor, "views"]:
    """How much each view counts: linear between neighbours, the last one beyond it."""
    views = views_deg.tolist()
    return views_deg.new_tensor([np.interp(yaw_deg, views, one) for one in np.eye(len(views))])


def _yaw_deg(forward: Float[Tensor, "3"], upright: Float[Tensor, "2 2"]) -> float:
    return math.degrees(math.atan2(float(upright[0] @ forward[:2]), float(forward[2])))


def _turn_between(
    source: Float[Tensor, "points 3"], target: Float[Tensor, "points 3"]
) -> Float[Tensor, "3 3"]:
    """The rotation that lays one set of points best on another."""
    pair = (points.double().cpu().numpy() for points in (source, target))
    return solve_similarity(*pair, with_scale=False).rotation.to(target)
