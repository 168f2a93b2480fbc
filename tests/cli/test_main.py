"""How the program ends."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys
from fit3dmm.cli import main as module

class Loud:
    def __del__(self):
        print("taken apart")

loud, run = Loud(), module.main

def main():
    atexit.register(print, "registered for the end")
    return run()

module.main = main
sys.exit(module.program())
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["fot"], 2)])
def test_the_end_is_quick_and_leaves_nothing_out(words, code):
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True)
    assert done.returncode == code
    assert done.stdout.endswith("registered for the end\n")
    assert ("did you mean 'fit'?" in done.stderr) == (code == 2)


def test_a_failure_of_our_own_ends_as_python_does():
    code = "from fit3dmm.cli import main as m\nm.main = lambda: 1 / 0\nm.program()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
