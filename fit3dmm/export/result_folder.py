"""A folder of results, which appears whole or not at all and replaces its earlier self alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm.export.mark import PhotoIdentity, is_untouched, own_files, read_mark, write_mark
from fit3dmm.export.working import NEW, OLD, PREFIX, working_folder

# Two runs on one photo may exchange the same folder at once; each wins some time.
_TRIES = 20


@contextlib.contextmanager
def whole_folder(target: Path, photo: PhotoIdentity, settings: str = "") -> Iterator[Path]:
    """Give a folder to write a photo's result into; on success it becomes `target`, else it goes.

    An earlier result of the same photo is replaced: the files that its mark lists. What else the
    user keeps in that folder stays there, and so does a file that was changed since it was written.

    Args:
        target: the folder.
        photo: whose result it is.
        settings: digest of what makes it, for `is_made`.

    Raises:
        InputError: the place can't be written to; or `target` is there and is no earlier result of
            this photo; or it holds something of the user's by a name that the new result needs.
            Nothing has changed then.
    """
    # A link to a folder stays one.
    target = Path(os.path.realpath(target))
    check_replaceable(target, photo)
    try:
        with working_folder(target) as work:
            new = work / NEW
            new.mkdir()
            yield new
            write_mark(new, photo, settings)
            _exchange(work, target, photo)
    except OSError as error:
        raise InputError(
            f"Can't write to {target}: {error.strerror or error}; free some space or choose "
            "another folder, one that exists and is writable."
        ) from error


def check_replaceable(target: Path, photo: PhotoIdentity) -> None:
    """Say so before the work is done where the result could not be put in its place.

    Raises:
        InputError: `target` is there and is no earlier result of the photo, or can't be used.
    """
    if target.name.startswith(PREFIX):
        raise InputError(
            f"Names that start with {PREFIX} are for folders at work, and {target} is one: "
            "choose another name."
        )
    for path in (target, *target.parents):
        if os.path.lexists(path) and not path.is_dir():
            raise InputError(f"{path} is a file: choose another folder for the results.")
    if is_free(target):
        return
    mark = read_mark(target)
    if mark is None:
        raise InputError(
            f"{target} is there already and has no mark of fit3dmm's that says whose result it is: "
            "move or delete it (results of early versions have none), or choose another folder."
        )
    if mark.photo != photo:
        other = (
            f"the photo {mark.photo.name}"
            if mark.photo.name != photo.name
            else f"another photo called {photo.name}, or of this one before it was edited"
        )
        raise InputError(
            f"{target} holds the result of {other}: move or delete it, or choose another folder."
        )


def is_made(target: Path, photo: PhotoIdentity, settings: str) -> bool:
    """Whether the photo's result by these settings is there, with all its files as they were."""
    mark = read_mark(target)
    return (
        mark is not None
        and mark.photo == photo
        and mark.settings == settings
        and is_untouched(target, mark)
    )


def is_free(target: Path) -> bool:
    """Whether nothing is there, or an empty folder."""
    try:
        return not os.path.lexists(target) or (target.is_dir() and not any(target.iterdir()))
    except OSError:
        return False


def _exchange(work: Path, target: Path, photo: PhotoIdentity) -> None:
    """Put the new folder where the earlier one is, which is settled with the working folder."""
    for k in range(_TRIES):
        if os.path.lexists(target):
            check_replaceable(target, photo)
            _check_names(work / NEW, target)
            target.rename(work / f"{OLD}-{k}")
        try:
            (work / NEW).rename(target)
        except OSError:
            # Another run's result took the place between the two steps.
            if k + 1 == _TRIES or not os.path.lexists(target):
                raise
        else:
            return


def _check_names(new: Path, target: Path) -> None:
    """Refuse where the user's own file would have to go.

    Raises:
        InputError: says which.
    """
    own = own_files(target, read_mark(target))
    for path in sorted(new.rglob("*")):
        there = target / path.relative_to(new)
        if not os.path.lexists(there) or there in own:
            continue
        if not (path.is_dir() and there.is_dir() and not there.is_symlink()):
            raise InputError(
                f"{there} is yours, or was changed since fit3dmm wrote it: move or delete it, or "
                "choose another folder, for the new result has a file of that name."
            )
