"""AFLW2000-3D: normalised mean error of 68 landmarks by yaw, for both sets of annotations.

X. Zhu et al., "Face alignment across large poses: a 3D solution", CVPR 2016; the re-annotation is
of A. Bulat, G. Tzimiropoulos, "How far are we from solving the 2D & 3D face alignment problem?",
ICCV 2017. The norm, the bins and the unweighted mean follow 3DDFA's benchmark.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.mesh_files import read_array
from fit3dmm.evaluate.protocol import (
    Case,
    Curves,
    LandmarkPicture,
    Outcome,
    Row,
    Score,
    count_statuses,
    require_path,
    scored,
)
from fit3dmm.model.formats.source import read_mat

LAYOUT = """\
  DATA/AFLW2000-3D.pts68.npy                  (images x 3 x 68, px)
  DATA/AFLW2000-3D-Reannotated.pts68.npy      (images x 2 x 68, px)
  DATA/AFLW2000-3D.pose.npy                   (yaw in degrees; -new.pose.npy with --new-pose)
  DATA/AFLW2000-3D_crop.roi_box.npy           (images x 4; with --crop)
  DATA/AFLW2000/image00002.jpg image00002.mat (all pictures, or some of them with their .mat)
  PREDICTIONS/image00002.npy                  (68 x 2 or 2 x 68, px of the picture)"""

BINS = ("0-30", "30-60", "60-90")
"""Of the absolute yaw in degrees; upper bounds belong to their bin."""

_ANNOTATIONS = ("original", "reannotated")
# The annotations come from MATLAB, where the centre of the first pixel is 1; ours is 0.5.
_MATLAB_OFFSET_PX = 0.5


@dataclass(frozen=True)
class Aflw2000:
    """AFLW2000-3D: NME of 68 landmarks by yaw bin, both annotation sets."""

    name: ClassVar[str] = "aflw2000"
    worst_by: ClassVar[str] = "original_percent"

    new_pose: bool = False
    """Bins from AFLW2000-3D-new.pose.npy, the paper's split, in place of AFLW2000-3D.pose.npy."""
    crop: bool = False
    """The predictions are in 3DDFA's 120 px crop; carry them to the picture."""

    def list_cases(self, data: Path) -> list[Case]:
        """One case a picture."""
        original = require_path(data, "AFLW2000-3D.pts68.npy", LAYOUT)
        again = require_path(data, "AFLW2000-3D-Reannotated.pts68.npy", LAYOUT)
        infix = "-new.pose" if self.new_pose else ".pose"
        pose = require_path(data, f"AFLW2000-3D{infix}.npy", LAYOUT)
        truth = (original, again, pose)
        if self.crop:
            truth += (require_path(data, "AFLW2000-3D_crop.roi_box.npy", LAYOUT),)
        yaw_deg = _load(pose, (None,))
        points = _load(original, (len(yaw_deg), 3, 68))
        photos = _photos(data)
        return [
            Case(photo.stem, (yaw_bin(float(yaw_deg[row])),), photo, truth, row)
            for photo, row in zip(photos, _rows_of(photos, points), strict=True)
        ]

    def find_prediction(self, case: Case, predictions: Path) -> tuple[Path, ...]:
        """The landmarks."""
        path = predictions / f"{case.name}.npy"
        return (path,) if path.is_file() else ()

    def save_face(self, face: FittedFace, case: Case, predictions: Path) -> None:
        """The projected landmarks, in the convention of the annotations."""
        with atomic_path(predictions / f"{case.name}.npy") as temporary:
            np.save(temporary, face.landmarks_px + _MATLAB_OFFSET_PX)

    def score(self, case: Case, files: tuple[Path, ...]) -> Score:
        """NME in percent against both annotations."""
        predicted_px = self._read(files[0], case)
        original = _load(case.truth[0], (None, 3, 68))[case.row, :2].T.astype(np.float64)
        again = _load(case.truth[1], (None, 2, 68))[case.row].T.astype(np.float64)
        return Score(
            {
                "original_percent": 100 * normalised_error(predicted_px, original),
                "reannotated_percent": 100 * normalised_error(predicted_px, again),
                "yaw_deg": float(_load(case.truth[2], (None,))[case.row]),
            },
            picture=LandmarkPicture(original, predicted_px),
        )

    def summarise(self, outcomes: Sequence[Outcome]) -> list[Row]:
        """Per bin the mean and std over pictures; then the unweighted mean and std of the bins."""
        rows: list[Row] = []
        for annotation in _ANNOTATIONS:
            means = []
            for yaw in BINS:
                values = _values(outcomes, annotation, yaw)
                row: Row = {"annotations": annotation, "yaw_deg": yaw}
                row |= count_statuses(outcomes, yaw)
                if len(values):
                    means.append(float(values.mean()))
                    row |= {"nme_percent": means[-1], "std_percent": float(values.std())}
                rows.append(row)
            row = {"annotations": annotation, "yaw_deg": "mean of bins", **count_statuses(outcomes)}
            # With a bin empty the mean would be of something else than what is published.
            if len(means) == len(BINS):
                row |= {
                    "nme_percent": float(np.mean(means)),
                    "std_percent": float(np.std(means)),
                }
            rows.append(row)
        return rows

    def curves(self, outcomes: Sequence[Outcome]) -> Curves:
        """Of the pictures' errors by bin, original annotations; and all of both."""
        values = {f"yaw {yaw}": _values(outcomes, "original", yaw) for yaw in BINS}
        for annotation in _ANNOTATIONS:
            values[f"all, {annotation}"] = _values(outcomes, annotation, None)
        return Curves("normalised mean error of a picture [%]", 10.0, values)

    def _read(self, path: Path, case: Case) -> Float[np.ndarray, "68 2"]:
        values = read_array(path, (None, None)).astype(np.float64)
        points = values[:2].T if values.shape in ((2, 68), (3, 68)) else values[:, :2]
        if points.shape != (68, 2) or not np.isfinite(points).all():
            raise InputError(f"Expected 68 finite points in {path}, got shape {values.shape}.")
        if self.crop:
            left, top, right, bottom = _load(case.truth[3], (None, 4))[case.row]
            points = points * [right - left, bottom - top] / 120 + [left, top]
        return points


