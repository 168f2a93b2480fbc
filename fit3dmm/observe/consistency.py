"""Whether a detected face agrees with itself: its points and depths must have a face's form.

MediaPipe sees upright faces only, and then takes the chin of an inverted one for a forehead. What
it makes of that, or of a thing that is no face, is a mesh that no face has: it lies farther off the
mean of what it makes of faces.
"""

import csv
import functools

import numpy as np
import torch

from fit3dmm._files import data_path
from fit3dmm.observe.face import DetectedFace

MESH = "detector_mesh.csv"


def mesh_misfit(face: DetectedFace) -> float:
    """Distance of the points from the detector's mean face, as a share of its size.

    Root mean square after the similarity that lays one on the other (S. Umeyama, "Least-squares
    estimation of transformation parameters between two point patterns", PAMI 13(4), 1991).
    """
    mean = _mean_face()
    points = torch.cat([face.points_px, face.depth_px[:, None]], dim=1).double().cpu().numpy()
    return fitted_misfit(points[: len(mean)], mean)


def fitted_misfit(points: np.ndarray, mean: np.ndarray) -> float:
    """`mesh_misfit` of points `(n, 3)` and a mean, centred and of size 1."""
    points = points - points.mean(0)
    u, s, vt = np.linalg.svd(points.T @ mean)
    s[2] *= np.sign(np.linalg.det(u @ vt))
    # What is left of the mean once the points are laid on it, by equations 42 and 43.
    left = (mean**2).sum() - s.sum() ** 2 / max((points**2).sum(), 1e-12)
    return float(np.sqrt(max(left, 0.0) / len(mean)))


@functools.cache
def _mean_face() -> np.ndarray:
    with data_path(MESH).open(newline="") as file:
        rows = [[float(row[axis]) for axis in "xyz"] for row in csv.DictReader(file)]
    return np.array(rows)
