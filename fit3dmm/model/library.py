"""Where models are found: the one that ships, the user's own folder, and plain paths."""

import contextlib
import difflib
import os
import sys
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm._files import data_path

SHIPPED = "commons"
_FREE = ("ict", "gnm")
_OF_OWN_FILES = ("bfm2009", "bfm2017", "bfm2019", "flame")
"""Names that models have which are not there yet."""


def user_folder() -> Path:
    """fit3dmm's folder of the user: `$FIT3DMM_HOME`, else the platform's place for data.

    Raises:
        InputError: the user has no home folder, as in some containers and services.
    """
    chosen = os.environ.get("FIT3DMM_HOME")
    if chosen:
        return Path(chosen)
    try:
        home = Path.home()
    except RuntimeError as error:
        raise InputError(
            "This user has no home folder to keep models in: set FIT3DMM_HOME to a folder."
        ) from error
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "fit3dmm"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "fit3dmm"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "fit3dmm"


def cache_folder() -> Path | None:
    """Where things lie that can be made again: `$FIT3DMM_HOME/cache`, else the platform's place for
    them; None for a user without a home folder."""
    if os.environ.get("FIT3DMM_HOME"):
        return user_folder() / "cache"
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "fit3dmm"
    if sys.platform == "win32":
        return user_folder() / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "fit3dmm"


def models_folder() -> Path:
    """Where downloaded and converted models lie; a file `NAME.h5` there is the model NAME.

    Raises:
        InputError: as `user_folder`.
    """
    return user_folder() / "models"


def installed_models() -> dict[str, Path]:
    """Name and path of every model that `load_model` knows by name, the shipped one first."""
    own = {path.stem: path for path in _own_models() if path.stem != SHIPPED}
    return {SHIPPED: data_path(f"{SHIPPED}.h5"), **own}


def _own_models() -> list[Path]:
    """Files of the user's folder; none where there is none, or it can't be looked into."""
    try:
        return sorted(models_folder().glob("*.h5"))
    except (InputError, OSError):
        return []


def find_model(source: str | Path) -> Path:
    """Path of a model given by path or by name.

    Raises:
        InputError: there is neither such a file nor a model of that name.
    """
    path = Path(source)
    with contextlib.suppress(RuntimeError):  # of a user without a home folder
        path = path.expanduser()
    if path.is_file():
        return path
    if str(source) == SHIPPED:
        return data_path(f"{SHIPPED}.h5")
    known = installed_models()
    if str(source) in known:
        return known[str(source)]
    near = difflib.get_close_matches(str(source), known, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(known)}"
    more = "`fit3dmm model download` and `fit3dmm model convert` add more"
    if str(source) in _FREE:
        more = f"`fit3dmm model download {source}` gets it"
    elif str(source) in _OF_OWN_FILES:
        more = f"`fit3dmm model convert FILES` makes {source} of the files that its makers gave you"
    raise InputError(f"There is no model file or model called {str(source)!r}: {hint}; {more}.")
