"""Photos whose truth is known, as detectors would see them that err less."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.detected import PointErrors, view_features
from fit3dmm.energy.points import combined
from fit3dmm.fitting import FitConfig
from fit3dmm.fitting.evidence import Landmarks
from fit3dmm.fitting.prepared import PreparedModel, prepare
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS, Detection
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.observation import Observation
from fit3dmm.synthetic.truth import Truth

TRUE, DIFFERING, COMMON = "true points", "differing errors alone", "common errors alone"
POINTS = (TRUE, DIFFERING, COMMON)
"""What detectors see: the points where they are; with the errors by which the photos of a person
differ; with those that these have in common."""
_FACE_POINTS = 468
_TRUE_SIGMA_MM = 0.3


def prepared_for_true_points(prepared: PreparedModel, n_colour_samples: int) -> PreparedModel:
    """A model that takes MediaPipe's points as they are."""
    errors = {MEDIAPIPE: exact_detector(_FACE_POINTS, _TRUE_SIGMA_MM)}
    return prepare(prepared.model, n_colour_samples, errors)


def seen_as(
    points: str,
    observations: Sequence[Observation],
    truths: Sequence[Truth],
    prepared: PreparedModel,
    config: FitConfig,
) -> list[Observation]:
    """The photos of one person as somebody would see them who errs less.

    Args:
        points: one of `POINTS`.
        observations: of the person's photos.
        truths: of the same.
        prepared: the model that is fitted.
        config: settings of the fits: how much larger errors are than their tables say.

    Raises:
        ValueError: the truths are not of the model's own people.
    """
    if points == TRUE:
        pairs = zip(observations, truths, strict=True)
        return [one.seen_by(_true_detection(one, truth)) for one, truth in pairs]
    found = list(observations)
    for landmarks in (config.landmarks, config.network):
        if not all(landmarks.source in one.detections for one in observations):
            continue
        errors = [
            _errors(landmarks, one, truth, prepared)
            for one, truth in zip(observations, truths, strict=True)
        ]
        modes = [
            _modes(landmarks.source, one, truth, prepared, known)
            for one, truth, known in zip(observations, truths, errors, strict=True)
        ]
        common = torch.stack(modes).mean(0)
        for k, own in enumerate(modes):
            left_out = common if points == DIFFERING else own - common
            detection = found[k].detections[landmarks.source]
            shift_px = combined(errors[k].modes_px, left_out)
            px = detection.points_px.clone()
            px[: len(shift_px)] -= shift_px
            found[k] = found[k].seen_by(replace(detection, points_px=px))
    return found


def _true_detection(observation: Observation, truth: Truth) -> Detection:
    cam_mm = torch.from_numpy(truth.points478_cam_mm).float()
    return Detection(MEDIAPIPE, MEDIAPIPE_POINTS, _in_photo(cam_mm, observation, truth))


def _in_photo(
    cam_mm: Float[Tensor, "points 3"], observation: Observation, truth: Truth
) -> Float[Tensor, "points 2"]:
    middle = torch.tensor([observation.photo_width_px, observation.photo_height_px]) / 2
    off_axis = cam_mm[:, :2] * cam_mm.new_tensor([1.0, -1.0]) / -cam_mm[:, 2:]
    return middle + truth.focal_px * off_axis


def _errors(
    landmarks: Landmarks, observation: Observation, truth: Truth, prepared: PreparedModel
) -> PointErrors:
    """How a detector errs at the true pose."""
    return prepared.detectors[landmarks.source].at_view(
        torch.from_numpy(truth.rotation).float(),
        truth.focal_px / -float(truth.translation_mm[2]),
        landmarks.modes_scale,
        landmarks.noise_scale,
        landmarks.noise_floor_mm,
        observation.detections[landmarks.source].covariance_px2,
    )


def _modes(
    source: str,
    observation: Observation,
    truth: Truth,
    prepared: PreparedModel,
    errors: PointErrors,
) -> Float[Tensor, "modes"]:
    """What the detector made of a photo: the most likely modes at the true scene."""
    detector = prepared.detectors[source]
    points_mm = _true_points_mm(detector.errors.point_set, truth, prepared.model)
    points_mm = points_mm[: len(detector.points)]
    rotation = torch.from_numpy(truth.rotation).float()
    distance_mm = torch.tensor(-float(truth.translation_mm[2]))
    cam_mm = points_mm @ rotation.mT + torch.from_numpy(truth.translation_mm).float()
    moved_mm = (points_mm - errors.scores.mean_mm).flatten()
    scores = errors.scores.at_mean + errors.scores.basis.flatten(1) @ moved_mm
    turn = errors.upright @ (rotation @ errors.forward)[:2]
    expected_px = (
        _in_photo(cam_mm, observation, truth)
        + errors.bias_px
        + combined(errors.by_score_px, scores)
        + combined(errors.by_view_px, view_features(turn, distance_mm))
    )
    off_px = observation.detections[source].points_px[: len(expected_px)] - expected_px
    rows = (errors.whitening @ errors.modes_px).flatten(0, 1)
    white = (errors.whitening @ off_px[..., None]).flatten()
    return torch.linalg.solve(rows.mT @ rows + torch.eye(rows.shape[1]), rows.mT @ white)


def _true_points_mm(
    point_set: str, truth: Truth, model: MorphableModel
) -> Float[Tensor, "points 3"]:
    """Of the head in the photo, in `model`."""
    measured = _one_level_less(model.info.name, model.surface.level)
    if measured.n_vertices != len(truth.expressive_mm):
        raise ValueError(f"Expected the truth of {model.info.name}'s own people.")
    places = [
        measured.landmarks[name].numpy().locate(truth.expressive_mm, truth.triangles)
        for name in point_set.split("+")
    ]
    return torch.from_numpy(np.concatenate(places)).float()


@lru_cache(maxsize=1)
def _one_level_less(name: str, level: int) -> MorphableModel:
    """On whose surface truths are kept."""
    return load_model(name, level=max(level - 1, 0))
