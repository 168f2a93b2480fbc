"""Our HDF5 files: each says what it holds and in which version. The one door to h5py."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
from h5py import Dataset as Dataset
from h5py import Group as Group

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path

_DAMAGE = (OSError, KeyError, TypeError, ValueError, AttributeError, RuntimeError)
"""h5py reports damage as one of these, depending on where it lies."""


@dataclass(frozen=True)
class FileFormat:
    """One kind of our files: what its header says, and the sentences for files that are not it."""

    name: str
    """The attribute `format` of the file."""
    version: int
    """The attribute `format_version` that is written; this and all earlier ones are read."""
    kind: str
    """What people call such a file."""
    remedy: str
    """What to do where a file is missing, damaged or of another kind."""

    @contextmanager
    def writing(self, path: str | Path, **attributes: Any) -> Iterator[h5py.File]:
        """Give a file to fill, which appears at `path` whole or not at all.

        Args:
            attributes: further ones of the header.

        Raises:
            InputError: the folder can't be written to, or the disk is full.
        """
        # Made in memory, because the library behind h5py can't close a file on a full disk.
        content = io.BytesIO()
        with h5py.File(content, "w", libver="v110") as file:
            file.attrs["format"] = self.name
            file.attrs["format_version"] = self.version
            for name, value in attributes.items():
                file.attrs[name] = value
            yield file
        with atomic_path(Path(path)) as temporary:
            temporary.write_bytes(content.getvalue())

    @contextmanager
    def reading(self, path: str | Path) -> Iterator[Any]:
        """Give the open file; whatever fails while it is read is told in one sentence.

        It is typed `Any`, because h5py's types can't tell groups from data sets.

        Raises:
            InputError: there is no such file, it is of another kind, a newer fit3dmm wrote it, or
                the block failed in a way that damage explains.
        """
        path = Path(path)
        if not path.is_file():
            raise InputError(f"There is no file {path}: {self.remedy}.")
        try:
            with h5py.File(path, "r") as file:
                self._check_header(file.attrs)
                yield file
        except InputError as error:
            raise InputError(f"{path}: {error}") from error
        except _DAMAGE as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise InputError(
                f"{path} can't be read as a {self.kind} ({reason}): it is incomplete, damaged or "
                f"of another kind; {self.remedy}."
            ) from error

    def _check_header(self, attributes: Any) -> None:
        found = attributes.get("format")
        if found != self.name:
            told = f"calls itself {found!r}" if found else "does not say what it is"
            raise InputError(f"expected a {self.kind}, but the file {told}: {self.remedy}.")
        version = int(attributes["format_version"])
        if version > self.version:
            raise InputError(
                f"it is a {self.kind} of version {version}, this fit3dmm reads up to "
                f"{self.version}: update fit3dmm."
            )


def format_name(path: str | Path) -> str | None:
    """What a file calls itself; None where it is no HDF5 file or does not say."""
    if not (Path(path).is_file() and h5py.is_hdf5(path)):
        return None
    try:
        with open_foreign(path) as file:
            return file.attrs.get("format")
    except OSError:
        return None


@contextmanager
def open_foreign(path: str | Path) -> Iterator[Any]:
    """Give another program's HDF5 file to read, whose header we know nothing of."""
    with h5py.File(path, "r") as file:
        yield file


def is_text(dataset: Any) -> bool:
    """Whether a data set holds strings."""
    return h5py.check_string_dtype(dataset.dtype) is not None
