"""The folder that an evaluation writes to: what is not its own there is never replaced."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fit3dmm._errors import InputError
from fit3dmm._files import MARK, atomic_path

_FORMAT = "fit3dmm-evaluation-folder"


def claim_folder(out: Path, evaluation: str, names: Sequence[str]) -> None:
    """Make names in `out` an evaluation's own, before it writes them.

    The mark in the folder says whose it is and which names were claimed there; the same evaluation
    can go on in it as often as one likes.

    Raises:
        InputError: `out` belongs to something else, or one of the names is there and nobody's; or
            the folder can't be written to. Nothing has changed then.
    """
    owned = check_folder(out, evaluation, names)
    if not ((out / MARK).exists() and owned >= set(names)):
        content = {
            "format": _FORMAT,
            "format_version": 1,
            "evaluation": evaluation,
            "names": sorted(owned | set(names)),
        }
        with atomic_path(out / MARK) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")


def check_folder(out: Path, evaluation: str, names: Sequence[str]) -> set[str]:
    """Say so before the work is done where `claim_folder` would refuse; the names that it owns.

    Raises:
        InputError: as there.
    """
    mark = _read(out / MARK)
    if mark is None:
        owned = _owned_without_mark(out, evaluation, names)
    elif mark.get("format") == _FORMAT and mark.get("evaluation") == evaluation:
        owned = {str(name) for name in mark.get("names", ())}
    else:
        other = mark.get("evaluation", "a fit")
        raise InputError(f"{out} holds results of {other}: choose another folder.")
    for name in names:
        if name not in owned and os.path.lexists(out / name):
            raise InputError(
                f"{out / name} is there already and would be replaced: move it, or choose another "
                "folder for the results."
            )
    return owned


def _owned_without_mark(out: Path, evaluation: str, names: Sequence[str]) -> set[str]:
    """What an evaluation of a version without marks left, which its summary tells."""
    summary = _read(out / "summary.json") or {}
    if not str(summary.get("format", "")).startswith("fit3dmm-"):
        return set()
    if summary.get("protocol", evaluation) != evaluation:
        return set()
    # The folder of predictions may be the user's own: those that were fitted have notes.
    fitted = (out / "predictions" / ".fits").is_dir()
    return {name for name in names if name != "predictions" or fitted}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
