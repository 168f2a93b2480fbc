"""How the numba kernels of the renderer are compiled, and run on several threads.

Kernels are also marked `no_type_check`, because numba can't compile through the wrappers that the
tests put around every other function to check shapes.

A pool of Python threads rather than numba's own parallel loops: those compile three times longer,
end the process when two threads or a forked child use them at once, and spin under contention.
"""

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from numba import njit

# Kernels hold no interpreter lock, divide by zero as numpy does, and are compiled once a machine.
kernel = njit(cache=True, nogil=True, error_model="numpy")
inlined = njit(inline="always", error_model="numpy")


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
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="fit3dmm-render")
