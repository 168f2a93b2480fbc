"""Where data lies that tests and benchmarks use but that is no part of the project."""

import os
from pathlib import Path

import pytest


def shared(name: str) -> Path:
    """Path of a shared file or folder; skips the test where it is missing.

    The folder is `$FIT3DMM_SHARED`, else `shared/` beside the repository.
    """
    beside = Path(__file__).resolve().parents[2] / "shared"
    path = Path(os.environ.get("FIT3DMM_SHARED") or beside) / "data" / name
    if not path.exists():
        pytest.skip(f"needs {name} of the shared test data, which is not on this machine")
    return path
