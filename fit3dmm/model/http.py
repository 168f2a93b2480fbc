"""Fetching a file over HTTP, going on where an earlier attempt broke off."""

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from fit3dmm._errors import InputError
from fit3dmm._version import __version__

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes in all, None where the server does not say."""

_CHUNK = 1 << 18
_ATTEMPTS = 4
_TIMEOUT_S = 30.0


def fetch(url: str, target: Path, progress: Progress | None = None, pause_s: float = 1.0) -> str:
    """Bring a file here, going on from `target` + `.part` where an earlier attempt broke off.

    Args:
        url: of the file.
        target: where it shall lie.
        progress: is told how far it is.
        pause_s: wait before the second attempt; each further one waits twice as long.

    Returns:
        The SHA-256 of the whole file.

    Raises:
        InputError: the server can't be reached or refuses, or the transfer keeps breaking off.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.part")
    report = progress or (lambda done, total: None)
    reason: object = "the transfer broke off"
    for attempt in range(_ATTEMPTS):
        if attempt > 0:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            if _attempt(url, partial, report):
                partial.replace(target)
                return sha256(target)
        except urllib.error.HTTPError as error:
            if error.code != 416:
                raise InputError(
                    f"{url} answers {error.code} ({error.reason}): the file has moved or is not "
                    "open to you; get it by hand and run `fit3dmm model convert` on it."
                ) from error
            # What is here is not a beginning of what is there: start again.
            partial.unlink(missing_ok=True)
        except urllib.error.URLError as error:
            reason = error.reason
        except (http.client.HTTPException, OSError) as error:
            reason = error
    kept = partial.stat().st_size if partial.exists() else 0
    raise InputError(
        f"{url} can't be fetched ({reason}): check the network or the proxy and run the same "
        f"command again, it goes on from the {kept / 1e6:.1f} MB that are here; or get the file by "
        "hand and run `fit3dmm model convert` on it."
    )


def sha256(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_space(folder: Path, needed_bytes: int) -> None:
    """Refuse before the first byte rather than after the last.

    Raises:
        InputError: the disk has less room than needed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise InputError(
            f"{folder} has {free / 1e6:.0f} MB free, {needed_bytes / 1e6:.0f} MB are needed: "
            "free some space or point FIT3DMM_HOME elsewhere."
        )


def _attempt(url: str, partial: Path, report: Progress) -> bool:
    """Read on to the end; False where the connection ended early."""
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"User-Agent": f"fit3dmm/{__version__}"}
    if have > 0:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
        if have > 0 and answer.status != 206:
            # The server sends the whole file whatever was asked.
            have = 0
        length = answer.headers.get("Content-Length")
        total = have + int(length) if length else None
        report(have, total)
        with partial.open("ab" if have > 0 else "wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                report(have, total)
    return total is None or have == total
