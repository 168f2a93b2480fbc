"""Results kept by the content of what they were made from, so that nothing is done twice."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fit3dmm._files import atomic_path
from fit3dmm.evaluate.protocol import Score


def store_score(folder: Path, key: str, score: Score) -> None:
    """Keep a score, but for its picture.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(folder / f"{key}.npz") as temporary:
        np.savez_compressed(
            temporary,
            numbers=np.array(json.dumps(score.numbers)),
            errors=np.asarray(score.errors, dtype=np.float64),
        )


def load_score(folder: Path, key: str) -> Score | None:
    """A kept score, or None."""
    path = folder / f"{key}.npz"
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as kept:
        return Score(json.loads(str(kept["numbers"])), kept["errors"])


def store_note(folder: Path, key: str, note: dict[str, Any]) -> None:
    """Keep a small record.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(folder / f"{key}.json") as temporary:
        temporary.write_text(json.dumps(note, indent=1), encoding="utf-8")


def load_note(folder: Path, key: str) -> dict[str, Any] | None:
    """A kept record, or None."""
    path = folder / f"{key}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
