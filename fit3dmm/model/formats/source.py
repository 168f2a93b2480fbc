"""What a reader hands on: the shapes of a family, and enough to bring Commons into register."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat, whosmat

from fit3dmm._errors import InputError
from fit3dmm.model.stored import StoredModel

EXPRESSION_SIGMA = 0.35
"""Prior of a blendshape that runs from 0 to 1: three sigmas are just above the full movement."""


@dataclass(frozen=True)
class SourceModel:
    """A model as its family gives it: in mm and our axes, but with its own origin.

    `stored` may lack colour, point sets and regions; `complete` brings what is missing.
    """

    stored: StoredModel
    anchors_mm: Mapping[int, np.ndarray]
    """Positions (3,) on the mean of iBUG-68 points, by their index: where registration starts. None
    at all: it starts from the centres of the eyes, which `stored.joints` must then have."""
    own_parts: Mapping[str, np.ndarray]
    """Masks (base,) of vertices that lie on no skin, by the name of the region they belong to."""


def expand(paths: list[Path]) -> list[Path]:
    """The files that a command named, folders replaced by what lies in them.

    Raises:
        InputError: a path does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inner = path / "FaceXModel"
            folders = [path, inner] if inner.is_dir() else [path]
            files += [f for folder in folders for f in sorted(folder.iterdir()) if f.is_file()]
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"{path} does not exist: give a model file or the folder it lies in.")
    return files


def first_bytes(path: Path, count: int) -> bytes:
    """The start of a file, to tell its kind."""
    with path.open("rb") as file:
        return file.read(count)


@contextmanager
def reading(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a parser raises on a damaged file into one sentence.

    Raises:
        InputError: the block failed in a way that damaged or truncated content explains.
    """
    try:
        yield
    except InputError:
        raise
    except (OSError, ValueError, KeyError, IndexError, TypeError, EOFError) as error:
        raise _damaged(path, kind, error) from error
    except Exception as error:
        # scipy and zlib raise types of their own on damaged files; nothing else runs in the block.
        if type(error).__module__.split(".")[0] not in ("scipy", "zlib", "zipfile", "struct"):
            raise
        raise _damaged(path, kind, error) from error


def _damaged(path: Path, kind: str, error: Exception) -> InputError:
    detail = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(
        f"{path} can't be read as {kind} ({detail}): it is incomplete or damaged; get it again."
    )


def is_mat73(path: Path) -> bool:
    """Whether a file is MATLAB's newer kind, an HDF5 file with a head of its own."""
    return first_bytes(path, 19).startswith(b"MATLAB 7.3 MAT-file")


def mat73_sentence(path: Path) -> str:
    """What to do with such a file."""
    return (
        f"{path} is a MATLAB 7.3 file, of which only versions 5 to 7 are read: load it in MATLAB "
        "and save it again with `save(..., '-v7')`."
    )


def mat_names(path: Path) -> set[str]:
    """Names of the variables in a MATLAB 5 file; none where it is no such file."""
    if not first_bytes(path, 19).startswith(b"MATLAB 5.0 MAT-file"):
        return set()
    with reading(path, "a MATLAB file"):
        return {name for name, _, _ in whosmat(path)}


def read_mat(path: Path, *names: str) -> dict[str, np.ndarray]:
    """Numeric variables of a MATLAB 5 file.

    Raises:
        InputError: a variable is missing or no numbers, or the file is damaged or of version 7.3.
    """
    with reading(path, "a MATLAB file"):
        if is_mat73(path):
            raise InputError(mat73_sentence(path))
        content: dict[str, Any] = loadmat(path, variable_names=names)
    for name in names:
        if name not in content:
            raise InputError(f"{path} lacks the variable {name}: it is of another kind or version.")
        if not np.issubdtype(content[name].dtype, np.number):
            raise InputError(f"{path}: the variable {name} holds no numbers.")
    return {name: content[name] for name in names}


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        InputError: it is no JSON.
    """
    with reading(path, "a JSON file"):
        return json.loads(path.read_text(encoding="utf-8"))
