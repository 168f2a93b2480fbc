"""Wavefront OBJ, read and written: the only place that knows the format.

Order and number of the vertices are the file's own. Libraries that part vertices at seams of the
texture, or merge equal ones, can't be used where points are matched by their number.
"""

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float, Int, Shaped

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.geometry.number_rows import number_rows
from fit3dmm.geometry.number_text import parse_numbers, without_mark
from fit3dmm.geometry.polygons import fan_triangles
from fit3dmm.geometry.triangle_mesh import Mesh

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class ObjMesh:
    """What a file holds, in its own order; indices count from 0."""

    vertices: Float[np.ndarray, "vertices 3"]
    uv: Float[np.ndarray, "uv_points 2"]
    corners: Int[np.ndarray, "corners"]
    """Vertex of each corner, one face after another."""
    uv_corners: Int[np.ndarray, "corners"]
    """Texture point of each corner; -1 where it has none."""
    sizes: Int[np.ndarray, "faces"]
    """Number of corners of each face."""
    groups: Shaped[np.ndarray, "faces"]
    """Name of the group that each face belongs to, empty before the first."""

    def triangles(self) -> Int[np.ndarray, "triangles 3"]:
        """Vertices of the triangles, polygons cut into fans."""
        return fan_triangles(self.corners, self.sizes)

    def faces(self, most: int = 4) -> tuple[np.ndarray, np.ndarray]:
        """Vertices and texture points of the faces, (faces, most) each, filled up with -1.

        Raises:
            ValueError: a face has more corners.
        """
        if self.sizes.max(initial=0) > most:
            raise ValueError(f"a face has {self.sizes.max()} corners, expected {most} at most")
        inside = np.arange(most) < self.sizes[:, None]
        both = np.full((2, len(self.sizes), most), -1, dtype=np.int64)
        both[0][inside], both[1][inside] = self.corners, self.uv_corners
        return both[0], both[1]


@dataclass(frozen=True)
class ObjTexture:
    """Texture coordinates to write, with indices of their own."""

    uv: Float[np.ndarray, "uv_points 2"]
    """0..1, origin at the bottom left."""
    triangles: Int[np.ndarray, "triangles 3"]
    """Rows of `uv` at the corners of the mesh's triangles."""
    material: str = "face"
    material_file: str | None = None
    """MTL file in the same folder that describes the material; None writes neither name."""


def read_obj(path: Path) -> ObjMesh:
    """Read a polygon mesh. Lines, points and free-form surfaces in the file are not looked at.

    Raises:
        InputError: the file is missing or damaged, or an index is out of range.
    """
    return _read(path, _parse)


def read_obj_vertices(path: Path) -> Float[np.ndarray, "vertices 3"]:
    """The vertices alone, in a tenth of the time: for files whose faces another one has told.

    Raises:
        InputError: the file is missing, or its vertices are damaged.
    """
    return _read(path, lambda text: _vertices(_joined(text)))


def _read(path: Path, parse: Callable[[bytes], _Read]) -> _Read:
    if not path.is_file():
        raise InputError(f"There is no mesh {path}; check the path.")
    try:
        return parse(without_mark(path.read_bytes()))
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path} can't be read as an OBJ file: {error}; export it again."
        ) from error


def write_obj(
    path: Path,
    mesh: Mesh,
    texture: ObjTexture | None = None,
    *,
    comment: str | None = None,
    decimals: int = 6,
) -> None:
    """Write positions and triangles, without colours or normals: NoW's loader breaks on them.

    Args:
        path: of the file; textures lie beside it.
        mesh: in whatever frame and unit `comment` says.
        texture: a UV map and its picture.
        comment: one line for the top of the file, such as unit and frame.
        decimals: digits after the point of the positions.

    Raises:
        InputError: the file can't be written.
    """
    parts = [f"# {comment}\n"] if comment else []
    if texture is not None and texture.material_file is not None:
        parts.append(f"mtllib {texture.material_file}\nusemtl {texture.material}\n")
    content = ["".join(parts).encode("ascii"), number_rows("v", mesh.vertices, decimals=decimals)]
    if texture is None:
        content.append(number_rows("f", mesh.triangles + 1))
    else:
        content.append(_shared_rows("vt", texture.uv, decimals=6))
        corners = np.stack([mesh.triangles, texture.triangles], axis=-1).reshape(-1, 6) + 1
        content.append(_shared_rows("f", corners, "/ / /"))
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(b"".join(content))


def _shared_rows(keyword: str, rows: np.ndarray, gaps: str = "", decimals: int = 0) -> bytes:
    """`number_rows`, kept for the next file: all faces of a model have its triangles and its UV
    map."""
    return _kept_rows(keyword, rows.dtype.str, rows.shape, rows.tobytes(), gaps, decimals)


