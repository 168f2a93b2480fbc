"""Fit results as files: HDF5, versioned, readable back into the same `FitResult`.

Layout of version 2. Attributes of the file: `format` ("fit3dmm-result"), `format_version`, `model`
and `frame`. The group `scene` is laid out as in a saved scene. Every other field of the result is a
group where it holds tensors (each a data set) or records by name, and else a data set of one
string, JSON, in which NaN and Infinity may stand for numbers; a record in it says its `kind`. A
field that a file lacks takes its default, so that settings can be added without a new version. The
data set `hair_mm` and the groups `hanging_hair` and `fringe` are no fields of the result: they say
how far its avatar's hair stands off, and what hangs, where it does. `export.former` says what
version 1 had elsewhere.
"""

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fit3dmm._hdf5 import FileFormat, Group, is_text
from fit3dmm._tensors import TensorRecord
from fit3dmm.export import former
from fit3dmm.export.hair_hanging import HairShape, HangingHair
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.result import FitResult
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.scene_file import FRAME, read_scene, write_scene

FORMAT = FileFormat("fit3dmm-result", 2, "result", "pass the fit.h5 of a fit")
# Elements: a smaller array would grow by what compression needs.
_COMPRESSED_FROM = 1024
_KIND = "kind"
_HAIR, _HANGING, _FRINGE = "hair_mm", "hanging_hair", "fringe"


def save_result(path: Path, result: FitResult, hair_shape: HairShape | None = None) -> None:
    """Write everything that came out of a fit.

    Args:
        path: of the file.
        result: of a fit.
        hair_shape: where the avatar's hair stands off and hangs, where that is known.

    Raises:
        InputError: the folder can't be written to.
    """
    with FORMAT.writing(path, model=result.model.name, frame=FRAME) as file:
        write_record(file, result, FitResult)
        if hair_shape is not None:
            # Within 1/64 mm up to 64 mm; most vertices have none.
            steps = hair_shape.raised_mm.detach().cpu().half().numpy()
            file.create_dataset(_HAIR, data=steps, compression="gzip", shuffle=True)
            for part, sheet in ((_HANGING, hair_shape.hanging), (_FRINGE, hair_shape.fringe)):
                if sheet is not None:
                    _write_sheet(file.create_group(part), sheet)


def load_hair_shape(path: str | Path) -> HairShape | None:
    """Where the hair of a saved result's avatar stands off and hangs; None where it lies flat, or
    was not told.

    Raises:
        InputError: as for `load_result`.
    """
    with FORMAT.reading(path) as file:
        if _HAIR not in file:
            return None
        raised_mm = torch.as_tensor(file[_HAIR][()]).float()
        sheets = (
            HangingHair(file[part]["points_mm"][()], file[part]["srgb"][()])
            if part in file
            else None
            for part in (_HANGING, _FRINGE)
        )
        return HairShape(raised_mm, *sheets)


def _write_sheet(group: Group, sheet: HangingHair) -> None:
    for name, values in (("points_mm", sheet.points_mm.astype(np.float32)), ("srgb", sheet.srgb)):
        group.create_dataset(name, data=values, compression="gzip", shuffle=True)


def load_result(path: str | Path) -> FitResult:
    """Read what `save_result` wrote, on the CPU.

    Raises:
        InputError: there is no such file, it is no result, or a newer fit3dmm wrote it.
    """
    with FORMAT.reading(path) as file:
        return read_record(file, FitResult, int(file.attrs["format_version"]))


def write_record(group: Group, record: Any, kind: type | None = None) -> None:
    """Write the fields of a record into an open group, as the layout above says.

    Args:
        group: an empty one.
        record: of tensors, other records, mappings and plain values.
        kind: whose fields are written; all of the record's if left out.
    """
    # What a subclass knows besides (a face its photo and model) is no part of the format.
    for field in dataclasses.fields(kind or record):
        value = getattr(record, field.name)
        if isinstance(value, Tensor):
            array = value.detach().cpu().numpy()
            packing = (
                {"compression": "gzip", "shuffle": True} if array.size > _COMPRESSED_FROM else {}
            )
            group.create_dataset(field.name, data=array, **packing)
        elif isinstance(value, Scene):
            write_scene(group.create_group(field.name), value)
        elif isinstance(value, TensorRecord):
            write_record(group.create_group(field.name), value)
        elif _holds_records(value):
            within = group.create_group(field.name, track_order=True)
            for name, one in value.items():
                write_record(within.create_group(name), one)
        else:
            group.create_dataset(field.name, data=json.dumps(_plain(value)))


def read_record(group: Any, kind: type, version: int = FORMAT.version) -> Any:
    """Read what `write_record` wrote.

    Args:
        group: that it was written into.
        kind: the record.
        version: of the result file that the group is of.
    """
    hints = typing.get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if version == 1 and kind is Observation and field.name == "detections":
            values[field.name] = former.detections(group)
            continue
        if field.name not in group and _has_default(field):
            continue
        stored, hint = group[field.name], hints[field.name]
        if hint is Scene:
            values[field.name] = read_scene(stored)
        elif isinstance(stored, Group) and typing.get_origin(hint) is Mapping:
            one = typing.get_args(hint)[1]
            values[field.name] = {name: read_record(stored[name], one, version) for name in stored}
        elif isinstance(stored, Group):
            values[field.name] = read_record(stored, _record_of(hint), version)
        elif is_text(stored):
            value = json.loads(stored.asstr()[()])
            place = stored.name.strip("/")
            if version == 1 and place in former.JSON:
                value = former.JSON[place](value)
            if hint is FitConfig:
                value = former.without_foreign_terms(value)
            values[field.name] = _typed(value, hint)
        else:
            values[field.name] = torch.as_tensor(stored[()])
    return kind(**values)


def _record_of(hint: Any) -> type:
    """The record of an annotation that may also say None."""
    kinds = typing.get_args(hint) or (hint,)
    return next(kind for kind in kinds if isinstance(kind, type) and kind is not type(None))


def _holds_records(value: Any) -> bool:
    return isinstance(value, Mapping) and any(isinstance(v, TensorRecord) for v in value.values())


def _plain(value: Any) -> Any:
    """What JSON can hold."""
    if isinstance(value, enum.Enum):
        return value.name
    if dataclasses.is_dataclass(value):
        named = {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {_KIND: type(value).__name__, **named}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def _typed(value: Any, hint: Any) -> Any:
    """The inverse of `_plain`, told by the annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        kinds = [a for a in arguments if a is not type(None)]
        # Where a file does not say which of several records it holds, it is the first.
        saved = value.get(_KIND) if isinstance(value, dict) else None
        return _typed(value, next((a for a in kinds if a.__name__ == saved), kinds[0]))
    if origin is tuple:
        variadic = len(arguments) == 2 and arguments[1] is Ellipsis
        of_each = [arguments[0]] * len(value) if variadic else arguments
        return tuple(_typed(item, one) for item, one in zip(value, of_each, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _typed(item, arguments[1]) for key, item in value.items()}
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint[value]
    if dataclasses.is_dataclass(hint):
        hints = typing.get_type_hints(hint)
        names = [f.name for f in dataclasses.fields(hint) if f.name in value]
        return typing.cast(Any, hint)(**{name: _typed(value[name], hints[name]) for name in names})
    return value


def _has_default(field: dataclasses.Field) -> bool:
    missing = dataclasses.MISSING
    return field.default is not missing or field.default_factory is not missing
