"""The mark in a result's folder: which photo it is of, and which files fit3dmm wrote there.

What a folder holds besides the files of its mark, or what was changed since, is the user's.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from fit3dmm._errors import InputError
from fit3dmm._files import MARK

FORMAT = "fit3dmm-folder"
FORMAT_VERSION = 1


@dataclass(frozen=True)
class PhotoIdentity:
    """Which photo a result is of.

    Two are the same photo where name and content are equal. A photo that was edited since, and one
    of the same name in another folder, have another content: they are other photos.
    """

    name: str
    """The file's stem, or what the caller calls it."""
    sha256: str
    """Of the file, or, where there was none, of size and pixels."""
    place: str = field(default="", compare=False)
    """Digest of the file's path; tells an edited photo from another one, and no more."""


@dataclass(frozen=True)
class Mark:
    """What fit3dmm knows about a folder that it wrote."""

    photo: PhotoIdentity
    files: Mapping[str, str]
    """SHA-256 by path within the folder, with slashes; the mark itself is not listed."""
    settings: str = ""
    """Digest of what made it; empty where nobody said."""


def place_digest(path: Path) -> str:
    """Names a place without telling it: results are given away, and paths hold people's names."""
    return hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]


def same_in_any_locale(name: str) -> str:
    """The name as a UTF-8 locale reads its bytes; other locales read them as surrogates."""
    try:
        return name.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # Surrogates that stand for no byte, which Windows allows.
        return name


def write_mark(folder: Path, photo: PhotoIdentity, settings: str = "") -> None:
    """Mark a folder, with all that it holds, as the result of a photo.

    Args:
        folder: to be marked.
        photo: whose result it is.
        settings: digest of what made it, by which a later run knows that it need not be made again.
    """
    files = {
        path.relative_to(folder).as_posix(): _digest(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    content = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "photo": {"name": photo.name, "sha256": photo.sha256, "place": photo.place},
        "settings": settings,
        "files": files,
    }
    (folder / MARK).write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def read_mark(folder: Path) -> Mark | None:
    """The mark of a folder; None where there is none, or one that can't be trusted.

    Raises:
        InputError: a newer fit3dmm wrote it.
    """
    path = folder / MARK
    if path.is_symlink() or not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="ascii"))
        if content["format"] != FORMAT:
            return None
        version = int(content["format_version"])
        if version <= FORMAT_VERSION:
            return _parsed(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        # A damaged mark is none: then nothing in the folder is taken for fit3dmm's.
        return None
    raise InputError(
        f"{folder} is a result of version {version}, this fit3dmm knows up to {FORMAT_VERSION}: "
        "update fit3dmm, or choose another folder."
    )


def own_files(folder: Path, mark: Mark | None) -> set[Path]:
    """The files that fit3dmm wrote into the folder and nobody has changed since."""
    if mark is None:
        return set()
    paths = {folder / name: sha256 for name, sha256 in mark.files.items()}
    own = {
        path for path, sha256 in paths.items() if _is_real(folder, path) and _digest(path) == sha256
    }
    return own | {folder / MARK}


def is_untouched(folder: Path, mark: Mark) -> bool:
    """Whether every file that fit3dmm wrote is there, as it was written."""
    return len(own_files(folder, mark)) == len(mark.files) + 1


def _parsed(content: Any) -> Mark:
    photo = PhotoIdentity(**{k: str(content["photo"][k]) for k in ("name", "sha256", "place")})
    files = {str(name): str(sha256) for name, sha256 in content["files"].items()}
    for name in files:
        path = PurePosixPath(name)
        # What comes from elsewhere must not point out of its folder.
        if path.is_absolute() or ".." in path.parts or not path.parts or "\\" in name:
            raise ValueError(f"{name!r} is no path within the folder")
    return Mark(photo, files, str(content.get("settings", "")))


def _is_real(folder: Path, path: Path) -> bool:
    """A file that lies in the folder itself, not behind a link to another place."""
    way = [path, *path.parents]
    inside = way[: way.index(folder)]
    return path.is_file() and not any(step.is_symlink() for step in inside)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
