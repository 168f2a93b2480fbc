"""What perspective alone tells of the distance of a camera: a bound for whatever looks at points.

Where distance and focal length grow together a face keeps its size, and only its depth still
counts: a point at (x, y, z) from the model's origin appears at (x, y) / (1 - z / distance), in mm
at the origin's depth. Pose and size follow as they like; people and expressions are those of the
model's prior, with something that is not in it; points err by themselves. All of it is linear for
small changes and normal, so that the best estimate of the logarithm of the distance has a known
sigma (Gauss and Markov). Detectors err on many points alike, and no fit knows people as exactly:
it is what can't be beaten.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.regress.prediction import FACE_POINTS

# Reach of what is not in the model; measured on the deformations of the generated people.
_REACH_MM = 6.0


@dataclass(frozen=True)
class Perspective:
    """Of the points of a face at one distance and turn."""

    moved_mm: float
    """Root mean square of how far points move for a change of the distance's logarithm by 1, once
    pose and size have followed."""
    log_sigma: float
    """The smallest sigma of that logarithm that any unbiased estimate can have."""


def perspective(
    model: MorphableModel,
    distance_mm: float,
    yaw_deg: float,
    noise_mm: float,
    unlike_mm: float,
) -> Perspective:
    """What MediaPipe's points of the mean face tell, all of them seen.

    Args:
        model: says how people differ.
        distance_mm: between the camera and the model's origin.
        yaw_deg: how far the head is turned.
        noise_mm: of a point, along each axis of the picture, on the face.
        unlike_mm: root mean square of what in people is not in the model.
    """
    mean_mm, shapes_mm = _points_of(model)
    n = len(mean_mm)
    turned = rotation_from_angles(0.0, yaw_deg, 0.0)
    at = mean_mm @ turned.T
    nearness = 1 / (1 - at[:, 2] / distance_mm)
    by_point = np.zeros((n, 2, 3))
    by_point[:, 0, 0] = by_point[:, 1, 1] = nearness
    by_point[:, :, 2] = at[:, :2] * nearness[:, None] ** 2 / distance_mm
    by_distance = (-at[:, :2] * (at[:, 2] * nearness**2)[:, None] / distance_mm).ravel()
    turns = [np.einsum("pij,pj->pi", by_point, np.cross(axis, at)) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, (n, 2)) for axis in np.eye(2)]
    free = np.stack([*turns, *shifts, at[:, :2] * nearness[:, None]]).reshape(6, -1).T
    shapes = np.einsum("pij,kpj->kpi", by_point @ turned, shapes_mm).reshape(len(shapes_mm), -1)
    apart_mm2 = np.square(mean_mm[:, None] - mean_mm).sum(-1)
    alike = unlike_mm**2 / 3 * np.exp(-apart_mm2 / (2 * _REACH_MM**2))
    unlike = np.einsum("pik,pq,qjk->piqj", by_point, alike, by_point).reshape(2 * n, 2 * n)
    covariance = noise_mm**2 * np.eye(2 * n) + shapes.T @ shapes + unlike
    asked = np.concatenate([by_distance[:, None], free], axis=1)
    precision = asked.T @ np.linalg.solve(covariance, asked)
    left = by_distance - free @ np.linalg.lstsq(free, by_distance, rcond=None)[0]
    return Perspective(
        moved_mm=float(np.sqrt(np.square(left).sum() / n)),
        log_sigma=float(np.linalg.inv(precision)[0, 0] ** 0.5),
    )


def _points_of(
    model: MorphableModel,
) -> tuple[Float[np.ndarray, "points 3"], Float[np.ndarray, "k points 3"]]:
    """MediaPipe's points of the mean face, and the ways in which people and expressions differ."""
    triangles, points = model.surface.triangles, model.landmarks[MEDIAPIPE_POINTS]
    factor = model.expression_covariance_factor
    moves = torch.tensordot(factor.mT, model.expression_basis_mm, dims=1)
    ways = torch.cat([model.identity_basis_mm, model.detail_basis_mm, moves])
    mean_mm, ways_mm = (
        points.locate(values, triangles)[..., :FACE_POINTS, :].double().numpy()
        for values in (model.shape_mm(model.zeros()), model.surface.lift(ways))
    )
    return mean_mm, ways_mm
