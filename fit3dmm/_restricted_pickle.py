"""Numbers out of other people's pickles, without running what a pickle says.

A pickle is a program: the usual reader calls whatever function it names. Here a short list of names
is known. Arrays are NumPy's; objects of the few classes that hold arrays in such files (SciPy's
sparse matrices, chumpy's variables) become plain records of what they held; any other name ends the
reading.
"""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fit3dmm._errors import InputError

_MULTIARRAY = ("numpy.core.multiarray", "numpy._core.multiarray")
_SPARSE = ("csc_matrix", "csr_matrix", "coo_matrix", "csc_array", "csr_array", "coo_array")
_DAMAGE = (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError,
           AttributeError, OverflowError, MemoryError, UnicodeError)  # fmt: skip


def read_pickle(path: Path) -> Any:
    """The content of a pickle: dictionaries, lists, numbers, strings and arrays.

    Raises:
        InputError: it is damaged, or holds anything else.
    """
    try:
        return restricted_load(path.read_bytes())
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    except OSError as error:
        raise InputError(f"Can't read {path}: {error.strerror or error}.") from error


def read_npy(path: Path) -> Any:
    """The content of an NPY file, which may be a pickled object: then as `read_pickle` gives it.

    Raises:
        InputError: the object is no array.
        ValueError: the file is damaged.
    """
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read_header = np.lib.format.read_array_header_2_0
        _, _, dtype = read_header(file)
        if dtype.hasobject:
            return restricted_load(file.read())
    return np.load(path, allow_pickle=False)


def restricted_load(data: bytes) -> Any:
    """The same from memory.

    Raises:
        InputError: as for `read_pickle`.
    """
    try:
        # Python 2 wrote arrays as texts of single bytes.
        content = _Reader(io.BytesIO(data), encoding="latin1").load()
    except InputError:
        raise
    except _DAMAGE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"It can't be read as a pickle of arrays ({reason}).") from error
    return _plain(content)


class _Held:
    """An object of a class that holds arrays: its state, and nothing that it could do."""

    __slots__ = ("state",)

    def __setstate__(self, state: Any) -> None:
        object.__setattr__(self, "state", state)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("an object is changed from outside")


class _Known:
    """A function that a pickle may call and not change."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, name: str, value: Any) -> None:
        raise pickle.UnpicklingError("a function is changed from outside")


def _rebuilt(kind: Any, *_: Any) -> _Held:
    if kind is not _Held:
        raise pickle.UnpicklingError("an object of an unknown class")
    return _Held()


def _encoded(text: str, encoding: str = "latin1") -> bytes:
    return str(text).encode("latin1" if encoding == "latin1" else "ascii")


def _array_rebuilt(*_: Any) -> np.ndarray:
    """An array whose content follows; of no subclass."""
    return np.empty(0, np.uint8)


def _dtype(code: Any, *_: Any) -> np.dtype:
    # A copy, because what follows changes it.
    return np.dtype(str(code), False, True)


def _scalar(dtype: np.dtype, data: bytes | str = b"") -> Any:
    if dtype.hasobject:
        raise pickle.UnpicklingError("a number that is an object")
    raw = data.encode("latin1") if isinstance(data, str) else data
    return np.frombuffer(raw, dtype, 1)[0]


class _Reader(pickle.Unpickler):
    """An unpickler that finds nothing but what is listed."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle may name."""
        if module in _MULTIARRAY and name in ("_reconstruct", "scalar"):
            return _Known(_array_rebuilt if name == "_reconstruct" else _scalar)
        if module.split(".")[0] == "chumpy" or (
            module.startswith("scipy.sparse") and name in _SPARSE
        ):
            return _Held
        if (module, name) in _LISTED:
            return _LISTED[module, name]
        raise InputError(
            f"It names {module}.{name}, which is no array of numbers, and fit3dmm runs no code of "
            "a file: load it where you trust it, and save the arrays with `numpy.savez`."
        )

    def persistent_load(self, pid: Any) -> Any:
        """Nothing lies outside the file."""
        raise InputError(
            "It refers to data outside itself, as files of PyTorch do: save the arrays with "
            "`numpy.savez`."
        )


def _from_buffer(data: Any, dtype: np.dtype, shape: Any, order: str) -> np.ndarray:
    return np.frombuffer(data, dtype).reshape(shape, order="F" if order == "F" else "C")


_LISTED = {
    ("numpy.core.numeric", "_frombuffer"): _Known(_from_buffer),
    ("numpy._core.numeric", "_frombuffer"): _Known(_from_buffer),
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _Known(_dtype),
    ("copy_reg", "_reconstructor"): _Known(_rebuilt),
    ("copyreg", "_reconstructor"): _Known(_rebuilt),
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("_codecs", "encode"): _Known(_encoded),
    ("collections", "OrderedDict"): dict,
}


def _plain(value: Any, depth: int = 0) -> Any:
    """Containers as they are, objects by the array that they held."""
    if depth > 20:
        raise InputError("It is nested too deeply to be a file of arrays.")
    if isinstance(value, dict):
        return {key: _plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(item, depth + 1) for item in value)
    if isinstance(value, _Held):
        return _array_of(value, depth)
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        items = [_plain(item, depth + 1) for item in value.ravel()]
        return items[0] if value.ndim == 0 else items
    return value


def _array_of(held: _Held, depth: int) -> Any:
    """The array that an object of SciPy's or chumpy's stands for."""
    state = getattr(held, "state", None)
    if not isinstance(state, dict):
        raise InputError("It holds an object whose numbers can't be told.")
    shape = state.get("_shape", state.get("shape"))
    if {"data", "indices", "indptr"} <= state.keys() and shape is not None:
        columns = len(state["indptr"]) == shape[1] + 1 != shape[0] + 1
        by_columns = columns or state.get("format", "csc") == "csc"
        kind: Callable[..., Any] = sp.csc_matrix if by_columns else sp.csr_matrix
        return kind((state["data"], state["indices"], state["indptr"]), tuple(shape)).toarray()
    if {"data", "row", "col"} <= state.keys() and shape is not None:
        return sp.coo_matrix((state["data"], (state["row"], state["col"])), tuple(shape)).toarray()
    if "x" in state:
        return _plain(state["x"], depth + 1)
    raise InputError(
        "It holds a variable of chumpy's that is worked out from others: load it where chumpy is, "
        "and save the arrays with `numpy.savez`."
    )
