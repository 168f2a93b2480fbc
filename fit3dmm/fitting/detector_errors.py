"""How the detector errs, in mm on the face and by view: the table in data/, for any model's points.

The errors are kept as `energy.detected` describes them, for some views between the profiles. What
they owe to the shape is told by a few scores of where the points lie, so that the table, which was
measured on one model, serves all.
"""

import functools
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._files import data_path
from fit3dmm._hdf5 import FileFormat
from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.detected import N_VIEW_FEATURES, PointErrors, ShapeScores
from fit3dmm.energy.points import LinearPoints, Points
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.observe.detection import MEDIAPIPE_POINTS

TABLE = "detector_errors.h5"
FORMAT = FileFormat("fit3dmm detector errors", 1, "table of errors", "reinstall fit3dmm")
# At a decimetre a half is good to a sixteenth of a mm, which is no precision for a place.
_PRECISION = {"reference_mm": np.float32}


@dataclass(frozen=True)
class DetectorErrors(TensorRecord):
    """Errors in mm on the face, in a picture that is turned until the head stands upright: x to the
    right, y up."""

    yaw_deg: Float[Tensor, "views"]
    """Of each view, rising; between two views their errors are mixed."""
    bias_mm: Float[Tensor, "views points 2"]
    by_view_mm: Float[Tensor, "views points 2 features"]
    """By `energy.detected.view_features`."""
    by_score_mm: Float[Tensor, "views points 2 scores"]
    modes_mm: Float[Tensor, "views points 2 modes"]
    """What errors of different photos have in common, each of them one sigma; alike from view to
    view."""
    sigma_mm: Float[Tensor, "views points"]
    """What is left to each point, in each coordinate."""
    reference_mm: Float[Tensor, "points 3"]
    """Points of the face whose scores are zero, in `model`."""
    score_basis: Float[Tensor, "scores points 3"]
    """Scores by the points' distances from the reference, in 1/mm."""
    point_set: str = MEDIAPIPE_POINTS
    """Which of a model's point sets the detector sees."""

    @property
    def n_points(self) -> int:
        """Of the detector's points the first so many are known."""
        return len(self.reference_mm)

    @property
    def n_modes(self) -> int:
        """How many unknowns a photo's errors have."""
        return self.modes_mm.shape[-1]


_ARRAYS = tuple(one.name for one in fields(DetectorErrors) if one.name != "point_set")


def exact_detector(
    n_points: int, sigma_mm: float, point_set: str = MEDIAPIPE_POINTS
) -> DetectorErrors:
    """A detector without any error but independent noise."""
    return DetectorErrors(
        yaw_deg=torch.zeros(1),
        bias_mm=torch.zeros(1, n_points, 2),
        by_view_mm=torch.zeros(1, n_points, 2, N_VIEW_FEATURES),
        by_score_mm=torch.zeros(1, n_points, 2, 0),
        modes_mm=torch.zeros(1, n_points, 2, 0),
        sigma_mm=torch.full((1, n_points), sigma_mm),
        reference_mm=torch.zeros(n_points, 3),
        score_basis=torch.zeros(0, n_points, 3),
        point_set=point_set,
    )


@functools.cache
def detector_errors() -> DetectorErrors:
    """MediaPipe's, from the table that `tools/calibrate_detector.py` writes.

    Raises:
        InputError: the table is damaged or of a later version.
    """
    with FORMAT.reading(data_path(TABLE)) as file:
        values = {name: torch.from_numpy(file[name][()]) for name in _ARRAYS}
    arrays: Any = {name: value.float() for name, value in values.items()}
    return DetectorErrors(**arrays)


def write_errors(path: Path, errors: DetectorErrors, **header: str) -> None:
    """Write a table that `detector_errors` reads, all but the points in half precision.

    Args:
        header: further attributes of the file.

    Raises:
        InputError: the folder can't be written to.
    """
    with FORMAT.writing(path, **header) as file:
        for name in _ARRAYS:
            file.create_dataset(
                name,
                data=getattr(errors, name).numpy().astype(_PRECISION.get(name, np.float16)),
                compression="gzip",
                compression_opts=9,
                shuffle=True,
                track_times=False,
            )


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
        told_sigma_px: Float[Tensor, "told"] | None = None,
    ) -> PointErrors:
        """The errors near a pose.

        Args:
            rotation: from `model` to `cam`.
            px_per_mm: scale of the face in the photo.
            scale: how much larger the modes are than in the table.
            noise_scale, noise_floor_mm: the noise is that of the table and this floor together,
                times this scale.
            told_sigma_px: noise that the detector tells of its points, instead of the table's.
        """
        upright = upright_axes((rotation @ self.R_model_reference[:, 1])[:2])
        forward = self.R_model_reference[:, 2]
        share = _shares(self.errors.yaw_deg, _yaw_deg(rotation @ forward, upright))

        def mixed(values: Tensor) -> Tensor:
            return torch.einsum("v,v...->...", share, values)

        # The photo's y is down.
        to_px = px_per_mm * upright.mT * upright.new_tensor([[1.0], [-1.0]])
        errors = self.errors
        sigma_mm = mixed(errors.sigma_mm)
        if told_sigma_px is not None:
            sigma_mm = told_sigma_px[: errors.n_points].to(sigma_mm) / px_per_mm
        noise_mm = (sigma_mm.square() + noise_floor_mm**2).sqrt() * noise_scale
        return PointErrors(
            bias_px=mixed(errors.bias_mm) @ to_px.mT,
            by_score_px=to_px @ mixed(errors.by_score_mm),
            scores=self.scores,
            by_view_px=to_px @ mixed(errors.by_view_mm),
            modes_px=scale * to_px @ mixed(errors.modes_mm),
            sigma_px=noise_mm * px_per_mm,
            forward=forward,
            upright=upright,
        )


def landmark_error_model(errors: DetectorErrors, landmarks: LinearPoints) -> LandmarkErrorModel:
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
