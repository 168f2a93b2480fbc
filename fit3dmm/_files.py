"""Files that are written whole or not at all, and the files that the package ships."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fit3dmm._errors import InputError

MARK = ".fit3dmm.json"
"""The file by which fit3dmm knows a folder that it wrote."""
_PACKAGE = Path(__file__).parent


def data_path(name: str) -> Path:
    """Path of a file that fit3dmm ships in data/.

    A wheel carries data/ inside the package; an editable install finds it beside the package.
    """
    for folder in (_PACKAGE / "data", _PACKAGE.parent / "data"):
        if (folder / name).exists():
            return folder / name
    raise FileNotFoundError(
        f"fit3dmm's own data file {name!r} is missing from {_PACKAGE}: reinstall the package."
    )


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; on success it becomes `target`, on failure it goes.

    The temporary name keeps the target's suffix, because writers choose formats by it.

    Raises:
        InputError: the folder can't be written to, or the disk is full.
    """
    # A link to a file stays one; devices and folders are no files to be replaced.
    target = Path(os.path.realpath(target))
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "no ordinary file"
        raise InputError(f"Can't write {target}: it is {kind}; choose another name.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            # Short, because the target's own name may be as long as names can be.
            prefix=".fit3dmm-",
            suffix=target.suffix,
            dir=target.parent,
        )
    except OSError as error:
        raise InputError(
            f"Can't write {target}: {error.strerror or error}; "
            "choose a folder that exists and is writable."
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except OSError as error:
        raise InputError(
            f"Can't write {target}: {error.strerror or error}; "
            "free some space or choose another folder."
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
