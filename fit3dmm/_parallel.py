"""One process a core, each computing with one thread."""

import contextlib
import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
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
    function: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    jobs: int,
    prepare: Callable[[], object] | None = None,
) -> Iterator[tuple[int, Result]]:
    """Call `function(*task)` for every task; gives (place of the task, result) as they finish.

    Workers begin when it is called, and not when the first result is asked for.

    Args:
        function: at the top level of a module.
        tasks: arguments that survive pickling.
        jobs: processes. 1 runs in this process.
        prepare: imports and makes here what all tasks need. Workers are then copies of this process
            that have it, where that is safe: on Linux, while nothing else runs in this process (the
            locks of a thread would stay closed in the copy for ever). Elsewhere it is not called,
            and each worker imports and makes what its first task asks for.

    Raises:
        RuntimeError: a worker was killed, most often for want of memory.
    """
    if jobs == 1 or len(tasks) < 2:
        return ((place, function(*task)) for place, task in enumerate(tasks))
    method = "spawn"
    if prepare is not None and runs_alone():
        prepare()
        method = "fork" if runs_alone() else "spawn"
    with one_thread_each(), _told_of_killed_workers():
        pool = ProcessPoolExecutor(
            min(jobs, len(tasks)),
            mp_context=multiprocessing.get_context(method),
            initializer=_begin_worker,
        )
        try:
            places = {
                pool.submit(_call, function, *task): place for place, task in enumerate(tasks)
            }
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return _finished(pool, places)


def runs_alone() -> bool:
    """Whether this process has a single thread, Python's and libraries' own counted, where the
    system tells."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _finished(
    pool: ProcessPoolExecutor, places: Mapping[Future[Result], int]
) -> Iterator[tuple[int, Result]]:
    try:
        with _told_of_killed_workers():
            for future in as_completed(places):
                yield places[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextmanager
def _told_of_killed_workers() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise RuntimeError(
            "A worker process was killed, perhaps for want of memory: run the same command "
            "again with fewer --jobs; finished cases are kept."
        ) from error


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
        finally:
            # What it was made of may have threads of its own.
            if isinstance(items, Generator):
                items.close()

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
    # A copy has its parent's handlers, and must end where a process that began anew would.
    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    # The first task imports what it needs when it arrives, and what a copy has is never garbage.
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
