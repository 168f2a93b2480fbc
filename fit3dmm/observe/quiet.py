"""Keeping the notes of native libraries off the terminal, from several threads at once."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_STDERR = 2
_lock = threading.Lock()
_n_inside = 0
_saved = -1


@contextlib.contextmanager
def native_stderr_muted() -> Iterator[None]:
    """Send what is written to file descriptor 2 nowhere, until the last thread has left.

    For libraries that know no log level: MediaPipe's C++ side writes its start-up notes to the
    descriptor whatever GLOG_minloglevel, TF_CPP_MIN_LOG_LEVEL and their like say. Python's own
    standard error shares the descriptor, so what is done inside should be short.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _n_inside, _saved
    with _lock:
        if _n_inside == 0:
            _saved = _muted()
        _n_inside += 1


def _leave() -> None:
    global _n_inside
    with _lock:
        _n_inside -= 1
        if _n_inside == 0 and _saved >= 0:
            os.dup2(_saved, _STDERR)
            os.close(_saved)


def _muted() -> int:
    """A copy of descriptor 2, which now leads nowhere; -1 where it led nowhere before."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):
            # A stream whose other end is closed can't be flushed, and then has nothing to lose.
            sys.stderr.flush()
    try:
        saved = os.dup(_STDERR)
    except OSError:
        # Services run without standard error. The next file to be opened would get its number, and
        # then the notes, so it stays taken.
        saved = -1
    silence = os.open(os.devnull, os.O_WRONLY)
    if silence != _STDERR:
        os.dup2(silence, _STDERR)
        os.close(silence)
    return saved


def _after_fork() -> None:
    """A child has one thread, whichever its parent had inside."""
    global _lock, _n_inside
    _lock = threading.Lock()
    if _n_inside and _saved >= 0:
        os.dup2(_saved, _STDERR)
        os.close(_saved)
    _n_inside = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