def normalised_error(
    predicted_px: Float[np.ndarray, "points 2"], truth_px: Float[np.ndarray, "points 2"]
) -> float:
    """Mean distance over the root of the area of the true points' bounding box."""
    side = np.sqrt(np.prod(truth_px.max(axis=0) - truth_px.min(axis=0)))
    return float(np.linalg.norm(predicted_px - truth_px, axis=1).mean() / side)


def yaw_bin(yaw_deg: float) -> str:
    """Name of the bin. The last one has no end: a few of the set's heads are turned farther.

    Raises:
        InputError: the yaw is not a number.
    """
    if not np.isfinite(yaw_deg):
        raise InputError(f"Expected a yaw in degrees, got {yaw_deg}.")
    return BINS[int(abs(yaw_deg) > 30) + int(abs(yaw_deg) > 60)]


def _values(outcomes: Sequence[Outcome], annotation: str, yaw: str | None) -> np.ndarray:
    return np.array([s.numbers[f"{annotation}_percent"] for _, s in scored(outcomes, yaw)])


@lru_cache(maxsize=8)
def _loaded(path: Path, shape: tuple[int | None, ...], size: int, mtime_ns: int) -> np.ndarray:
    del size, mtime_ns  # they only say whether the file is still the same
    return read_array(path, shape)


def _load(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    if not path.is_file():
        raise InputError(f"There is no {path}; expected this layout:\n{LAYOUT}")
    state = path.stat()
    return _loaded(path, shape, state.st_size, state.st_mtime_ns)


def _photos(data: Path) -> list[Path]:
    for pattern in ("AFLW2000/*.jpg", "*.jpg", "*/AFLW2000/*.jpg"):
        photos = sorted(data.glob(pattern))
        if photos:
            return photos
    raise InputError(f"There are no pictures in {data}; expected this layout:\n{LAYOUT}")


def _rows_of(photos: Sequence[Path], points: np.ndarray) -> list[int]:
    """The arrays follow the sorted names of all pictures; of some, their .mat files say which."""
    if len(photos) == len(points):
        return list(range(len(photos)))
    rows = []
    for photo in photos:
        difference = np.abs(points - _annotation(photo.with_suffix(".mat"))).max(axis=(1, 2))
        rows.append(int(difference.argmin()))
        if difference[rows[-1]] > 1e-3:
            raise InputError(
                f"The points of {photo.stem}.mat are not among those of AFLW2000-3D.pts68.npy; "
                "use the files of one release."
            )
    return rows


def _annotation(path: Path) -> np.ndarray:
    if not path.is_file():
        raise InputError(
            f"There is no {path}: with only some of the set's pictures, each needs its .mat; "
            f"expected this layout:\n{LAYOUT}"
        )
    return read_mat(path, "pt3d_68")["pt3d_68"].astype(np.float64)
