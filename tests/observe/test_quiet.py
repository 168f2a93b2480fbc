"""Native notes are muted from several threads, after a fork and without a standard error."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from fit3dmm.observe.quiet import native_stderr_muted


def _target() -> tuple[int, int]:
    """What file descriptor 2 leads to."""
    status = os.fstat(2)
    return status.st_dev, status.st_ino


def test_threads_leave_standard_error_as_it_was():
    before = _target()
    nowhere = Path(os.devnull).stat()
    barrier = threading.Barrier(4)
    inside = []

    def mute(k: int) -> None:
        barrier.wait()
        for _ in range(50):
            with native_stderr_muted():
                inside.append(_target())

    threads = [threading.Thread(target=mute, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _target() == before
    assert set(inside) == {(nowhere.st_dev, nowhere.st_ino)}


def test_it_ends_when_what_is_inside_fails():
    before = _target()
    with pytest.raises(KeyError), native_stderr_muted(), native_stderr_muted():
        raise KeyError
    assert _target() == before


_DETECT = """
import os, sys
{first}
from fit3dmm._files import data_path
from fit3dmm.observe import FaceDetector, read_photo
photo = read_photo(data_path("examples/astronaut.png"))
with FaceDetector() as detector:
    print(len(detector.detect(photo)))
    {then}
"""


@pytest.mark.parametrize("first", ["", "sys.stderr = None", "os.close(2)"])
def test_detects_quietly_and_without_standard_error(first):
    script = _DETECT.format(first=first, then="")
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n", "")


_FORK = """child = os.fork()
    if not child:
        print(len(detector.detect(photo)))
        sys.exit(0)
    print(os.waitpid(child, 0)[1])"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
def test_detector_of_the_parent_serves_a_forked_worker():
    script = _DETECT.format(first="sys.stdout.reconfigure(line_buffering=True)", then=_FORK)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=90
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "1\n1\n0\n", "")
