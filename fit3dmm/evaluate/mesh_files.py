"""Read meshes as other systems write them: OBJ, PLY, WRL, NPZ, NPY.

Nothing in a file is executed or unpickled, and vertex order is kept: predictions are matched to
landmark lists by it.
"""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.geometry.number_text import parse_numbers, without_mark
from fit3dmm.geometry.obj_files import read_obj
from fit3dmm.geometry.ply_files import read_ply
from fit3dmm.geometry.polygons import fan_triangles
from fit3dmm.geometry.triangle_mesh import Mesh

SUFFIXES = (".obj", ".ply", ".npz", ".npy", ".wrl")
"""File types that are read, in the order in which they are looked for."""


def find_mesh(stem: Path) -> Path | None:
    """The mesh file with this path but for the suffix, or None."""
    for suffix in SUFFIXES:
        # with_suffix would cut names such as `frame_1.5`.
        path = stem.with_name(stem.name + suffix)
        if path.is_file():
            return path
    return None


def read_mesh(path: Path) -> Mesh:
    """Read a mesh; polygons are cut into fans of triangles.

    NPZ holds `vertices` and `triangles`. NPY holds vertices alone; their triangles are in
    `triangles.npy` in the same folder or one above it, as one topology serves a whole set.

    Raises:
        InputError: the file is missing, of another type, broken, or has an index out of range.
    """
    readers = {
        ".obj": _read_obj,
        ".ply": _read_ply,
        ".npz": _read_npz,
        ".npy": _read_npy,
        ".wrl": _read_wrl,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"Expected a mesh as {', '.join(SUFFIXES)}, got {path.name}; convert it first."
        )
    if not path.is_file():
        raise InputError(f"There is no mesh {path}; check the path.")
    try:
        vertices, triangles = reader(path)
    except InputError:
        raise
    # Readers of damaged files fail in many ways; each means that the file can't be read.
    except (ValueError, KeyError, IndexError, TypeError, EOFError, OSError, UnicodeError) as error:
        raise InputError(f"Can't read the mesh {path}: {error}; export it again.") from error
    return _checked(path, vertices, triangles)


def read_mesh_once(path: Path) -> Mesh:
    """`read_mesh`, remembering the last few files: one scan serves many photos.

    Raises:
        InputError: as `read_mesh`.
    """
    if not path.is_file():
        raise InputError(f"There is no mesh {path}; check the path.")
    state = path.stat()
    return _remembered(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4)
def _remembered(path: Path, size: int, mtime_ns: int) -> Mesh:
    del size, mtime_ns  # they only say whether the file is still the same
    return read_mesh(path)


def read_array(path: Path, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read a numeric NPY file. A leading axis of length 1 too many is dropped.

    Args:
        path: the file.
        shape: expected lengths; None stands for any.

    Raises:
        InputError: missing, pickled, not numeric, or of another shape.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path}; check the path.")
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise InputError(
            f"Can't read {path} as a plain NPY array: {error}; save it with numpy.save."
        ) from error
    if array.ndim == len(shape) + 1 and array.shape[0] == 1:
        array = array[0]
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype.kind not in "fiu":
        wanted = " x ".join("n" if n is None else str(n) for n in shape)
        raise InputError(
            f"Expected {wanted} numbers in {path}, got {array.dtype} of shape {array.shape}."
        )
    return array


def _checked(path: Path, vertices: np.ndarray, triangles: np.ndarray) -> Mesh:
    if vertices.ndim != 2 or vertices.shape[1] != 3 or len(vertices) == 0:
        raise InputError(f"Expected vertices with three coordinates in {path}, got none.")
    vertices = np.ascontiguousarray(vertices, dtype=np.float64)
    triangles = np.asarray(triangles).reshape(-1, 3).astype(np.int64)
    if not np.isfinite(vertices).all():
        raise InputError(f"The mesh {path} has coordinates that are not finite; export it again.")
    if len(triangles) and (triangles.min() < 0 or triangles.max() >= len(vertices)):
        raise InputError(
            f"The triangles of {path} use vertices {triangles.min()} to {triangles.max()} of "
            f"0 to {len(vertices) - 1}; the file mixes up its index base or is cut off."
        )
    return Mesh(vertices, triangles)


def _read_obj(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = read_obj(path)
    return found.vertices, found.triangles()


def _read_ply(path: Path) -> tuple[np.ndarray, np.ndarray]:
    found = read_ply(path)
    return found.vertices, found.triangles


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        if not {"vertices", "triangles"} <= set(arrays.files):
            raise InputError(
                f"Expected arrays `vertices` and `triangles` in {path}, got {arrays.files}."
            )
        return arrays["vertices"], arrays["triangles"]


def _read_npy(path: Path) -> tuple[np.ndarray, np.ndarray]:
    vertices = read_array(path, (None, 3))
    for folder in path.parents[:4]:
        if (folder / "triangles.npy").is_file():
            return vertices, read_array(folder / "triangles.npy", (None, 3))
    raise InputError(
        f"{path.name} holds vertices only; put their triangles (n x 3, from 0) beside it or in a "
        "folder above as triangles.npy."
    )


def _read_wrl(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """VRML as BU-3DFE has it: one list of points, one of faces that end in -1."""
    text = re.sub(rb"#[^\r\n]*", b"", without_mark(path.read_bytes()))
    # Textures have lists of points and of indices too.
    points = re.findall(rb"\bCoordinate3?\s*\{\s*point\s*\[([^\]]*)\]", text)
    faces = re.findall(rb"\bcoordIndex\s*\[([^\]]*)\]", text)
    if len(points) != 1 or len(faces) != 1:
        raise ValueError(
            "expected one `Coordinate { point [...] }` and one `coordIndex [...]`, got "
            f"{len(points)} and {len(faces)}"
        )
    vertices = parse_numbers(points[0].replace(b",", b" "), np.float64)
    corners = parse_numbers(faces[0].replace(b",", b" ") + b" -1", np.int64)
    if (corners < -1).any():
        raise ValueError("a face has a negative index")
    polygon = np.cumsum(corners == -1)
    sizes = np.bincount(polygon[corners >= 0], minlength=1)
    return vertices.reshape(-1, 3), fan_triangles(corners[corners >= 0], sizes)


def as_points(values: np.ndarray) -> Float[np.ndarray, "points 3"]:
    """Finite double-precision points.

    Raises:
        InputError: a coordinate is not finite.
    """
    points = np.asarray(values, dtype=np.float64)
    if not np.isfinite(points).all():
        raise InputError("A landmark has coordinates that are not finite numbers.")
    return points
