"""Read lists of 3D landmarks: NPY, plain text, FG2018's .lnd, MeshLab's .pp."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.evaluate.mesh_files import as_points, read_array

SUFFIXES = (".npy", ".txt", ".lnd", ".pp")
"""File types that are read, in the order in which they are looked for."""


def find_landmarks(stem: Path) -> Path | None:
    """The landmark file with this path but for the suffix, or None."""
    for suffix in SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    return None


def read_landmarks(path: Path, count: int | None = 7) -> Float[np.ndarray, "points 3"]:
    """Read `count` points, or all. Text has one point a line: `x y z`, after a name or not.

    Raises:
        InputError: the file is missing or broken, or holds another number of points.
    """
    if not path.is_file():
        raise InputError(f"There is no landmark file {path}; check the path.")
    if path.suffix.lower() == ".npy":
        return as_points(read_array(path, (count, 3)))
    text = path.read_text(encoding="utf-8", errors="replace")
    rows = _picked_points(text) if path.suffix.lower() == ".pp" else _lines(path, text)
    # MeshLab files may carry further points; the protocols use the first ones.
    if count is None:
        count = max(len(rows), 1)
    if len(rows) < count or (len(rows) > count and path.suffix.lower() != ".pp"):
        raise InputError(f"Expected {count} landmarks in {path}, got {len(rows)}.")
    return as_points(np.array(rows[:count]))


def _lines(path: Path, text: str) -> list[list[float]]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.replace(",", " ").split()
        if not words or words[0].startswith("#"):
            continue
        try:
            rows.append([float(word) for word in words[-3:]])
        except ValueError:
            rows.append([])
        if len(rows[-1]) != 3:
            raise InputError(
                f"Expected `x y z` or `name x y z` in line {number} of {path}, "
                f"got {line.strip()!r}."
            )
    return rows


def _picked_points(text: str) -> list[list[float]]:
    """Points of a MeshLab file, whatever order their attributes have.

    A pattern in place of an XML parser: the format is flat, and entities can do no harm.
    """
    rows = []
    for element in re.findall(r"<point\b[^>]*>", text):
        found = {axis: re.search(rf'\b{axis}\s*=\s*"([^"]+)"', element) for axis in "xyz"}
        try:
            rows.append([float(found[axis].group(1)) for axis in "xyz"])  # type: ignore[union-attr]
        except (AttributeError, ValueError) as error:
            raise InputError(
                f"Expected numbers x, y and z in {element!r} of a .pp file."
            ) from error
    return rows
