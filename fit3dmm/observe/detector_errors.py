"""How detectors err, in mm on the face and by view: tables that are learned on rendered faces.

The errors are kept as `energy.detected` describes them, for some views between the profiles. What
they owe to the shape is told by a few scores of where the points lie, so that a table, which was
measured on one model, serves all.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._files import data_path
from fit3dmm._hdf5 import FileFormat
from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.detection import MEDIAPIPE_POINTS

TABLE = "detector_errors.h5"
FORMAT = FileFormat("fit3dmm detector errors", 1, "table of errors", "reinstall fit3dmm")
N_VIEW_FEATURES = 6
"""How many numbers of a view errors depend on: `energy.detected.view_features`."""
# At a decimetre a half is good to a sixteenth of a mm, which is no precision for a place.
_PRECISION = {"reference_mm": np.float32}
# What two arrays are called in files.
_IN_FILES = {"modes": "modes_mm", "sigma": "sigma_mm"}


@dataclass(frozen=True)
class DetectorErrors(TensorRecord):
    """Errors in mm on the face, in a picture that is turned until the head stands upright: x to the
    right, y up."""

    yaw_deg: Float[Tensor, "views"]
    """Of each view, rising; between two views their errors are mixed."""
    bias_mm: Float[Tensor, "views points 2"]
    by_view_mm: Float[Tensor, "views points 2 features"]
    """By `energy.detected.view_features`."""
    by_score_mm: Float[Tensor, "views points 2 scores"]
    modes: Float[Tensor, "views points 2 modes"]
    """What errors of different photos have in common, each of them one sigma; alike from view to
    view. In mm; with `in_told_sigmas`, in those sigmas."""
    sigma: Float[Tensor, "views points"]
    """What is left to each point, in each coordinate. In mm, or as the modes."""
    reference_mm: Float[Tensor, "points 3"]
    """Points of the face whose scores are zero, in `model`."""
    score_basis: Float[Tensor, "scores points 3"]
    """Scores by the points' distances from the reference, in 1/mm."""
    point_set: str = MEDIAPIPE_POINTS
    """Which of a model's point sets the detector sees; several are joined by `+`."""
    in_told_sigmas: bool = False
    """Whether modes and noise are multiples of the standard deviations that the detector tells with
    each photo (the Cholesky factors of its covariances): it knows which photos are hard."""

    @property
    def n_points(self) -> int:
        """Of the detector's points the first so many are known."""
        return len(self.reference_mm)

    @property
    def n_modes(self) -> int:
        """How many unknowns a photo's errors have."""
        return self.modes.shape[-1]


_ARRAYS = tuple(
    one.name for one in fields(DetectorErrors) if one.name not in ("point_set", "in_told_sigmas")
)


def exact_detector(
    n_points: int, sigma_mm: float, point_set: str = MEDIAPIPE_POINTS
) -> DetectorErrors:
    """A detector without any error but independent noise."""
    return DetectorErrors(
        yaw_deg=torch.zeros(1),
        bias_mm=torch.zeros(1, n_points, 2),
        by_view_mm=torch.zeros(1, n_points, 2, N_VIEW_FEATURES),
        by_score_mm=torch.zeros(1, n_points, 2, 0),
        modes=torch.zeros(1, n_points, 2, 0),
        sigma=torch.full((1, n_points), sigma_mm),
        reference_mm=torch.zeros(n_points, 3),
        score_basis=torch.zeros(0, n_points, 3),
        point_set=point_set,
    )


@functools.cache
def detector_errors() -> DetectorErrors:
    """MediaPipe's, from the table that `tools/calibrate_detector.py` writes.

    Raises:
        InputError: the table is damaged or of a later version.
    """
    with FORMAT.reading(data_path(TABLE)) as file:
        return errors_in(file)


def write_errors(path: Path, errors: DetectorErrors, **header: str) -> None:
    """Write a table that `detector_errors` reads, all but the points in half precision.

    Args:
        header: further attributes of the file.

    Raises:
        InputError: the folder can't be written to.
    """
    with FORMAT.writing(path, **header) as file:
        put_errors(errors, file)


def errors_in(group: Mapping[str, Any]) -> DetectorErrors:
    """A table out of a group of an open file."""
    arrays: Any = {
        name: torch.from_numpy(group[_IN_FILES.get(name, name)][()]).float() for name in _ARRAYS
    }
    kept: Any = group
    return DetectorErrors(
        **arrays,
        point_set=kept.attrs.get("point_set", MEDIAPIPE_POINTS),
        in_told_sigmas=bool(kept.attrs.get("in_told_sigmas", False)),
    )


def put_errors(errors: DetectorErrors, group: Any) -> None:
    """Put a table into a group of an open file, all but the points in half precision."""
    if errors.point_set != MEDIAPIPE_POINTS or errors.in_told_sigmas:
        group.attrs["point_set"] = errors.point_set
        group.attrs["in_told_sigmas"] = errors.in_told_sigmas
    for name in _ARRAYS:
        group.create_dataset(
            _IN_FILES.get(name, name),
            data=getattr(errors, name).numpy().astype(_PRECISION.get(name, np.float16)),
            compression="gzip",
            compression_opts=9,
            shuffle=True,
            track_times=False,
        )
