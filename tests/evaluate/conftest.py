import pytest

from fit3dmm._threads import torch_threads


@pytest.fixture(autouse=True)
def one_thread():
    """Threads that wait for each other on a busy machine are slower than one."""
    with torch_threads(1):
        yield
