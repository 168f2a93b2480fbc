"""Stirling/ESRC in the FG2018 competition: one alignment by landmarks, no refinement.

Z.-H. Feng et al., "Evaluation of dense 3D reconstruction from 2D face images in the wild", FG 2018.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.landmark_files import read_landmarks
from fit3dmm.evaluate.mesh_files import read_mesh_once
from fit3dmm.evaluate.now import pooled_curves, summarise_pooled
from fit3dmm.evaluate.now_error import align_prediction, crop_scan, face_axes
from fit3dmm.evaluate.predictions import (
    find_mesh_and_landmarks,
    read_mesh_and_landmarks,
    save_neutral,
)
from fit3dmm.evaluate.protocol import (
    Case,
    Curves,
    Outcome,
    Row,
    Score,
    SurfacePicture,
    require_path,
    scored,
)
from fit3dmm.evaluate.statistics import describe_errors
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import closest_points, index_surface

LAYOUT = """\
  DATA/Subset_2D_FG2018/HQ/F1001_....jpg  LQ/...   (photos, named after their subject)
  DATA/F_3D_N/F1001_N.obj  M_3D_N/...              (neutral scans, mm)
  DATA/annotations/F_3D_N/F1001_N.lnd  M_3D_N/...  (seven lines `name x y z`)
  PREDICTIONS/HQ/PHOTO.obj                         (or .ply) and PHOTO.npy (or .txt)"""

# Of the sphere that counts (`now_error.face_sphere`), where NoW has 1.4: FG2018's own.
_RADIUS_FACTOR = 1.2
_PHOTOS = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Stirling:
    """Stirling/ESRC (FG2018): neutral faces against scans, high- and low-quality photos."""

    name: ClassVar[str] = "stirling"
    worst_by: ClassVar[str] = "rmse_mm"

    refine_alignment: bool = False
    """Refine the alignment as NoW does; the competition does not, later papers do."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a photo."""
        photos = require_path(data, "Subset_2D_FG2018", LAYOUT)
        points_of = _by_subject(require_path(data, "annotations", LAYOUT), "lnd")
        scans_of = _by_subject(photos.parent, "obj")
        cases = []
        for photo in sorted(p for p in photos.glob("*/*") if p.suffix.lower() in _PHOTOS):
            quality, subject = photo.parent.name, photo.stem.split("_")[0].upper()
            lost = [
                n for n, of in (("scan", scans_of), ("landmarks", points_of)) if subject not in of
            ]
            if lost:
                raise InputError(
                    f"There is no {' and no '.join(lost)} of {subject} for {photo.name}; expected "
                    f"this layout:\n{LAYOUT}"
                )
            truth = (scans_of[subject], points_of[subject])
            cases.append(Case(f"{quality}/{photo.stem}", (quality,), photo, truth))
        if not cases:
            raise InputError(f"There are no photos in {photos}; expected this layout:\n{LAYOUT}")
        return cases

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """Mesh and seven landmarks."""
        return find_mesh_and_landmarks(predictions, case.name)

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """The neutral mesh."""
        save_neutral(face, predictions, case.name)

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Distances of the scan's vertices to the aligned prediction; their RMS is the 3D-RMSE."""
        points = read_landmarks(case.truth[1])
        part, _ = crop_scan(read_mesh_once(case.truth[0]), points, _RADIUS_FACTOR)
        prediction, predicted_points = read_mesh_and_landmarks(files)
        if self.refine_alignment:
            distance = align_prediction(
                part.vertices, points, prediction, predicted_points
            ).distance
        else:
            start = solve_similarity(predicted_points, points, may_mirror=True)
            surface = index_surface(prediction.vertices, prediction.triangles)
            found = closest_points(surface, start.inverse() @ part.vertices)
            distance = found.distance * float(start.scale)
        statistics = describe_errors(distance)
        return Score(
            {
                "rmse_mm": statistics.rms,
                "median_mm": statistics.median,
                "mean_mm": statistics.mean,
                "std_mm": statistics.std,
                "points": statistics.count,
            },
            distance,
            SurfacePicture(part.vertices @ face_axes(points).T, part.triangles, distance),
        )

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Statistics of all distances pooled, and the mean of the photos' 3D-RMSE."""
        rows = summarise_pooled(outcomes)
        for row in rows:
            group = None if row["group"] == "all" else str(row["group"])
            values = [score.numbers["rmse_mm"] for _, score in scored(outcomes, group)]
            if values:
                row["mean_rmse_mm"] = float(np.mean(values))
        return rows

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """All, and each quality."""
        return pooled_curves(outcomes, 10.0)

    def write_submission(self, outcomes: Sequence[Outcome], predictions: Path, out: Path) -> str:
        """The competition's text files: a line a scan vertex with its row and its distance."""
        for case, score in scored(outcomes):
            points = read_landmarks(case.truth[1])
            _, kept = crop_scan(read_mesh_once(case.truth[0]), points, _RADIUS_FACTOR)
            pairs = zip(kept.tolist(), score.errors.tolist(), strict=True)
            text = "".join(f"{row} {distance:.6f}\n" for row, distance in pairs)
            with atomic_path(out / f"{case.name}_distances.txt") as temporary:
                temporary.write_text(text, encoding="ascii")
        return (
            f"Distance files of {len(scored(outcomes))} photos are in {out}, named after the "
            "photos, because a scan has several."
        )


def _by_subject(folder: Path, suffix: str) -> dict[str, Path]:
    """Neutral scans or landmarks: SUBJECT_N in any case; files of other takes are left out."""
    found = {}
    for gender in ("F_3D_N", "M_3D_N"):
        for path in sorted((folder / gender).glob(f"*_[nN].{suffix}")):
            subject = path.stem[:-2].upper()
            if "_" not in subject:
                found[subject] = path
    return found
