"""A fit on disk: everything that the set scores, one HDF5 file a case."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from fit3dmm._hdf5 import Dataset, FileFormat, Group
from fit3dmm.evaluate.fitter import FittedFace, FittedScene
from fit3dmm.geometry.surface_points import SurfacePoints

FORMAT = FileFormat("fit3dmm synthetic prediction", 1, "prediction", "fit again")
_POINT_SETS = ("ibug68", "keypoints85", "points478")
_FORMER_NAMES = {
    "relief_rows": "relative_depth_rows",
    "relief_sigma_mm": "relative_depth_sigma_mm",
}


def write_prediction(face: FittedFace, path: Path) -> None:
    """Write a fit.

    Raises:
        InputError: the file can't be written.
    """
    conventions = "mm and px, frames as in docs/conventions.md"
    with FORMAT.writing(path, conventions=conventions) as file:
        _put(file, face)
        if face.scene is not None:
            _put(file.create_group("scene"), face.scene)


def read_prediction(path: Path) -> FittedFace:
    """Read a fit.

    Raises:
        InputError: the file is missing, damaged or of another version.
    """
    with FORMAT.reading(path) as file:
        group = file.get("scene")
        scene = None if group is None else FittedScene(**_get(group))
        return FittedFace(**_get(file), scene=scene)


def _put(group: Group, record: FittedFace | FittedScene) -> None:
    for field in fields(record):
        value = getattr(record, field.name)
        if value is None or isinstance(value, FittedScene):
            continue
        if isinstance(value, SurfacePoints):
            points = group.create_group(field.name)
            _array(points, "triangle", value.triangle)
            _array(points, "barycentric", value.barycentric)
        elif isinstance(value, np.ndarray):
            _array(group, field.name, value)
        else:
            group.attrs[field.name] = value


def _array(group: Group, name: str, values: np.ndarray) -> None:
    kind = np.float32 if np.issubdtype(values.dtype, np.floating) else np.int32
    group.create_dataset(
        name, data=values.astype(kind), compression="gzip", compression_opts=1, shuffle=True,
        track_times=False,
    )  # fmt: skip


def _get(group: Any) -> dict[str, Any]:
    values: dict[str, Any] = {k: v for k, v in group.attrs.items() if k not in _HEADER}
    for name, entry in group.items():
        if name in _POINT_SETS:
            values[name] = SurfacePoints(
                entry["triangle"][()].astype(np.int64), entry["barycentric"][()].astype(np.float64)
            )
        elif isinstance(entry, Dataset):
            kind = np.float64 if np.issubdtype(entry.dtype, np.floating) else np.int64
            values[name] = entry[()].astype(kind)
    return {
        _FORMER_NAMES.get(k, k): float(v) if isinstance(v, np.floating) else v
        for k, v in values.items()
    }


_HEADER = ("format", "format_version", "conventions")
