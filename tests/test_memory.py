import subprocess
import sys

import pytest

_PROGRAM = """
import resource, sys
from fit3dmm._memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
size = 48 << 20
bytearray(size)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    bytes(bytearray(size))
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="it is about glibc")
def test_pages_are_asked_for_once():
    def faults(how: str) -> int:
        run = subprocess.run(
            [sys.executable, "-c", _PROGRAM, how], capture_output=True, text=True, check=True
        )
        return int(run.stdout)

    assert faults("keep") < 0.5 * faults("give back")
