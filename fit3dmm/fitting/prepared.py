"""What a fit needs of a model, worked out once for all photos."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from scipy.spatial import KDTree
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.points import ModelPoints, model_points
from fit3dmm.energy.skin_points import SkinPoints, skin_points
from fit3dmm.fitting.detector_errors import (
    DetectedModel,
    DetectorErrors,
    detected_model,
    detector_errors,
)
from fit3dmm.model.morphable import MorphableModel

DETECTOR_POINTS = "mediapipe478"
DETECTOR_OUTLINE = "oval36"
_BROWS, _MOUTH_CORNERS = (105, 334), (61, 291)
_COVERED_WEIGHT = 0.1
# About half the width of a strand of hair or a finger: what covers a face is as wide as this.
_NEIGHBOURHOOD_MM = 10.0


@dataclass(frozen=True)
class PreparedModel(TensorRecord):
    """A model with the points at which it meets photos."""

    model: MorphableModel
    landmarks: ModelPoints
    """The detector's 478 points."""
    outline: ModelPoints | None
    """Candidates on the lines along which the points of the detector's outline slide, line by line;
    None where the model has no such lines."""
    detected: DetectedModel
    """How the detector errs on these points."""
    skin: SkinPoints
    skin_neighbours: Int[Tensor, "points near"]
    """The points of `skin` around each, itself among them."""
    skin_bare: Float[Tensor, "points"]
    """1 for points of `skin` between brows and mouth, which neither fringe nor beard covers; little
    for the others."""


def prepare(
    model: MorphableModel, n_skin_points: int = 2000, errors: DetectorErrors | None = None
) -> PreparedModel:
    """Takes some tenths of a second and 50 MB.

    Args:
        errors: of the detector; those of MediaPipe if left out.

    Raises:
        InputError: the model lacks the detector's points or the face region.
    """
    if DETECTOR_POINTS not in model.landmarks or "face" not in model.regions:
        raise InputError(
            f"The model {model.info.name} has no {DETECTOR_POINTS} landmarks or no face region, "
            "without which it can't be fitted: convert it again with `fit3dmm model convert`."
        )
    landmarks = model_points(model, model.landmarks[DETECTOR_POINTS])
    lines = model.contours.get(DETECTOR_OUTLINE)
    skin = skin_points(model, n_skin_points)
    return PreparedModel(
        model,
        landmarks,
        None if lines is None else model_points(model, lines),
        detected_model(errors or detector_errors(), landmarks),
        skin,
        _neighbours(skin),
        _bare(skin, landmarks.mean_mm),
    )


def _neighbours(skin: SkinPoints) -> Int[Tensor, "points near"]:
    """As many nearest points of the mean face as stand for a disc of `_NEIGHBOURHOOD_MM`."""
    disc_mm2 = math.pi * _NEIGHBOURHOOD_MM**2
    n_near = max(2, round(disc_mm2 / float(skin.area_mm2.mean())))
    points_mm = skin.points.mean_mm.cpu().numpy()
    _, near = KDTree(points_mm).query(points_mm, k=min(n_near, len(points_mm)))
    return torch.from_numpy(near).to(skin.area_mm2.device)


def _bare(skin: SkinPoints, landmarks_mm: Float[Tensor, "478 3"]) -> Float[Tensor, "points"]:
    high_mm = landmarks_mm[list(_BROWS), 1].mean()
    low_mm = landmarks_mm[list(_MOUTH_CORNERS), 1].mean()
    y_mm = skin.points.mean_mm[:, 1]
    between = (y_mm > low_mm) & (y_mm < high_mm)
    return torch.where(between, 1.0, _COVERED_WEIGHT)
