"""fit3dmm's own model file: HDF5, versioned, the same for every family.

Bases are kept as integers times a step (the dataset's `step` attribute), which bounds the error by
half a step and compresses well; everything is float32 after reading. docs/models.md has the layout.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fit3dmm._hdf5 import Dataset, FileFormat, Group, format_name
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.library import find_model
from fit3dmm.model.morphable import ModelInfo, MorphableModel
from fit3dmm.model.stored import StoredModel
from fit3dmm.model.stored_rig import StoredRig

FORMAT = FileFormat(
    "fit3dmm model",
    3,
    "fit3dmm model",
    "download or convert it again (`fit3dmm model convert` reads the formats of other families)",
)
# What has no joints is written so that it is read wherever version 2 is.
_WITHOUT_JOINTS = replace(FORMAT, version=2)
_CONVENTIONS = {
    "unit": "mm",
    "frame": "model: right-handed, x to the subject's left, y up, z out of the face",
    "colour": "linear RGB with sRGB primaries, 1 is diffuse white",
}
_SHAPE_BASES = ("identity_basis_mm", "detail_basis_mm", "expression_basis_mm")
_FLOATS = ("mean_mm", "base_uv", "expression_sigma", "expression_bounds", "albedo_mean_linear")
_RIG_FLOATS = ("centres", "skinning", "sigma_rad", "bounds_rad")
_INDICES = ("base_faces", "base_mirror", "base_uv_faces")
_MAX_VALUES = 2**31
"""A dataset that claims more numbers than this is damaged or hostile, not a face."""


def load_model(source: str | Path = "commons", level: int | None = None) -> MorphableModel:
    """Read a model by name or path.

    Args:
        source: `commons` (ships with fit3dmm), the name of a model in the user's folder (see
            `fit3dmm model list`), or the path of a file in fit3dmm's format.
        level: Catmull-Clark steps of the surface; by default what the file says.

    Returns:
        The model on the CPU, float32; `.to(device)` moves it.

    Raises:
        InputError: no such model, or the file is damaged, newer or of another kind.
    """
    return read_stored(find_model(source)).at_level(level)


def write_stored(
    stored: StoredModel,
    path: str | Path,
    shape_step_mm: float = 0.004,
    albedo_step_linear: float = 0.002,
) -> None:
    """Write a model file; the same model gives the same bytes.

    Args:
        stored: the model.
        path: of the file.
        shape_step_mm: resolution of the shape bases; the error is at most half of it a component.
        albedo_step_linear: the same for the albedo basis. A step of 0 keeps float32.

    Raises:
        InputError: the file can't be written.
    """
    kind = _WITHOUT_JOINTS if stored.rig is None else FORMAT
    with kind.writing(path, **_CONVENTIONS, **asdict(stored.info)) as file:
        file.attrs["default_level"] = stored.default_level
        file.attrs["albedo_level"] = stored.albedo_level
        for name in _INDICES:
            _put(file, name, _narrow(getattr(stored, name)))
        for name in _FLOATS:
            _put(file, name, getattr(stored, name).astype(np.float32))
        for name in _SHAPE_BASES:
            _put_stepped(file, name, getattr(stored, name), shape_step_mm)
        _put_stepped(file, "albedo_basis_linear", stored.albedo_basis_linear, albedo_step_linear)
        _put_names(file, "expression_names", stored.expression_names)
        _put_points(file.create_group("landmarks"), stored.landmarks)
        _put_points(file.create_group("contours"), stored.contours)
        regions = file.create_group("regions")
        for name, weights in sorted(stored.regions.items()):
            _put_stepped(regions, name, weights, 1 / 255)
        parts = file.create_group("parts")
        for name, rows in sorted(stored.parts.items()):
            _put(parts, name, _narrow(rows))
        joints = file.create_group("joints")
        for name, weights in sorted(stored.joints.items()):
            _put(joints, name, weights.astype(np.float32))
        if (factor := stored.expression_covariance_factor) is not None:
            _put(file, "expression_covariance_factor", factor.astype(np.float32))
        if stored.rig is not None:
            _put_rig(file.create_group("rig"), stored.rig, shape_step_mm)


def read_stored(path: str | Path) -> StoredModel:
    """Read a model file into plain arrays.

    Raises:
        InputError: the file is missing, damaged, of another kind, or of a newer format version.
    """
    with FORMAT.reading(path) as file:
        return _read(file)


def is_model_file(path: Path) -> bool:
    """Whether a file is in fit3dmm's own format, whatever its version."""
    return format_name(path) == FORMAT.name


