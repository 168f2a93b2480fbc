"""Memory that a process has been given stays with it."""

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the C library keep what is freed for what is asked for next.

    By itself glibc gives each large tensor back to the system, which clears its pages before it
    hands them out again: in the training of a network on a processor that takes as long as the
    computation, and a twentieth of the time of fits and their files. Elsewhere nothing happens. For
    processes that do one thing and end, because a peak of memory stays.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, _NEVER)
