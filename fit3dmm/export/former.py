"""What files of earlier versions call by other names, in today's words."""

from typing import Any


def config_today(saved: dict[str, Any]) -> dict[str, Any]:
    """The settings of a saved fit as a file of today holds them. Settings that this version has no
    more are left out, and those that it has in addition take their defaults."""
    return {**saved, "stages": [_stage(stage) for stage in saved["stages"]]}


def _stage(saved: dict[str, Any]) -> dict[str, Any]:
    solver = dict(saved["solver"])
    if "gradient" in solver:
        solver["gradient_tolerance"] = solver.pop("gradient")
    return {**saved, "solver": solver}
