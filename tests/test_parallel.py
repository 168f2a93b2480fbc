import os
import signal
import subprocess
import sys
import threading

import pytest

from fit3dmm._parallel import run_in_parallel, runs_alone, worked_ahead

prepared = []


def prepare():
    prepared.append(os.getpid())


def who_prepared(_):
    return list(prepared), os.getpid(), signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def square(x):
    return x * x, os.environ.get("NUMBA_NUM_THREADS")


def die(x):
    os._exit(3 + x)


def test_every_task_is_done_once_by_workers_of_one_thread():
    before = os.environ.get("NUMBA_NUM_THREADS")
    results = dict(run_in_parallel(square, [(k,) for k in range(6)], jobs=2))
    assert results == {k: (k * k, "1") for k in range(6)}
    assert os.environ.get("NUMBA_NUM_THREADS") == before


def test_one_job_runs_here():
    assert dict(run_in_parallel(square, [(3,), (4,)], jobs=1))[1][0] == 16


def test_a_killed_worker_says_what_to_do():
    with pytest.raises(RuntimeError, match="finished cases are kept"):
        list(run_in_parallel(die, [(0,), (1,)], jobs=2))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no process is copied here")
def test_workers_are_copies_of_a_process_that_prepared_and_runs_alone():
    script = (
        "import os, signal, tests.test_parallel as here\n"
        "signal.signal(signal.SIGTERM, lambda *_: None)\n"
        "found = list(here.run_in_parallel(here.who_prepared, [(0,), (1,)], 2, here.prepare))\n"
        "assert all(told == [os.getpid()] != [worker] for _, (told, worker, _) in found), found\n"
        "assert all(ends for _, (_, _, ends) in found), found\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_workers_begin_anew_where_a_thread_runs():
    prepared.clear()
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        assert not runs_alone()
        found = list(run_in_parallel(who_prepared, [(0,), (1,)], 2, prepare))
    finally:
        ended.set()
        thread.join()
    assert [told for _, (told, _, _) in found] == [[], []]


def test_what_is_worked_ahead_comes_in_order_and_fails_in_its_place():
    def items():
        yield from range(5)
        raise ValueError("the sixth")

    found = worked_ahead(items(), 2)
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the sixth"):
        next(found)
    assert list(worked_ahead(iter([None, 0]), 1)) == [None, 0]


def test_who_stops_listening_ends_the_threads_behind_the_thread():
    closed = []

    def through():
        inner = worked_ahead(iter(range(1000)), 2)
        try:
            yield from inner
        finally:
            inner.close()
            closed.append(True)

    before = set(threading.enumerate())
    found = worked_ahead(through(), 2)
    assert [next(found), next(found)] == [0, 1]
    assert len(set(threading.enumerate()) - before) == 2
    found.close()
    assert closed
    assert not set(threading.enumerate()) - before


def test_who_stops_listening_ends_the_thread():
    made = []

    def items():
        for k in range(1000):
            made.append(k)
            yield k

    # Threads of earlier tests may end meanwhile.
    before = set(threading.enumerate())
    found = worked_ahead(items(), 2)
    assert next(found) == 0
    assert set(threading.enumerate()) - before
    found.close()
    assert not set(threading.enumerate()) - before
    assert len(made) < 10
