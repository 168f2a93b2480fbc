"""Wall and processor time side by side."""

import time
from collections.abc import Callable

Action = Callable[[], tuple[float, float]]
"""Runs once and says its wall time and its processor time in seconds."""


def clocks() -> tuple[float, float]:
    """Wall and processor time, in seconds."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> tuple[float, float]:
    """What has passed since `clocks` gave `start`."""
    wall, processor = clocks()
    return wall - start[0], processor - start[1]
