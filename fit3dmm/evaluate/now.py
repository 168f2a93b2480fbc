"""The NoW challenge: its folder, its table, its submission. The distance is in `now_error`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

from fit3dmm._errors import InputError
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.landmark_files import read_landmarks
from fit3dmm.evaluate.mesh_files import read_mesh_once
from fit3dmm.evaluate.now_error import align_prediction, crop_scan, face_axes
from fit3dmm.evaluate.predictions import (
    find_mesh_and_landmarks,
    read_mesh_and_landmarks,
    save_mesh_and_landmarks,
    save_neutral,
)
from fit3dmm.evaluate.protocol import (
    Case,
    Curves,
    Outcome,
    Row,
    Score,
    SurfacePicture,
    by_person,
    count_statuses,
    group_names,
    pooled,
    require_path,
)
from fit3dmm.evaluate.statistics import describe_errors

_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0}

LAYOUT = """\
  DATA/imagepathsvalidation.txt                  (or imagepathstest.txt)
  DATA/iphone_pictures/SUBJECT/CHALLENGE/IMG_0001.jpg
  DATA/scans/SUBJECT/*.obj                        (kept back for the test set)
  DATA/scans_lmks_onlypp/SUBJECT/*.pp
  PREDICTIONS/SUBJECT/CHALLENGE/IMG_0001.obj      (or .ply) and IMG_0001.npy (or .txt)"""


@dataclass(frozen=True)
class Now:
    """NoW: neutral faces against scans in mm, per challenge."""

    name: ClassVar[str] = "now"
    worst_by: ClassVar[str] = "mean_mm"

    metrical: bool = False
    """The metrical challenge: the prediction's own size counts."""
    unit: Literal["mm", "cm", "m"] = "mm"
    """Unit of the predictions; the metrical challenge needs it."""
    split: Literal["validation", "test"] = "validation"
    """Which list of photos. The scans of the test set are not public: it can only be fitted and
    submitted."""

    together: bool = False
    """Fit all photos of a subject together, and score the one face. It is no part of the challenge:
    photos of all its four kinds are in one fit, so that there is no row for each."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a line of the list of photos, or one a subject."""
        cases = self._photos(data)
        if not self.together:
            return cases
        of_subject = by_person(cases, lambda case: case.name.partition("/")[0])
        return [replace(case, groups=()) for case in of_subject]

    def _photos(self, data: Path) -> list[Case]:
        listing = require_path(data, f"imagepaths{self.split}.txt", LAYOUT)
        lines = [line.strip() for line in listing.read_text(encoding="utf-8").splitlines()]
        names = ["/".join(Path(line).parts[-3:]) for line in lines if line]
        scans = (
            _optional(data, "scans")
            if self.split == "test"
            else require_path(data, "scans", LAYOUT)
        )
        points = require_path(data, "scans_lmks_onlypp", LAYOUT) if scans is not None else None
        photos = _optional(data, "iphone_pictures")
        cases = []
        for name in names:
            if name.count("/") != 2:
                raise InputError(
                    f"Expected lines that end in SUBJECT/CHALLENGE/PHOTO in {listing}, "
                    f"got {name!r}."
                )
            subject, challenge, _ = name.split("/")
            truth: tuple[Path, ...] = ()
            if scans is not None and points is not None:
                truth = (
                    _first(scans / subject, "*.obj", data),
                    _first(points / subject, "*.pp", data),
                )
            photo = photos / name if photos is not None else None
            cases.append(Case(str(Path(name).with_suffix("")), (challenge,), photo, truth))
        return cases

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """Mesh and landmarks; empty where either is missing, as in the official count."""
        return find_mesh_and_landmarks(predictions, case.name)

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """The neutral, uncropped mesh and its seven points, in mm."""
        save_neutral(face, predictions, case.name)

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """Distances of the scan's vertices to the aligned prediction."""
        scan_points = read_landmarks(case.truth[1])
        part, _ = crop_scan(read_mesh_once(case.truth[0]), scan_points)
        unit_mm = _MILLIMETRES[self.unit] if self.metrical else None
        aligned = align_prediction(
            part.vertices, scan_points, *read_mesh_and_landmarks(files), unit_mm
        )
        statistics = describe_errors(aligned.distance)
        return Score(
            {
                "median_mm": statistics.median,
                "mean_mm": statistics.mean,
                "std_mm": statistics.std,
                "points": statistics.count,
                "scale": float(aligned.T_scan_mesh.scale),
            },
            aligned.distance,
            SurfacePicture(
                part.vertices @ face_axes(scan_points).T, part.triangles, aligned.distance
            ),
        )

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Median, mean and std of all distances of all cases pooled: larger scans weigh more."""
        return summarise_pooled(outcomes)

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """All, and each challenge."""
        return pooled_curves(outcomes, 8.0)

    def write_submission(self, outcomes: Sequence[Outcome], predictions: Path, out: Path) -> str:
        """The official folder: OBJ without colours and NPY of the points for every photo.

        Raises:
            InputError: there is one face a subject, which the challenge does not take.
        """
        if self.together:
            raise InputError("The challenge takes a face a photo: submit without --together.")
        written = 0
        for outcome in outcomes:
            files = self.find_prediction(outcome.case, predictions)
            if files and outcome.status != "no face":
                save_mesh_and_landmarks(out, outcome.case.name, *read_mesh_and_landmarks(files))
                written += 1
        missing = len(outcomes) - written
        gap = (
            f" {missing} photos have no prediction, which makes it incomparable." if missing else ""
        )
        return (
            f"{written} meshes in {out}, in {self.unit}: the neutral, uncropped face is asked for; "
            f"send the folder to the challenge's organisers.{gap}"
        )


def summarise_pooled(outcomes: Sequence[Outcome]) -> list[Row]:
    """A row for all and for each group: counts, and statistics of the pooled distances."""
    rows: list[Row] = []
    for group in (None, *group_names(outcomes)):
        row: Row = {"group": group or "all", **count_statuses(outcomes, group)}
        errors = pooled(outcomes, group)
        if len(errors):
            statistics = describe_errors(errors)
            row |= {
                "points": statistics.count,
                "median_mm": statistics.median,
                "mean_mm": statistics.mean,
                "std_mm": statistics.std,
            }
        rows.append(row)
    return rows


def pooled_curves(outcomes: Sequence[Outcome], limit_mm: float) -> Curves:
    """Curves of the pooled distances: all, and each group."""
    values = {group or "all": pooled(outcomes, group) for group in (None, *group_names(outcomes))}
    return Curves("distance of scan points to the prediction [mm]", limit_mm, values)


def _optional(data: Path, name: str) -> Path | None:
    try:
        return require_path(data, name, LAYOUT)
    except InputError:
        return None


def _first(folder: Path, pattern: str, data: Path) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise InputError(f"There is no {pattern} in {folder}; expected this layout:\n{LAYOUT}")
    return found[0]
