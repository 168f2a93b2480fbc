import contextlib
import ctypes
import dataclasses
import gc

import pytest
import torch

from fit3dmm.model.files import load_model
from fit3dmm.synthetic.generate import make_case
from fit3dmm.synthetic.specification import specify

# glibc's names of what its allocator may be told (malloc.h).
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def pytest_configure() -> None:
    """Each process takes one thread: xdist has one for each core, and threads that wait for each
    other on a busy machine are slower than one. Tests of threads ask for them.

    Memory that is freed is kept for what comes next: to give arrays of some MB back to the system
    and to ask for them again takes a tenth of the time of a fit, and more of an export's.
    """
    torch.set_num_threads(1)
    # Other systems have other allocators.
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def pytest_collection_finish() -> None:
    """What was imported stays: to look through it for rubbish again and again takes a twentieth of
    the time."""
    gc.freeze()


@pytest.fixture(scope="session")
def commons():
    return load_model()


@pytest.fixture(scope="session")
def small_case():
    """Small pictures are made as large ones are, in a fifth of the time."""
    spec = dataclasses.replace(specify(0, 1), width_px=160, height_px=200, occluder="fringe")
    return make_case(spec)
