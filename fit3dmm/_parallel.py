"""One process a core, each computing with one thread."""

import contextlib
import multiprocessing
import os
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from fit3dmm import _collector

Result = TypeVar("Result")
Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how many are done, and how many there are."""

_ONE_THREAD = {
    "NUMBA_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def available_cores() -> int:
    """Cores that this process may use; containers often allow fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_in_parallel(
    function: Callable[..., Result], tasks: Sequence[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[int, Result]]:
    """Call `function(*task)` for every task; yields (place of the task, result) as they finish.

    Args:
        function: at the top level of a module.
        tasks: arguments that survive pickling.
        jobs: processes. 1 runs in this process.

    Raises:
        RuntimeError: a worker was killed, most often for want of memory.
    """
    if jobs == 1 or len(tasks) < 2:
        for place, task in enumerate(tasks):
            yield place, function(*task)
        return
    with one_thread_each():
        pool = ProcessPoolExecutor(
            min(jobs, len(tasks)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin_worker,
        )
        try:
            places = {
                pool.submit(_call, function, *task): place for place, task in enumerate(tasks)
            }
            for future in as_completed(places):
                yield places[future], future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "A worker process was killed, perhaps for want of memory: run the same command "
                "again with fewer --jobs; finished cases are kept."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Processes that are started within compute with one thread.

    Threads of a library must be limited before it is loaded, so through the environment that the
    new processes inherit.
    """
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def worked_ahead(items: Iterator[Result], n: int) -> Generator[Result, None, None]:
    """The same items, of which a thread makes up to `n` before they are asked for.

    What makes them must let other threads run, as PyTorch, MediaPipe and FFmpeg do while they
    compute. An exception comes where its item would; the thread ends when the iterator is closed.
    """
    ready: queue.Queue[tuple[bool, Any]] = queue.Queue(n)
    closed = threading.Event()

    def put(is_item: bool, what: Any) -> bool:
        while not closed.is_set():
            with contextlib.suppress(queue.Full):
                ready.put((is_item, what), timeout=0.1)
                return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(True, item):
                    return
            put(False, None)
        except BaseException as error:
            put(False, error)

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while True:
            is_item, what = ready.get()
            if is_item:
                yield what
            elif what is None:
                return
            else:
                raise what
    finally:
        closed.set()
        thread.join()


def _begin_worker() -> None:
    end_with_the_parent()
    # The first task imports what it needs when it arrives.
    _collector.rest()


def _call(function: Callable[..., Result], *task: Any) -> Result:
    _collector.work()
    return function(*task)


def end_with_the_parent() -> None:
    """For a worker to call first. Workers hold both ends of their queue, so they would wait for a
    killed parent for ever."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
