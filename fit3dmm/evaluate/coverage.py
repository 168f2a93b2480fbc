"""Whether fits err as much as they say: the share of truths within intervals of a told size.

A share `level` of truths should lie within `level`'s interval around what was found, for every
level: then sigmas are calibrated (T. Gneiting, F. Balabdaoui, A. Raftery, "Probabilistic forecasts,
calibration and sharpness", 2007). Errors are taken as normal, those of distances in the logarithm,
and those of places in the picture as more peaked (`fitting.intervals`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.model_points import base_points, model_points
from fit3dmm.fitting.intervals import NORMAL, PEAKED, reach_in_sigmas
from fit3dmm.fitting.misfit import Misfit, misfit_mm
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.vertex_sigma import (
    distance_log_variance,
    face_rows,
    in_photo,
    neutral_sigma_mm,
    place_variance_px2,
    relief_variance_mm2,
)
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.truth import Truth

LEVELS = (0.5, 0.8, 0.95)


@dataclass(frozen=True)
class Told:
    """What a fit says of one quantity, and how far off it is: an element each."""

    error: Float[np.ndarray, "n"]
    sigma: Float[np.ndarray, "n"]
    exponent: float = NORMAL
    """How errors are distributed (`fitting.intervals`)."""

    def covered(self, level: float) -> float:
        """Share of the truths within the interval that should hold so many.

        Args:
            level: between 0 and 1.
        """
        reach = reach_in_sigmas(level, float(self.exponent))
        return float((np.abs(self.error) < reach * self.sigma).mean())


def told_of(result: FitResult, model: MorphableModel, truth: Truth) -> Mapping[str, Told]:
    """What a fit says of a synthetic photo.

    Returns:
        `relief` (depth of the face's vertices less their mean), `place` (in the photo, across and
        down, in units of 1 mm at the face), `distance` and `focal` (natural logarithms; the latter
        where it moved), and `neutral` (the vertices of the face at rest along x, y and z, after a
        rigid motion).

    Raises:
        ValueError: truth and model are not of one mesh.
    """
    rows = face_rows(model)
    n_base = model.surface.n_base
    if truth.neutral_mm.shape[0] < n_base:
        raise ValueError(f"Expected the truth of {model.info.name}'s own mesh.")
    kept = rows.cpu().numpy()
    with torch.no_grad():
        at = in_photo(result, base_points(model, rows))
        shape = model.shape_mm(result.scene.coefficients)
        cam_mm = _numpy((result.scene.pose.T_cam_model @ shape)[rows])
        neutral_mm = _numpy(model.shape_mm(result.scene.coefficients.neutral())[rows])
        px_per_mm = float(result.scene.camera.focal_px / -at.cam_mm[:, 2].mean())
        mean_mm = model.mean_mm[rows]
        beyond_mm = misfit_mm(model, mean_mm)
        across_mm = misfit_mm(model, mean_mm, Misfit().across())
        found = {
            "relief": _relief(result, at, beyond_mm, cam_mm, truth.expressive_cam_mm[kept]),
            "place": _place(result, at, across_mm, cam_mm, truth, kept, px_per_mm),
            "distance": _distance(result, model, truth),
            "neutral": Told(
                _after_motion(neutral_mm, truth.neutral_mm[kept]).flatten(),
                _numpy(neutral_sigma_mm(model, result.uncertainty)[rows]).flatten(),
            ),
        }
        if "log_focal" in result.uncertainty.names:
            error = math.log(result.focal_px / truth.focal_px)
            sigma = _numpy(result.uncertainty.sigma("log_focal"))
            found["focal"] = Told(np.array([error]), sigma)
    return found


def _relief(
    result: FitResult, at, beyond_mm: Tensor, cam_mm: np.ndarray, true_cam_mm: np.ndarray
) -> Told:
    depth, true = -cam_mm[:, 2], -true_cam_mm[:, 2]
    error = (depth - depth.mean()) - (true - true.mean())
    return Told(error, _numpy(relief_variance_mm2(result, at, beyond_mm).sqrt()))


def _place(
    result: FitResult,
    at,
    beyond_mm: Tensor,
    cam_mm: np.ndarray,
    truth: Truth,
    rows: np.ndarray,
    px_per_mm: float,
) -> Told:
    true_cam_mm = truth.expressive_cam_mm[rows]
    error_px = _from_axis(cam_mm, result.focal_px) - _from_axis(true_cam_mm, truth.focal_px)
    sigma_px = _numpy(place_variance_px2(result, at, beyond_mm).sqrt())
    return Told((error_px / px_per_mm).flatten(), (sigma_px / px_per_mm).flatten(), PEAKED)


def _distance(result: FitResult, model: MorphableModel, truth: Truth) -> Told:
    """Of the mean depth of the 68 landmarks: meshes have their origins in different places."""
    at = in_photo(result, model_points(model, model.landmarks["ibug68"]))
    true_mm = -float(truth.landmarks68_cam_mm[:, 2].mean())
    error = math.log(-float(at.cam_mm[:, 2].mean()) / true_mm)
    sigma = _numpy(distance_log_variance(result, at).sqrt())[None]
    return Told(np.array([error]), sigma)


def _from_axis(cam_mm: np.ndarray, focal_px: float) -> Float[np.ndarray, "points 2"]:
    return focal_px * cam_mm[:, :2] * [1, -1] / -cam_mm[:, 2:]


def _after_motion(points: np.ndarray, true: np.ndarray) -> Float[np.ndarray, "points 3"]:
    """Where the points are less where the truth is, in the points' own axes."""
    rigid = solve_similarity(true, points, with_scale=False)
    return points - rigid @ true


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()
