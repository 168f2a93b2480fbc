"""Folders in which results are made, beside the place where they shall lie.

A working folder holds `work.json`, a lock that its process holds, `new` (what is being made) and,
while folders are exchanged, the earlier ones as `old-1`, `old-2`. Whatever ends a run, every folder
is settled by the same rule: an unfinished `new` goes; an earlier folder comes back if its place is
free, and else gives the user's files in it to the new one. A run that was killed is settled by
the next run that writes there.
"""

import contextlib
import json
import os
import platform
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

from fit3dmm._errors import InputError
from fit3dmm._files import MARK
from fit3dmm.export.mark import Mark, own_files, read_mark

PREFIX = ".fit3dmm-"
"""No result is called so, and no working folder otherwise."""
NEW, OLD = "new", "old"
_RECORD, _LOCK = "work.json", "lock"
_FORMAT = "fit3dmm-working"
# Where no lock tells whether a run is alive, it is given a day; a working folder lives for seconds.
_SIGNALS = tuple(getattr(signal, s) for s in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, s))
_FORGOTTEN_S = 24 * 3600
# Between the making of a working folder and its record.
_BEGUN_S = 60


@contextlib.contextmanager
def working_folder(target: Path) -> Iterator[Path]:
    """An empty folder beside `target`, which is settled and removed at the end, however it comes.

    Raises:
        OSError: the place can't be written to.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    begun: list[tuple[Path, FileLock]] = []
    try:
        with _signals_wait():
            begun.append(_begin(target))
        yield begun[0][0]
    finally:
        with _signals_wait():
            for work, lock in begun:
                _settle(work, target, lock)


def _begin(target: Path) -> tuple[Path, FileLock]:
    work = Path(tempfile.mkdtemp(prefix=PREFIX, dir=target.parent))
    lock = FileLock(work / _LOCK)
    record = {
        "format": _FORMAT,
        "format_version": 1,
        "target": target.name,
        "host": platform.node(),
        "locked": _acquire(lock),
    }
    try:
        (work / _RECORD).write_text(json.dumps(record), encoding="ascii")
    except OSError:
        # The disk is full: nothing is in the folder yet.
        _settle(work, target, lock)
        raise
    return work, lock


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Signals that would interrupt by an exception are dealt with at the end of the block."""
    came: list[tuple[int, FrameType | None]] = []
    before: dict[int, Callable[[int, FrameType | None], Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):
                before[number] = handler
                signal.signal(number, lambda *which: came.append(which))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number, frame in came[:1]:
            before[number](number, frame)


def sweep(parent: Path) -> None:
    """Settle the working folders that killed runs left, and leave those of running ones alone."""
    # What can't be settled now (another user's, a drive gone read-only) is no reason to stop.
    with contextlib.suppress(OSError):
        for work in sorted(parent.glob(f"{PREFIX}*")):
            if work.is_dir() and not work.is_symlink():
                with contextlib.suppress(OSError):
                    _settle_if_dead(work)


def _settle_if_dead(work: Path) -> None:
    record = _read_record(work)
    age_s = time.time() - work.stat().st_mtime
    if record is None:
        # Killed before it began to write; or somebody else's folder, which is not empty.
        if age_s > _BEGUN_S:
            _remove_if_empty(work)
        return
    if not (record["locked"] and record["host"] == platform.node()) and age_s < _FORGOTTEN_S:
        return
    lock = FileLock(work / _LOCK)
    if not _acquire(lock):
        return
    if (work / _RECORD).exists():
        _settle(work, work.parent / record["target"], lock)
    else:
        # The run has ended just now.
        lock.release(force=True)
        _remove_if_empty(work)


def _read_record(work: Path) -> dict[str, str] | None:
    try:
        record = json.loads((work / _RECORD).read_text(encoding="ascii"))
        name = record["target"]
        known = record["format"] == _FORMAT and {"host", "locked"} <= record.keys()
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return record if known and name == Path(name).name != ".." else None


def _acquire(lock: FileLock) -> bool:
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError, NotImplementedError):
        # Held by a living run, or a file system without locks.
        return False
    return True


def _settle(work: Path, target: Path, lock: FileLock) -> None:
    shutil.rmtree(work / NEW, ignore_errors=True)
    for old in sorted(work.glob(f"{OLD}-*")):
        _settle_old(old, target)
    (work / _RECORD).unlink(missing_ok=True)
    lock.release(force=True)
    _remove_if_empty(work)


def _remove_if_empty(work: Path) -> None:
    # What else lies there is not fit3dmm's.
    with contextlib.suppress(OSError):
        if {path.name for path in work.iterdir()} <= {_LOCK}:
            (work / _LOCK).unlink(missing_ok=True)
            work.rmdir()


def _settle_old(old: Path, target: Path) -> None:
    if not os.path.lexists(target):
        old.rename(target)
        return
    mark = read_mark(old)
    if mark is None or _is_of_the_same_photo(target, mark):
        _remove_own(old, mark)
        _move_into(old, target)
    if old.exists():
        # Somebody put other things in the place meanwhile. Nothing is lost, and it can be seen.
        label = f"{old.parent.name.removeprefix(PREFIX)}{old.name.removeprefix(OLD)}"
        old.rename(target.with_name(f"{target.name[:60]}-kept-{label}"))


def _is_of_the_same_photo(target: Path, mark: Mark) -> bool:
    try:
        placed = read_mark(target)
    except InputError:
        return False
    return placed is not None and placed.photo == mark.photo


def _remove_own(folder: Path, mark: Mark | None) -> None:
    """Remove what fit3dmm wrote, the mark last: who is interrupted here can go on."""
    if mark is None:
        return
    for path in own_files(folder, mark) - {folder / MARK}:
        path.unlink()
    places = {place for name in mark.files for place in Path(name).parents if place.parts}
    for place in sorted(places, key=lambda place: -len(place.parts)):
        # Not empty where the user has added files.
        with contextlib.suppress(OSError):
            (folder / place).rmdir()
    (folder / MARK).unlink()


def _move_into(source: Path, target: Path) -> None:
    """Move what `source` holds, as far as `target` has no such names; it goes if it gets empty."""
    for entry in list(source.iterdir()):
        to = target / entry.name
        if not os.path.lexists(to):
            entry.rename(to)
        elif _is_folder(entry) and _is_folder(to):
            _move_into(entry, to)
    with contextlib.suppress(OSError):
        source.rmdir()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
