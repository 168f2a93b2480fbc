"""Names for what results were made from: equal exactly where the contents are equal."""

import hashlib
from functools import lru_cache
from pathlib import Path

from fit3dmm._files import data_path

_TABLES = ("detector_errors.h5", "regressor.h5", "skin_jones_rehg.csv", "face_landmarker.task")
"""What a fit reads from data/ besides the model, whose file has a place of its own in the keys."""


def content_key(*parts: str | Path) -> str:
    """A name for a result: equal exactly where the strings and the files' contents are equal."""
    digest = hashlib.sha256()
    for part in parts:
        text = _file_digest(part) if isinstance(part, Path) else part
        # The length keeps ("ab", "c") and ("a", "bc") apart.
        digest.update(f"{len(text)}:{text}".encode())
    return digest.hexdigest()[:32]


def _file_digest(path: Path) -> str:
    state = path.stat()
    return _digest_of(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _digest_of(path: Path, size: int, mtime_ns: int) -> str:
    del size, mtime_ns  # they only tell the cache that the file is still the same
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@lru_cache(maxsize=1)
def code_digest() -> str:
    """Of fit3dmm's own source and tables: another build must not be taken for the one that made a
    result."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        # What only prints or measures changes no fit.
        if path.relative_to(package).parts[0] not in ("cli", "evaluate", "export", "synthetic"):
            digest.update(path.read_bytes())
    for name in _TABLES:
        digest.update(data_path(name).read_bytes())
    return digest.hexdigest()[:16]
