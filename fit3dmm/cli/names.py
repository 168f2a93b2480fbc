"""What the folders of results are called."""

from pathlib import Path

from fit3dmm.export.working import PREFIX


def result_name(photo: Path) -> str:
    """The photo's name without its suffix, as far as a folder can be called so."""
    return _usable(photo.stem)


def _usable(name: str) -> str:
    # A photo called `..jpg` has the stem `.`, which would be the folder of all results.
    return f"_{name}" if name in ("", ".", "..") or name.startswith(PREFIX) else name
