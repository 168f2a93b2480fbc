"""A real head: the scan "Infinite, 3D Head Scan by Lee Perry-Smith" (CC-BY 3.0), rendered.

It is no part of the project: it lies in `$FIT3DMM_SHARED`, else in `shared/` beside the repository.
Its unit is nominal, so it says nothing about size and distance. No setting was chosen by it, but it
was looked at while the detector's errors were modelled.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from fit3dmm._parallel import run_in_parallel
from fit3dmm.evaluate.load_fitter import load_fitter
from fit3dmm.evaluate.now_error import now_errors_mm
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.files import load_model
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from report import REPOSITORY

Numbers = Mapping[str, float]


@dataclass(frozen=True)
class Scan:
    """The head, and photos of it."""

    folder: Path

    @property
    def views(self) -> list[Path]:
        """Five directions, under one light through a long and a wide lens and under another."""
        return sorted(self.folder.glob("lps_*.png"))

    def now_errors(
        self, vertices: np.ndarray, triangles: np.ndarray, points: SurfacePoints[np.ndarray]
    ):
        """NoW's median and mean distance of a neutral face, whole as it is.

        Args:
            points: the 68 of iBUG.
        """
        with np.load(self.folder / "scan_visible.npz", allow_pickle=False) as archive:
            scan, seven = archive["v"].astype(float), archive["now7"].astype(float)
        predicted = points.take(NOW7_IN_IBUG68).locate(vertices, triangles)
        errors = now_errors_mm(scan, seven, vertices, triangles, predicted)
        return {"now_median_mm": float(np.median(errors)), "now_mean_mm": float(errors.mean())}


def find_scan() -> Scan | None:
    """The scan, where this machine has it."""
    shared = Path(os.environ.get("FIT3DMM_SHARED") or REPOSITORY.parent / "shared")
    folder = shared / "data" / "lee_perry_smith"
    return Scan(folder) if (folder / "scan_visible.npz").is_file() else None


def score_views(scan: Scan, fit: str, model: str, jobs: int) -> Iterator[tuple[str, Numbers]]:
    """Fit every view and score it; a view without a face is left out."""
    tasks = [(scan, fit, model, view) for view in scan.views]
    for place, numbers in run_in_parallel(_score_view, tasks, jobs):
        if numbers is not None:
            yield scan.views[place].stem, numbers


def score_mean_face(scan: Scan, model_name: str) -> Numbers:
    """What the model's mean scores, which no photo can change."""
    model = load_model(model_name)
    return scan.now_errors(
        model.shape_mm(model.zeros()).double().numpy(),
        model.surface.triangles.numpy(),
        model.landmarks["ibug68"].numpy(),
    )


def _score_view(scan: Scan, fit: str, model: str, view: Path) -> Numbers | None:
    face = _fitter(fit, model)(view)
    if face is None:
        return None
    return scan.now_errors(face.neutral_mm, face.triangles, face.ibug68)


@lru_cache(maxsize=1)
def _fitter(fit: str, model: str):
    return load_fitter(fit, model)
