"""Where models are found: the one that ships, the user's own folder, and plain paths."""

import difflib
import os
import sys
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm._files import data_path

SHIPPED = "commons"


def user_folder() -> Path:
    """fit3dmm's folder of the user: `$FIT3DMM_HOME`, else the platform's place for data."""
    chosen = os.environ.get("FIT3DMM_HOME")
    if chosen:
        return Path(chosen)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "fit3dmm"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "fit3dmm"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "fit3dmm"


def models_folder() -> Path:
    """Where downloaded and converted models lie; a file `NAME.h5` there is the model NAME."""
    return user_folder() / "models"


def installed_models() -> dict[str, Path]:
    """Name and path of every model that `load_model` knows by name, the shipped one first."""
    own = {p.stem: p for p in sorted(models_folder().glob("*.h5")) if p.stem != SHIPPED}
    return {SHIPPED: data_path(f"{SHIPPED}.h5"), **own}


def find_model(source: str | Path) -> Path:
    """Path of a model given by path or by name.

    Raises:
        InputError: there is neither such a file nor a model of that name.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    if str(source) == SHIPPED:
        return data_path(f"{SHIPPED}.h5")
    own = models_folder() / f"{Path(source).name}.h5"
    if str(source) == own.stem and own.is_file():
        return own
    known = installed_models()
    near = difflib.get_close_matches(str(source), known, n=1)
    hint = f"did you mean {near[0]!r}" if near else f"known are {', '.join(known)}"
    raise InputError(
        f"There is no model file or model called {str(source)!r}: {hint}; "
        "`fit3dmm model download` and `fit3dmm model convert` add more."
    )