@functools.lru_cache(maxsize=2)
def _kept_rows(
    keyword: str, kind: str, shape: tuple[int, ...], content: bytes, gaps: str, decimals: int
) -> bytes:
    return number_rows(keyword, np.frombuffer(content, kind).reshape(shape), gaps, decimals)


def _joined(text: bytes) -> bytes:
    """Continued lines made one, and each ended alike."""
    return text.replace(b"\\\r\n", b" ").replace(b"\\\n", b" ").replace(b"\r", b"\n")


def _vertices(text: bytes) -> Float[np.ndarray, "vertices 3"]:
    vertices = _table(_rows(text, b"v"), 3, "vertices")
    if len(vertices) == 0:
        raise ValueError("it has no vertex")
    return vertices


def _parse(text: bytes) -> ObjMesh:
    text = _joined(text)
    vertices = _vertices(text)
    uv = _table(_rows(text, b"vt"), 2, "texture points")
    rows = _rows(text, b"f")
    words = b"\n".join(rows).split()
    sizes = np.array([len(row.split()) for row in rows], dtype=np.int64)
    if any(b"/" in word for word in words):
        # A slash that stands alone would make two corners of one.
        if any(word.startswith(b"/") or word.endswith(b"/") for word in words):
            raise ValueError("a face has a slash without an index beside it")
        parts = [word.split(b"/", 2) for word in words]
        corners = parse_numbers(b" ".join([part[0] for part in parts]), np.int64)
        uv_words = [part[1] if len(part) > 1 and part[1] else b"0" for part in parts]
        uv_corners = parse_numbers(b" ".join(uv_words), np.int64)
    else:
        corners = parse_numbers(b" ".join(words), np.int64)
        uv_corners = np.zeros(len(corners), dtype=np.int64)
    return ObjMesh(
        vertices,
        uv,
        _from_zero(text, b"v", corners, sizes, len(vertices), "vertices"),
        _from_zero(text, b"vt", uv_corners, sizes, len(uv), "texture points"),
        sizes,
        _groups(text, len(rows)),
    )


def _pattern(keyword: bytes) -> bytes:
    return rb"^[ \t]*" + keyword + rb"[ \t]+([^#\n]*)"


def _rows(text: bytes, keyword: bytes) -> list[bytes]:
    """What follows the keyword in each line that begins with it."""
    return re.findall(_pattern(keyword), text, re.MULTILINE)


def _places(text: bytes, keyword: bytes) -> np.ndarray:
    """Where in the text the lines with the keyword begin."""
    found = re.finditer(_pattern(keyword), text, re.MULTILINE)
    return np.fromiter((match.start() for match in found), dtype=np.int64)


def _table(rows: list[bytes], columns: int, what: str) -> np.ndarray:
    """The first columns of lines that all have equally many numbers."""
    if not rows:
        return np.zeros((0, columns))
    have = len(rows[0].split())
    if have < columns:
        number = {2: "two", 3: "three"}[columns]
        raise ValueError(f"its {what} have fewer than {number} coordinates")
    values = parse_numbers(b"\n".join(rows), np.float64)
    if len(values) != have * len(rows) or any(len(row.split()) != have for row in rows):
        raise ValueError(f"its {what} have unequal numbers of coordinates")
    return values.reshape(len(rows), have)[:, :columns]


def _from_zero(
    text: bytes, keyword: bytes, index: np.ndarray, sizes: np.ndarray, count: int, what: str
) -> np.ndarray:
    """Indices from 0; none, which texture points may lack, becomes -1.

    Positive ones count from 1. Negative ones count back from the last that stands before the face:
    files that are written while they are made have faces between their vertices.
    """
    if keyword == b"v" and (index == 0).any():
        raise ValueError("a face has the index 0, but indices count from 1")
    before = count
    if (index < 0).any():
        face_places = _places(text, b"f")
        before = np.repeat(np.searchsorted(_places(text, keyword), face_places), sizes)
    result = np.where(index > 0, index - 1, index + before)
    result[index == 0] = -1
    wrong = (index != 0) & ((result < 0) | (result >= count))
    if wrong.any():
        raise ValueError(
            f"a face uses number {index[wrong][0]} of {count} {what}; the file mixes up its index "
            "base or is cut off"
        )
    return result


def _groups(text: bytes, n_faces: int) -> np.ndarray:
    places = _places(text, b"g")
    if len(places) == 0:
        return np.full(n_faces, "")
    names = ["", *(row.decode(errors="replace").strip() for row in _rows(text, b"g"))]
    return np.array(names)[np.searchsorted(places, _places(text, b"f"))]
