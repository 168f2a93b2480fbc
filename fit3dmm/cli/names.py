"""What the folders of results are called, so that no photo takes another one's place.

A folder is called as its photo. Where several photos are called so, the name of the photo's own
folder goes before it (`holiday-me`), then the suffix comes after (`holiday-me.jpg`), and at last a
digest of the path. What a photo is called depends on itself and on the photos of the same name, not
on their order; and a photo that has a result already keeps that name when others join.
"""

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.export.mark import Mark, PhotoIdentity, read_mark
from fit3dmm.export.working import PREFIX

# File systems take 255 bytes; fit3dmm's own names of working folders are shorter.
_MAX_BYTES = 240


class Places:
    """Where the results of a run's photos go: each has a place of its own."""

    def __init__(self, out: Path, photos: Sequence[Path]) -> None:
        self._out = out
        self._names = {photo: result_names(photo) for photo in photos}
        self._first = _distinct(self._names)
        self._taken: set[str] = set()

    def choose(self, photo: Path, who: PhotoIdentity) -> Path:
        """The folder of a photo's result; it may be one that can't be used, which then says why."""
        name = self._choose(photo, who)
        self._taken.add(_folded(name))
        return self._out / name

    def _choose(self, photo: Path, who: PhotoIdentity) -> str:
        names = self._names[photo]
        open_names = [name for name in names if _folded(name) not in self._taken]
        marks = {name: _mark_at(self._out / name) for name in open_names}
        of_this_place = [name for name, mark in marks.items() if mark and _is_at(mark, who)]
        of_this_photo = [name for name, mark in marks.items() if mark and mark.photo == who]
        # This photo's result, or else that of the same file before it was edited, which is refused.
        for kept in (*of_this_photo, *of_this_place):
            return kept
        for name in names[self._first[photo] :]:
            if name in open_names and marks[name] is None:
                return name
        return names[-1]


def result_names(photo: Path) -> tuple[str, ...]:
    """Names for a photo's result, from the plainest to one that no other file has."""
    path = Path(os.path.abspath(photo))  # noqa: PTH100 - a link is called as it is called
    before = f"{path.parent.name}-" if path.parent.name else ""
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:8]
    names = (path.stem, before + path.stem, before + path.name, f"{before}{path.name}-{digest}")
    return tuple(_usable(name) for name in names)


def _distinct(names: dict[Path, tuple[str, ...]]) -> dict[Path, int]:
    """For each photo which of its names it takes, so that no two take the same."""
    level = dict.fromkeys(names, 0)
    while True:
        called: dict[str, list[Path]] = defaultdict(list)
        for photo in names:
            called[_folded(names[photo][level[photo]])].append(photo)
        again = [photo for group in called.values() for photo in _to_rename(group, level)]
        again = [photo for photo in again if level[photo] + 1 < len(names[photo])]
        if not again:
            return level
        for photo in again:
            level[photo] += 1


def _to_rename(group: list[Path], level: dict[Path, int]) -> list[Path]:
    """Of photos called the same, all but one that has the name more plainly than the others."""
    lowest = min(level[photo] for photo in group)
    plain = [photo for photo in group if level[photo] == lowest]
    return [photo for photo in group if plain != [photo]] if len(group) > 1 else []


def _folded(name: str) -> str:
    """The same for names that some file systems don't tell apart."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _usable(name: str) -> str:
    """As far as a folder can be called so."""
    # A photo called `..jpg` has the stem `.`, which would be the folder of all results.
    if name in ("", ".", "..") or name.startswith(PREFIX):
        name = f"_{name}"
    encoded = os.fsencode(name)
    if len(encoded) <= _MAX_BYTES:
        return name
    short = name
    while len(os.fsencode(short)) > _MAX_BYTES - 9:
        short = short[:-1]
    return f"{short}-{hashlib.sha256(encoded).hexdigest()[:8]}"


def _mark_at(folder: Path) -> Mark | None:
    try:
        return read_mark(folder)
    except InputError:
        return None


def _is_at(mark: Mark, who: PhotoIdentity) -> bool:
    return bool(who.place) and mark.photo.place == who.place
