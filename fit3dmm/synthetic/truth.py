"""What is known of a synthetic photo: one HDF5 file a case."""

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from fit3dmm._hdf5 import FileFormat
from fit3dmm.synthetic.specification import Specification

FORMAT = FileFormat("fit3dmm synthetic truth", 1, "truth", "remove its folder and run again")
_CONVENTIONS = "mm and px as in docs/conventions.md: model, cam and photo frames"


@dataclass(frozen=True)
class Truth:
    """One case. Vertices are a part of the rendered ones: the first of them, in their order."""

    case: Specification
    topology: str
    """Which mesh it is (`topology.topology_name`): with the same one vertices correspond."""
    neutral_mm: Float[np.ndarray, "vertices 3"]
    expressive_mm: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    face: Float[np.ndarray, "vertices"]
    """How much each vertex belongs to the face, 0 to 1."""
    visible: Bool[np.ndarray, "vertices"]
    """Seen in the photo."""
    albedo_linear: Float[np.ndarray, "vertices 3"]
    landmarks68_mm: Float[np.ndarray, "68 3"]
    """Of the neutral head."""
    landmarks68_cam_mm: Float[np.ndarray, "68 3"]
    """Of the head in the photo."""
    landmarks68_px: Float[np.ndarray, "68 2"]
    points478_mm: Float[np.ndarray, "478 3"]
    """MediaPipe's points on the neutral head: they correspond between meshes."""
    points478_cam_mm: Float[np.ndarray, "478 3"]
    rotation: Float[np.ndarray, "3 3"]
    translation_mm: Float[np.ndarray, "3"]
    focal_px: float
    radiance: Float[np.ndarray, "rows columns 3"]
    """The probe in linear units of the photo, as seen in `cam`."""
    hidden: Bool[np.ndarray, "height width"]
    """Pixels in which an occluder is before the face."""
    face_pixels: Bool[np.ndarray, "height width"]
    deformation_mm: float
    """Root mean square over the face of what no coefficients of Commons explain."""

    @property
    def expressive_cam_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """The head in the photo."""
        return self.expressive_mm @ self.rotation.T + self.translation_mm


def write_truth(truth: Truth, path: Path) -> None:
    """Write a case; the same truth gives the same bytes.

    Raises:
        InputError: the file can't be written.
    """
    case = json.dumps(asdict(truth.case))
    with FORMAT.writing(path, conventions=_CONVENTIONS, case=case) as file:
        for name, value in _values(truth).items():
            if isinstance(value, np.ndarray):
                kind = np.float32 if value.dtype == np.float64 else value.dtype
                file.create_dataset(
                    name, data=value.astype(kind), compression="gzip", shuffle=True,
                    track_times=False,
                )  # fmt: skip
            else:
                file.attrs[name] = value


def read_truth(path: Path) -> Truth:
    """Read a case.

    Raises:
        InputError: the file is missing, damaged or of another version.
    """
    with FORMAT.reading(path) as file:
        values: dict[str, Any] = {name: _widened(file[name][()]) for name in file}
        values["topology"] = file.attrs["topology"]
        for name in ("focal_px", "deformation_mm"):
            values[name] = float(file.attrs[name])
        case = json.loads(str(file.attrs["case"]))
        case["off_centre"] = tuple(case["off_centre"])
        return Truth(case=Specification(**case), **values)


def _values(truth: Truth) -> dict[str, object]:
    return {f.name: getattr(truth, f.name) for f in fields(truth) if f.name != "case"}


def _widened(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float64) if values.dtype == np.float32 else values
