import os
import threading

import pytest

from fit3dmm._parallel import run_in_parallel, worked_ahead


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


def test_what_is_worked_ahead_comes_in_order_and_fails_in_its_place():
    def items():
        yield from range(5)
        raise ValueError("the sixth")

    found = worked_ahead(items(), 2)
    assert [next(found) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="the sixth"):
        next(found)
    assert list(worked_ahead(iter([None, 0]), 1)) == [None, 0]


def test_who_stops_listening_ends_the_thread():
    made = []

    def items():
        for k in range(1000):
            made.append(k)
            yield k

    before = threading.active_count()
    found = worked_ahead(items(), 2)
    assert next(found) == 0
    found.close()
    assert threading.active_count() == before
    assert len(made) < 10
