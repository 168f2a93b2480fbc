"""Arrays by name out of the files that people keep them in. Nothing is unpickled."""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm._restricted_pickle import read_npy, read_pickle
from fit3dmm.model.formats.source import is_mat73, mat73_sentence, reading

BARE = ""
"""The name of an array that has none."""
SUFFIXES = (".npz", ".npy", ".mat", ".pkl", ".pickle")
_PYTORCH = (".pt", ".pth", ".frame", ".ckpt", ".tar")


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of numbers in a file, or in the NPY files of a folder, which name them.

    Raises:
        InputError: it is of another kind, damaged, or holds what is no array.
    """
    if path.is_dir():
        parts = sorted(path.glob("*.npy"))
        if not parts:
            raise InputError(f"The folder {path} holds no NPY files: give one with coefficients.")
        return {part.stem: read_arrays(part)[BARE] for part in parts}
    suffix = path.suffix.lower()
    if suffix in _PYTORCH:
        raise InputError(
            f"{path} is a file of PyTorch's, which runs code when it is read: save its tensors "
            "with `numpy.savez(path, **{name: tensor.cpu().numpy()})`."
        )
    if suffix not in SUFFIXES:
        raise InputError(
            f"{path.name} is no file of coefficients: expected one of {', '.join(SUFFIXES)}, a "
            "mesh or the fit.h5 of a fit."
        )
    if not path.is_file():
        raise InputError(f"There is no file {path}: give the coefficients of the photo.")
    with reading(path, "a file of arrays"):
        return _numbers(_content(path, suffix))


def _content(path: Path, suffix: str) -> Any:
    if suffix == ".npz":
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no archive")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    if suffix == ".npy":
        return read_npy(path)
    if suffix == ".mat":
        if is_mat73(path):
            raise InputError(mat73_sentence(path))
        return scipy.io.loadmat(path)
    return read_pickle(path)


def _numbers(content: Any) -> dict[str, np.ndarray]:
    if not isinstance(content, dict):
        content = {BARE: content}
    found = {}
    for name, value in content.items():
        try:
            array = np.asarray(value)
        except ValueError:  # lists of unequal lengths are no arrays
            continue
        if np.issubdtype(array.dtype, np.number) and array.ndim:
            found[str(name)] = array
    return found


def vector(
    arrays: Mapping[str, np.ndarray], *names: str, size: int | None = None
) -> Float[np.ndarray, "n"] | None:
    """The numbers that one of some names has, of one face; None where none of them is there.

    Args:
        arrays: of a file.
        names: under which systems save them, the first that is there counts.
        size: how many there must be.

    Raises:
        InputError: they are of several faces, not finite, or of another number.
    """
    name = next((name for name in names if name in arrays), None)
    if name is None:
        return None
    array = np.asarray(arrays[name], dtype=np.float64)
    called = f"The array {name}" if name else "The array"
    if array.size != array.shape[-1] and size != array.size:
        raise InputError(
            f"{called} has the shape {array.shape}, of {array.size // array.shape[-1]} faces or "
            "frames: give a file with those of one photo."
        )
    flat = array.reshape(-1)
    if not np.isfinite(flat).all():
        raise InputError(f"{called} holds values that are not finite numbers.")
    if size is not None and len(flat) != size:
        raise InputError(f"{called} should have {size} numbers, got {len(flat)}.")
    return flat
