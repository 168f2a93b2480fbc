"""How numba kernels are compiled, kept, and run on several threads; the only door to numba.

Kernels are also marked `no_type_check`, because numba can't compile through the wrappers that the
tests put around every other function to check shapes.

A pool of Python threads rather than numba's own parallel loops: those compile three times longer,
end the process when two threads or a forked child use them at once, and spin under contention.
"""

import functools
import logging
import os
import stat
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numba
import torch

_CHUNK = 256
"""Rows of one job: of one size, so that the number of threads changes nothing."""


def _nothing() -> None:
    """What a cache is asked for on trial."""


def _has_cache() -> bool:
    # A user without a home folder has numba write to a folder called `~` in the current one.
    if not (os.environ.get("NUMBA_CACHE_DIR") or os.access(Path(__file__).parent, os.W_OK)):
        try:
            Path.home()
        except RuntimeError:
            return False
    # numba looks for a place to write when a function is decorated, and raises where there is none.
    try:
        numba.njit(cache=True)(_nothing)
    except RuntimeError:
        return False
    return True


def _temporary_cache() -> Path | None:
    """A folder for compiled kernels that only this user can write to; None where there is none.

    It has one name for each user, so that the next run need not compile again. What lies in it is
    executed, so a folder that others could have made or filled is not used.
    """
    user = os.getuid() if hasattr(os, "getuid") else os.getpid()
    try:
        folder = Path(tempfile.gettempdir()) / f"fit3dmm-kernels-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
    except OSError:
        return None
    own = stat.S_ISDIR(state.st_mode) and state.st_uid == user and not state.st_mode & 0o077
    return folder if own or os.name == "nt" else None


def _settle_cache() -> bool:
    """Find a place for compiled kernels before one is decorated; False where there is none."""
    if _has_cache():
        return True
    folder = _temporary_cache()
    if folder is not None:
        # Worker processes inherit the one; numba is loaded already and reads the other.
        os.environ["NUMBA_CACHE_DIR"] = numba.config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]
    usable = folder is not None and _has_cache()
    where = f"in {folder}" if usable else "for this run only"
    # Without a handler of the application's, one line on stderr.
    logging.getLogger("fit3dmm").warning(
        "fit3dmm: can't keep compiled code beside the package or in a home folder, so it is kept "
        "%s; set NUMBA_CACHE_DIR to a folder of your own to choose another.",
        where,
    )
    return usable


CACHED = _settle_cache()
"""Whether compiled kernels are kept from run to run."""

# Kernels hold no interpreter lock, divide by zero as numpy does, and are compiled once a machine.
kernel = numba.njit(cache=CACHED, nogil=True, error_model="numpy")
inlined = numba.njit(inline="always", error_model="numpy")


def run_jobs(kernel: Callable[..., Any], jobs: Iterable[tuple[Any, ...]]) -> None:
    """Call `kernel(*job)` for every job, on as many threads as torch uses.

    Jobs must write to different memory; then the result doesn't depend on the number of threads.
    """
    waiting = deque(jobs)
    n_helpers = min(torch.get_num_threads(), len(waiting)) - 1
    if n_helpers < 1:
        _work(kernel, waiting)
        return
    helpers = _pool(os.getpid())
    futures = [helpers.submit(_work, kernel, waiting) for _ in range(n_helpers)]
    _work(kernel, waiting)
    for future in futures:
        future.result()


def run_rows(kernel: Callable[..., Any], n_rows: int, *arguments: Any) -> None:
    """Call `kernel(first, end, *arguments)` for pieces of the rows, as `run_jobs` does."""
    starts = range(0, n_rows, _CHUNK)
    run_jobs(kernel, [(start, min(start + _CHUNK, n_rows), *arguments) for start in starts])


def _work(kernel: Callable[..., Any], waiting: deque[tuple[Any, ...]]) -> None:
    while True:
        # Popping a deque is atomic, asking whether it is empty and then popping is not.
        try:
            job = waiting.popleft()
        except IndexError:
            return
        kernel(*job)


@functools.cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Helper threads of this process; a forked child has lost its parent's and makes its own."""
    del process
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="fit3dmm-kernel")
