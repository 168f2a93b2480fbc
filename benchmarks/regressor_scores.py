"""What is true of a photo, and how far points and faces are from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.spatial import Delaunay

from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.synthetic.scores import landmark_error_percent
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import SKIN
from fit3dmm.synthetic.fast.example import Example
from real_heads import ScannedHead

FACE_POINTS = 468
"""The points of the face come first: behind them are the irises."""
FAILED_PERCENT = 5.0
"""Points that are off by more of the face's box are called failed: a judgement."""
_YAWS_DEG = (20.0, 40.0, 60.0)
_COVERED = (0.1, 0.3)


@dataclass(frozen=True)
class Subject:
    """A photo, and what is true of it as far as that is known."""

    photo: Photo
    groups: tuple[str, ...] = ()
    """Bins that it counts in."""
    head: ScannedHead | None = None
    """The neutral face."""
    points_px: Float[np.ndarray, "478 2"] | None = None
    """MediaPipe's points, hidden ones too."""
    points_cam_mm: Float[np.ndarray, "478 3"] | None = None
    landmarks68_px: Mapping[str, Float[np.ndarray, "68 2"]] = field(default_factory=dict)
    """iBUG's points by the number that says how far a fit is from them."""


def face_numbers(subject: Subject, face: FittedFace) -> dict[str, float]:
    """All numbers of a face that the truth allows."""
    numbers: dict[str, float] = {}
    if subject.head is not None:
        seven = face.ibug68.take(NOW7_IN_IBUG68).locate(face.neutral_mm, face.triangles)
        numbers |= subject.head.now_errors(face.neutral_mm, face.triangles, seven)
    scene = face.scene
    if subject.points_cam_mm is not None and scene is not None and scene.points478 is not None:
        points = scene.points478.locate(face.expressive_mm, face.triangles)
        placed = points @ scene.rotation.T + scene.translation_mm
        numbers |= pose_errors(subject.points_cam_mm, placed)
    for name, truth_px in subject.landmarks68_px.items():
        numbers[name] = landmark_error_percent(truth_px, face.landmarks_px)
    return numbers


def pose_errors(
    true_cam_mm: Float[np.ndarray, "points 3"], found_cam_mm: Float[np.ndarray, "points 3"]
) -> dict[str, float]:
    """Turn between two heads whose points correspond, and of their distances the logarithm.

    A photo that was cut out of a larger one has its axis elsewhere than in its middle, which nobody
    can tell: both heads are turned as they are seen along the rays to their middles.
    """
    true, found = (points @ _along_ray(points) for points in (true_cam_mm, found_cam_mm))
    turn = solve_similarity(found, true, with_scale=False).rotation.numpy()
    # By the chord: the cosine is flat at zero and would lose small angles.
    chord = np.linalg.norm(turn - np.eye(3)) / (2 * np.sqrt(2))
    far = [np.linalg.norm(points.mean(axis=0)) for points in (true_cam_mm, found_cam_mm)]
    return {
        "rotation_deg": float(np.degrees(2 * np.arcsin(np.clip(chord, 0, 1)))),
        "distance_percent": 100 * abs(float(np.log(far[1] / far[0]))),
    }


def point_numbers(
    true_px: Float[np.ndarray, "points 2"],
    seen_px: Float[np.ndarray, "points 2"],
    covariance_px2: Float[np.ndarray, "points 2 2"] | None = None,
) -> dict[str, float]:
    """Mean error of points in percent of the longer side of the face's true box, whether that is a
    failure, and the shares within one and two of the sigmas that are told.

    Of normal errors that are told honestly 0.39 and 0.86 lie within: they have two dimensions.
    """
    error_px = seen_px - true_px
    side_px = np.ptp(true_px[:FACE_POINTS], axis=0).max()
    percent = 100 * float(np.linalg.norm(error_px, axis=1).mean() / side_px)
    numbers = {"error_percent": percent, "failed_share": float(percent > FAILED_PERCENT)}
    if covariance_px2 is not None:
        solved = np.linalg.solve(covariance_px2, error_px[..., None])[..., 0]
        sigmas = np.sqrt((error_px * solved).sum(axis=1))
        numbers |= {
            "told_in_1_share": float((sigmas < 1).mean()),
            "told_in_2_share": float((sigmas < 2).mean()),
        }
    return numbers


def groups_of_example(example: Example) -> tuple[str, ...]:
    """Bins of turn, tone and what covers the face."""
    points_cam = example.points_mm @ example.rotation.T + example.translation_mm
    forward = example.rotation[:, 2] @ _along_ray(points_cam)
    yaw_deg = abs(float(np.degrees(np.arctan2(forward[0], forward[2]))))
    tone, covered = example.tone, covered_share(example)
    return (
        ("yaw 0-20", "yaw 20-40", "yaw 40-60", "yaw 60-90")[np.searchsorted(_YAWS_DEG, yaw_deg)],
        # As in `evaluate.synthetic`.
        "tone dark" if tone < 0.08 else "tone medium" if tone < 0.21 else "tone light",
        ("covered 0-10 %", "covered 10-30 %", "covered 30-100 %")[
            np.searchsorted(_COVERED, covered)
        ],
    )


def covered_share(example: Example) -> float:
    """Of the face's part of the picture, the share in which something else than skin is seen."""
    cells, side_px = len(example.cover), len(example.image_srgb)
    centres_px = (np.arange(cells) + 0.5) * side_px / cells
    x, y = np.meshgrid(centres_px, centres_px)
    hull = Delaunay(example.points_px[:FACE_POINTS].astype(np.float64))
    inside = hull.find_simplex(np.stack([x, y], axis=-1)) >= 0
    return float((example.cover[inside] != SKIN).mean()) if inside.any() else 0.0


def _along_ray(points_cam_mm: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "3 3"]:
    """Axes (columns) in `cam`: z from the points' middle to the camera, y up in the picture."""
    z = -points_cam_mm.mean(axis=0, dtype=np.float64)
    z = z / np.linalg.norm(z)
    x = np.cross([0.0, 1.0, 0.0], z)
    x = x / np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)
