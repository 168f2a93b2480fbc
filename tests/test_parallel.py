import os

import pytest

from fit3dmm._parallel import run_in_parallel


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
