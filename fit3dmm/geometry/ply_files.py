"""PLY meshes: text and both binary orders, polygons of any size, triangle strips.

Only positions and their triangles are read; vertices keep their number and order, whatever texture
coordinates the corners have. Elements and properties that are not known are skipped by their
declared sizes: G. Turk, "The PLY polygon file format", 1994.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.geometry.number_text import parse_numbers, without_mark
from fit3dmm.geometry.polygons import fan_triangles, strip_triangles
from fit3dmm.geometry.triangle_mesh import Mesh

_TYPES = {
    **{"char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1"},
    **{"short": "i2", "int16": "i2", "ushort": "u2", "uint16": "u2"},
    **{"int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4"},
    **{"int64": "i8", "uint64": "u8", "float": "f4", "float32": "f4"},
    **{"double": "f8", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_INDEX_NAMES = ("vertex_indices", "vertex_index")

Lists: TypeAlias = tuple[np.ndarray, np.ndarray]
"""All values of a list property, one row after another, and how many each row has."""


@dataclass(frozen=True)
class _Property:
    name: str
    type: str
    count_type: str | None
    """Of a list, the type of the number before it."""


@dataclass(frozen=True)
class _Element:
    name: str
    length: int
    properties: tuple[_Property, ...]


def read_ply(path: Path) -> Mesh:
    """Read a mesh; polygons are cut into fans of triangles.

    Raises:
        InputError: the file is missing, damaged or of an unknown kind.
    """
    if not path.is_file():
        raise InputError(f"There is no mesh {path}; check the path.")
    try:
        return _parse(without_mark(path.read_bytes()))
    # What a wrong header claims fails in the arrays that are made by it.
    except (ValueError, KeyError, IndexError, OverflowError, MemoryError, OSError) as error:
        raise InputError(
            f"{path} can't be read as a PLY file: {error}; export it again."
        ) from error


def _parse(content: bytes) -> Mesh:
    order, elements, body = _header(content)
    if order == "":
        words = parse_numbers(body, np.float64)
        found, end = _walk(elements, len(words), _text_rows(words))
        rest = end < len(words)
    else:
        found, end = _walk(elements, len(body), _binary_rows(body, order))
        rest = bool(body[end:].strip(b"\r\n\t \0\x1a"))
    if rest:
        raise ValueError("it holds more than its header says")
    if not {"x", "y", "z"} <= set(found.get("vertex", {})):
        raise ValueError("it has no vertices with x, y and z")
    vertices = np.stack([found["vertex"][axis] for axis in "xyz"], axis=-1).astype(np.float64)
    faces = fan_triangles(*_indices(found.get("face", {})))
    strips = strip_triangles(*_indices(found.get("tristrips", {})))
    return Mesh(vertices, np.concatenate([faces, strips]))


def _header(content: bytes) -> tuple[str, list[_Element], bytes]:
    start = re.match(rb"ply[ \t]*(\r\n|\n|\r)", content)
    if start is None:
        raise ValueError("it does not begin with `ply`")
    # In a binary file the byte after the header may look like half of a line end.
    end = re.compile(rb"end_header[ \t]*" + start.group(1)).search(content)
    if end is None:
        raise ValueError("its header has no end")
    order, elements = None, []
    for line in content[start.end() : end.start()].decode("ascii", "replace").splitlines():
        match line.split():
            case [] | ["comment" | "obj_info", *_]:
                pass
            case ["format", kind, _] if kind in _ORDERS:
                order = _ORDERS[kind]
            case ["element", name, count]:
                elements.append(_Element(name, int(count), ()))
            case ["property", "list", count_type, kind, name] if elements:
                _append(elements, _Property(name, _TYPES[kind], _TYPES[count_type]))
            case ["property", kind, name] if elements:
                _append(elements, _Property(name, _TYPES[kind], None))
            case _:
                raise ValueError(f"its header has the line {line.strip()!r}")
    names = [element.name for element in elements]
    if order is None or len(set(names)) != len(names) or any(e.length < 0 for e in elements):
        raise ValueError("its header lacks a known format, or names an element twice")
    return order, elements, content[end.end() :]


def _append(elements: list[_Element], entry: _Property) -> None:
    last = elements.pop()
    elements.append(_Element(last.name, last.length, (*last.properties, entry)))


_Rows: TypeAlias = Callable[[_Element, int], tuple[dict[str, np.ndarray | Lists], int]]
"""Reads the rows of an element from a place on; also gives the place behind them."""


def _walk(elements: list[_Element], size: int, rows: _Rows) -> tuple[dict[str, dict], int]:
    found, place = {}, 0
    for element in elements:
        found[element.name] = {}
        if element.length:
            found[element.name], place = rows(element, place)
        if place > size:
            raise ValueError(f"it is cut off among its {element.length} rows of {element.name!r}")
    return found, place


def _binary_rows(body: bytes, order: str) -> _Rows:
    def one(entry: _Property, place: int) -> tuple[np.ndarray, int]:
        count = 1
        if entry.count_type is not None:
            kind = np.dtype(order + entry.count_type)
            count = _count(np.frombuffer(body, kind, 1, place)[0])
            place += kind.itemsize
        kind = np.dtype(order + entry.type)
        return np.frombuffer(body, kind, count, place), place + count * kind.itemsize

    def equal(element: _Element, place: int, sizes: list[int]):
        """All rows at once, where they have as many values as the first; else None."""
        fields = []
        for k, (entry, size) in enumerate(zip(element.properties, sizes, strict=True)):
            if entry.count_type is not None:
                fields.append((f"count{k}", order + entry.count_type))
            fields.append((f"value{k}", order + entry.type, (size,)))
        kind = np.dtype(fields)
        if place + element.length * kind.itemsize > len(body):
            return None
        rows = np.frombuffer(body, kind, element.length, place)
        for k, (entry, size) in enumerate(zip(element.properties, sizes, strict=True)):
            if entry.count_type is not None and (rows[f"count{k}"] != size).any():
                return None
        values = [rows[f"value{k}"] for k in range(len(sizes))]
        return values, place + element.length * kind.itemsize

    return lambda element, place: _rows(element, place, one, equal)


def _text_rows(words: np.ndarray) -> _Rows:
    def one(entry: _Property, place: int) -> tuple[np.ndarray, int]:
        count = 1
        if entry.count_type is not None:
            count, place = _count(words[place]), place + 1
        if place + count > len(words):
            raise ValueError("it is cut off")
        return words[place : place + count], place + count

    def equal(element: _Element, place: int, sizes: list[int]):
        is_list = [entry.count_type is not None for entry in element.properties]
        width = sum(sizes) + sum(is_list)
        end = place + element.length * width
        if end > len(words):
            return None
        rows, column, values = words[place:end].reshape(element.length, width), 0, []
        for listed, size in zip(is_list, sizes, strict=True):
            if listed and (rows[:, column] != size).any():
                return None
            column += listed
            values.append(rows[:, column : column + size])
            column += size
        return values, end

    return lambda element, place: _rows(element, place, one, equal)


def _rows(element: _Element, place: int, one, equal):
    """Columns of an element: at once where all rows are alike, else value by value."""
    sizes, after = [], place
    for entry in element.properties:
        values, after = one(entry, after)
        sizes.append(len(values))
    alike = equal(element, place, sizes)
    if alike is not None:
        blocks, place = alike
        counts = [np.full(element.length, size) for size in sizes]
        flat = [block.reshape(-1) for block in blocks]
    else:
        if all(entry.count_type is None for entry in element.properties):
            raise ValueError(f"it is cut off among its {element.length} rows of {element.name!r}")
        pieces: list[list[np.ndarray]] = [[] for _ in element.properties]
        for _ in range(element.length):
            for column, entry in zip(pieces, element.properties, strict=True):
                values, place = one(entry, place)
                column.append(values)
        counts = [np.array([len(values) for values in column]) for column in pieces]
        flat = [np.concatenate(column) for column in pieces]
    columns = {
        entry.name: (values, count) if entry.count_type is not None else values
        for entry, values, count in zip(element.properties, flat, counts, strict=True)
    }
    return columns, place


def _count(value: np.number) -> int:
    count = int(value)
    if count != value or count < 0:
        raise ValueError(f"a list claims {value} values")
    return count


def _indices(columns: dict[str, np.ndarray | Lists]) -> Lists:
    """Corners and sizes of the faces or strips."""
    if not columns:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    name = next((name for name in _INDEX_NAMES if name in columns), None)
    if name is None or not isinstance(columns[name], tuple):
        raise ValueError("its faces have no list `vertex_indices`")
    corners, sizes = columns[name]
    whole = corners.astype(np.int64)
    if (whole != corners).any():
        raise ValueError("a face has an index that is no whole number")
    return whole, sizes.astype(np.int64)
