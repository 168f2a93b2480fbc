import numba
import pytest


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine are slower than one."""
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    yield
    numba.set_num_threads(before)