def _read(file: Any) -> StoredModel:
    info = ModelInfo(**{f.name: str(file.attrs[f.name]) for f in fields(ModelInfo)})
    arrays: dict[str, Any] = {name: _indices(file[name]) for name in _INDICES}
    for name in (*_FLOATS, *_SHAPE_BASES, "albedo_basis_linear"):
        arrays[name] = _floats(file[name])
    return StoredModel(
        info=info,
        **arrays,
        expression_names=_names(file["expression_names"]),
        albedo_level=int(file.attrs["albedo_level"]),
        default_level=int(file.attrs["default_level"]),
        landmarks=_points(file["landmarks"]),
        contours=_points(file["contours"]),
        regions={name: _floats(weights) for name, weights in file["regions"].items()},
        **_since_version_2(file),
    )


def _since_version_2(file: Any) -> dict[str, Any]:
    """What files of version 1 do not have, and later ones need not."""
    found: dict[str, Any] = {
        "parts": {name: _indices(rows) for name, rows in file.get("parts", {}).items()},
        "joints": {name: _floats(weights) for name, weights in file.get("joints", {}).items()},
    }
    if "expression_covariance_factor" in file:
        found["expression_covariance_factor"] = _floats(file["expression_covariance_factor"])
    if "rig" in file:
        rig = file["rig"]
        found["rig"] = StoredRig(
            names=_names(rig["names"]),
            parents=_indices(rig["parents"]),
            **{name: _floats(rig[name]) for name in (*_RIG_FLOATS, "correctives_mm")},
        )
    return found


def _put_rig(group: Group, rig: StoredRig, step_mm: float) -> None:
    _put_names(group, "names", rig.names)
    _put(group, "parents", rig.parents.astype(np.int16))
    for name in _RIG_FLOATS:
        _put(group, name, getattr(rig, name).astype(np.float32))
    _put_stepped(group, "correctives_mm", rig.correctives_mm, step_mm)


def _put(group: Group, name: str, values: np.ndarray) -> Dataset:
    packing: dict[str, Any] = {}
    if values.size > 0:
        # One chunk a component: the reader unpacks row by row and compression sees one field.
        chunks = (1, *values.shape[1:]) if values.ndim == 3 else values.shape
        packing = {"compression": "gzip", "compression_opts": 6, "shuffle": True, "chunks": chunks}
    return group.create_dataset(name, data=values, track_times=False, **packing)


def _put_stepped(group: Group, name: str, values: np.ndarray, step: float) -> None:
    if step == 0:
        _put(group, name, values.astype(np.float32))
        return
    whole = np.round(values.astype(np.float64) / np.float32(step)).astype(np.int64)
    _put(group, name, _narrow(whole)).attrs["step"] = np.float32(step)


def _put_names(group: Group, name: str, names: tuple[str, ...]) -> None:
    group.create_dataset(name, data=np.array([n.encode() for n in names] or [], dtype="S64"))


def _put_points(group: Group, sets: Mapping[str, SurfacePoints[np.ndarray]]) -> None:
    for name, points in sorted(sets.items()):
        entry = group.create_group(name)
        _put_names(entry, "names", points.names)
        _put(entry, "triangle", _narrow(points.triangle))
        _put(entry, "barycentric", points.barycentric.astype(np.float32))


def _narrow(values: np.ndarray) -> np.ndarray:
    """The same integers in the smallest type that holds them."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    kinds = (np.uint8, np.uint16, np.uint32) if low >= 0 else (np.int8, np.int16, np.int32)
    for kind in kinds:
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return values.astype(kind)
    return values


def _checked(dataset: Any) -> Dataset:
    if not isinstance(dataset, Dataset):
        raise ValueError(f"{dataset.name} is not a dataset")
    if dataset.size is None or dataset.size > _MAX_VALUES:
        raise ValueError(f"{dataset.name} claims {dataset.size} numbers")
    return dataset


def _indices(dataset: Any) -> np.ndarray:
    return _checked(dataset)[()].astype(np.int64)


def _floats(dataset: Any) -> np.ndarray:
    values = _checked(dataset)[()]
    step = dataset.attrs.get("step")
    if step is None:
        return values.astype(np.float32)
    # In one pass: bases are large.
    return np.multiply(values, np.float32(step), dtype=np.float32)


def _names(dataset: Any) -> tuple[str, ...]:
    return tuple(name.decode() for name in _checked(dataset)[()])


def _points(group: Any) -> dict[str, SurfacePoints[np.ndarray]]:
    return {
        name: SurfacePoints(
            _indices(entry["triangle"]), _floats(entry["barycentric"]), _names(entry["names"])
        )
        for name, entry in group.items()
    }
