"""Read lists of 3D landmarks: NPY, plain text, FG2018's .lnd, MeshLab's .pp.

What a list means must be certain: a column, a point or an order too many is refused, not guessed.
"""

import re
from pathlib import Path
from typing import TypeAlias

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.evaluate.mesh_files import as_points, read_array
from fit3dmm.geometry.number_text import NUMBER, without_mark

SUFFIXES = (".npy", ".txt", ".lnd", ".pp")
"""File types that are read, in the order in which they are looked for."""

_Row: TypeAlias = tuple[str, list[float]]
"""Name, or nothing, and coordinates of a point."""

_ATTRIBUTES = r"""(?:[^>"']|"[^"]*"|'[^']*')*"""


def find_landmarks(stem: Path) -> Path | None:
    """The landmark file with this path but for the suffix, or None."""
    for suffix in SUFFIXES:
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    return None


def read_landmarks(path: Path, count: int | None = 7) -> Float[np.ndarray, "points 3"]:
    """Read `count` points, or all.

    Text has one point a line: exactly three numbers with a decimal point, after a name or not, with
    white space or commas between them. Names that count the points from 0 or 1 say their order.

    Raises:
        InputError: the file is missing or broken, or holds another number of points.
    """
    if not path.is_file():
        raise InputError(f"There is no landmark file {path}; check the path.")
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return as_points(read_array(path, (count, 3)))
    try:
        text = without_mark(path.read_bytes()).decode("utf-8", errors="replace")
    except (ValueError, OSError) as error:
        raise InputError(f"{path} can't be read as a list of points: {error}.") from error
    if suffix == ".pp":
        rows = _picked_points(path, text, count)
    else:
        rows = _lines(path, text)
        _check_numbering(path, rows)
    rows = _in_order(path, rows)
    # MeshLab files may carry further points; the protocols use the first ones.
    if count is None:
        count = max(len(rows), 1)
    if len(rows) < count or (len(rows) > count and suffix != ".pp"):
        raise InputError(f"Expected {count} landmarks in {path}, got {len(rows)}.")
    return as_points(np.array([point for _, point in rows[:count]]))


def _lines(path: Path, text: str) -> list[_Row]:
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        content = re.sub(r"(^|\s)#.*", "", line).strip()
        if not content:
            continue
        words = content.split()
        if "," in content:
            # Commas part all numbers or none: a comma inside a number is another country's point.
            head, *rest = (part.strip() for part in content.split(","))
            words = [*head.split(), *rest]
        *name, x, y, z = ["", "", "", *words]
        name = [word for word in name if word]
        wanted = "`x y z` or `name x y z` with decimal points"
        if not all(NUMBER.fullmatch(word) for word in (x, y, z)):
            raise InputError(f"Expected {wanted} in line {number} of {path}, got {line.strip()!r}.")
        if (len(name) > 1 and any(NUMBER.fullmatch(word) for word in name)) or "," in "".join(name):
            raise InputError(
                f"Expected {wanted} in line {number} of {path}, got more numbers: "
                f"{line.strip()!r}; keep the three coordinates only."
            )
        rows.append((" ".join(name), [float(x), float(y), float(z)]))
    return rows


def _picked_points(path: Path, text: str, count: int | None) -> list[_Row]:
    """Points of a MeshLab file, whatever order their attributes have.

    A pattern in place of an XML parser: the format is flat, and entities can do no harm.
    """
    # As many line ends stay, so that lines keep their numbers.
    text = re.sub(r"<!--.*?-->", lambda found: "\n" * found[0].count("\n"), text, flags=re.DOTALL)
    if "<!--" in text:
        raise InputError(f"{path} has a comment without an end; save it again in MeshLab.")
    rows = []
    for element in re.finditer(rf"<point\b({_ATTRIBUTES})>", text):
        line = text.count("\n", 0, element.start()) + 1
        found = re.findall(r"""([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')""", element[1])
        values = {key: (double or single).strip() for key, double, single in found}
        point = [values.get(axis, "") for axis in "xyz"]
        if not all(NUMBER.fullmatch(word) for word in point):
            raise InputError(
                f"Expected numbers x, y and z with decimal points in line {line} of {path}, "
                f"got {element[0]!r}."
            )
        name = values.get("name", "")
        if values.get("active", "1").lower() in ("0", "false") and (
            count is None or len(rows) < count
        ):
            raise InputError(
                f"Point {name!r} in line {line} of {path} is not active: it was never picked; pick "
                "it in MeshLab, or delete it."
            )
        rows.append((name, [float(word) for word in point]))
    return rows


def _in_order(path: Path, rows: list[_Row]) -> list[_Row]:
    """Sorted by names that are numbers; by line where names are words.

    Raises:
        InputError: two points have one number, or some have words and the numbers run backwards.
    """
    numbers = [int(name) for name, _ in rows if name.isdigit()]
    if numbers == sorted(set(numbers)):
        return rows
    if len(numbers) < len(rows) or len(set(numbers)) < len(numbers):
        raise InputError(
            f"The names of the points of {path} number them in another order than they stand in, "
            "or twice: give each one number, or put them in order and name them by words."
        )
    return sorted(rows, key=lambda row: int(row[0]))


def _check_numbering(path: Path, rows: list[_Row]) -> None:
    """A number before x, y and z is a name only where it counts the points."""
    names = [name for name, _ in rows if NUMBER.fullmatch(name)]
    counted = {int(name) for name in names if name.isdigit()}
    n = len(rows)
    if names and (len(names) < n or counted not in (set(range(n)), set(range(1, n + 1)))):
        raise InputError(
            f"The points of {path} have a fourth number, such as {names[0]}, that does not count "
            "them from 0 or 1: keep `x y z` or `name x y z`."
        )
