"""Writes data/detector_mesh.csv: the mean of the meshes that MediaPipe's detector gives of faces.

    python tools/measure_detector_mesh.py FOLDER

FOLDER holds photos of one upright face each. Meshes (points and depths) are laid on one another by
similarities and averaged; of the pictures themselves nothing is kept.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from fit3dmm._files import atomic_path
from fit3dmm.observe import FaceDetector, read_photo
from fit3dmm.observe.consistency import MESH

N_POINTS = 468
DATA = Path(__file__).resolve().parents[1] / "data"
_ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=DATA / MESH)
    arguments = parser.parse_args()
    meshes = []
    with FaceDetector() as detector:
        for path in sorted(arguments.folder.glob("*.jpg")):
            faces = detector.first_look(read_photo(path))
            if len(faces) == 1:
                depth_px = faces[0].depth_px[:N_POINTS, None]
                meshes.append(torch.cat([faces[0].points_px[:N_POINTS], depth_px], 1).numpy())
    mean = mean_mesh(np.stack(meshes).astype(np.float64))
    with atomic_path(arguments.out) as path, path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow("xyz")
        writer.writerows([f"{v:.4f}" for v in point] for point in mean)
    print(f"The mean of {len(meshes)} meshes is in {arguments.out}.")


def mean_mesh(meshes: np.ndarray) -> np.ndarray:
    """Generalised Procrustes mean, centred and of size 1 (longer side in the picture's plane)."""
    mean = _normalised(meshes[0])
    for _ in range(_ROUNDS):
        mean = _normalised(np.mean([_laid_on(mesh, mean) for mesh in meshes], axis=0))
    return mean


def _normalised(mesh: np.ndarray) -> np.ndarray:
    mesh = mesh - mesh.mean(0)
    return mesh / np.ptp(mesh[:, :2], axis=0).max()


def _laid_on(mesh: np.ndarray, mean: np.ndarray) -> np.ndarray:
    mesh = mesh - mesh.mean(0)
    u, s, vt = np.linalg.svd(mesh.T @ mean)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    return (s * sign).sum() / (mesh**2).sum() * mesh @ (u * sign) @ vt


if __name__ == "__main__":
    main()
