"""How many threads torch uses here, and what becomes of them in a forked process."""

import contextlib
import os
from collections.abc import Iterator

import torch

_forked = False


@contextlib.contextmanager
def torch_threads(n: int | None) -> Iterator[None]:
    """Use `n` threads within, and as many as before after; None changes nothing.

    A forked process stays at one thread, whatever `n`.
    """
    before = torch.get_num_threads()
    try:
        if n is not None and not _forked:
            torch.set_num_threads(n)
        yield
    finally:
        if not _forked:
            torch.set_num_threads(before)


def _after_fork() -> None:
    # A fork copies one thread. The OpenMP library of torch's wheels still believes in the helpers
    # of the parent and waits for them for ever in the child, unless it is to use none.
    global _forked
    _forked = True
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
