"""Python's collector of garbage, kept from looking through what was imported.

Modules, classes and functions stay as long as the process. To find that out the collector goes
through all of them again and again while they are loaded, and once more whenever it is thorough:
with torch that takes a tenth of a command that fits one photo.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def rest() -> None:
    """Collect nothing from here on, until `work`."""
    gc.disable()


def work() -> None:
    """Collect what becomes garbage from here on, and never look at what is there already.

    In a process that rested since it began; in others, nothing changes.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


@contextmanager
def resting() -> Iterator[None]:
    """Rest within, where imports are all that is done."""
    if not gc.isenabled():
        yield
        return
    rest()
    try:
        yield
    finally:
        work()
