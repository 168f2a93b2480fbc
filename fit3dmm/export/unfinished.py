"""What a run on a video has done so far, so that one that was killed can be gone on with."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from fit3dmm._errors import InputError
from fit3dmm.export.picture import write_bytes
from fit3dmm.export.track_file import load_learned, load_part, save_learned, save_part
from fit3dmm.export.working import PREFIX
from fit3dmm.fitting.tracking.learn import Learned
from fit3dmm.fitting.tracking.segments import Resumption, Segment

_KEY, _LOCK, _LEARNED = "key", "lock", "learned.h5"


class Unfinished:
    """A hidden folder beside that of the result; see `unfinished`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def learned(self) -> Learned | None:
        """What the key frames told, if an earlier run came so far."""
        with contextlib.suppress(InputError):
            return load_learned(self._folder / _LEARNED)
        return None

    def keep_learned(self, learned: Learned) -> None:
        save_learned(self._folder / _LEARNED, learned)

    def parts(self) -> Iterator[tuple[Segment, Resumption]]:
        """Finished frames of earlier runs, from the first on; what is damaged ends them."""
        expected = 0
        with contextlib.suppress(InputError):
            while (path := self._part(expected)).is_file():
                segment, resumption = load_part(path)
                yield segment, resumption
                expected = resumption.next

    def keep(self, segment: Segment, resumption: Resumption) -> None:
        save_part(self._part(segment.first), segment, resumption)

    def _part(self, first: int) -> Path:
        return self._folder / f"part-{first:07}.h5"


@contextlib.contextmanager
def unfinished(target: Path, key: str) -> Iterator[Unfinished]:
    """Give what earlier runs have done; it goes when the block ends well, and stays when not.

    Args:
        target: where the result shall lie.
        key: equal for runs that make the same; what others have done is thrown away.

    Raises:
        InputError: another run is at work on this result, or the place can't be written to.
    """
    folder = target.parent / f"{PREFIX}track-{target.name}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"Another run is tracking into {target}: wait for it, or choose another folder."
        ) from error
    except OSError as error:
        raise InputError(
            f"Can't write to {target.parent}: {error.strerror or error}; choose another folder."
        ) from error
    try:
        _begin(folder, key)
        yield Unfinished(folder)
    except BaseException:
        # Where nothing was learned there is nothing to go on with.
        _end(folder, lock, keep=(folder / _LEARNED).is_file())
        raise
    _end(folder, lock, keep=False)


def _end(folder: Path, lock: FileLock, keep: bool) -> None:
    lock.release()
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: Path, key: str) -> None:
    """Throw away what was made of another video or by other settings."""
    path = folder / _KEY
    if path.is_file() and path.read_text(encoding="ascii", errors="replace") == key:
        return
    for old in (path, folder / _LEARNED, *folder.glob("part-*.h5")):
        old.unlink(missing_ok=True)
    write_bytes(key.encode("ascii"), path)
