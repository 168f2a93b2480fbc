import gc
import subprocess
import sys
import weakref

from fit3dmm import _collector
from fit3dmm._parallel import run_in_parallel

ALONE = """
import gc
from fit3dmm import _collector
with _collector.resting():
    assert not gc.isenabled()
    import json
assert gc.isenabled() and gc.get_freeze_count() > 1000
"""


class Knot:
    """Garbage that counting references does not find."""

    def __init__(self):
        self.own = self


def collects(_):
    knot = weakref.ref(Knot())
    gc.collect()
    return gc.isenabled(), knot() is None, gc.get_freeze_count()


def test_what_was_imported_is_left_alone_from_then_on():
    subprocess.run([sys.executable, "-c", ALONE], check=True)


def test_who_rests_within_a_rest_ends_neither():
    _collector.rest()
    try:
        with _collector.resting():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_workers_collect_what_their_tasks_leave():
    before = gc.get_freeze_count()
    for _, (enabled, gone, frozen) in run_in_parallel(collects, [(0,), (1,), (2,)], jobs=2):
        assert enabled
        assert gone
        assert frozen > 1000
    # What was frozen may have gone since.
    assert gc.get_freeze_count() <= before
