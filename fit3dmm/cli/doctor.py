"""`fit3dmm doctor`: what is installed, what can't be used and why, and whether rendering works.

Each check imports what it needs: a broken package shall fail its own check, not all.
"""

import importlib.metadata
import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table

from fit3dmm._errors import InputError
from fit3dmm._version import __version__
from fit3dmm.cli.console import console


@dataclass(frozen=True)
class Doctor:
    """Check the installation: versions, devices, renderers, models, and a self-test."""

    def run(self) -> None:
        table = Table("", "", show_header=False, box=None, pad_edge=False)
        failures = []
        for check in (_versions, _devices, _renderers, _models, _self_test):
            for name, value in _tried(check, failures).items():
                table.add_row(name, value)
            table.add_section()
        console().print(table)
        if failures:
            raise InputError(f"{len(failures)} of the checks failed, see above.") from failures[0]


def _tried(check: Callable[[], dict[str, str]], failures: list[Exception]) -> dict[str, str]:
    """What a check says, or why it could not: a broken installation is what the others are for."""
    try:
        return check()
    except Exception as error:
        failures.append(error)
        name = check.__name__.strip("_").replace("_", "-")
        return {name: f"failed: {type(error).__name__}: {error}"}


def _versions() -> dict[str, str]:
    facts = {
        "fit3dmm": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
    }
    for package in required_packages():
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = f"missing: pip install {package}"
    return facts


def required_packages() -> list[str]:
    """Names of the packages that fit3dmm imports, as its own installation declares them."""
    wanted = importlib.metadata.requires("fit3dmm") or []
    names = [
        re.split(r"[^\w.-]", entry, maxsplit=1)[0] for entry in wanted if "extra ==" not in entry
    ]
    return sorted(names, key=str.lower)


def _devices() -> dict[str, str]:
    import torch

    policy = os.environ.get("OMP_WAIT_POLICY", "not set (PASSIVE is faster on busy machines)")
    facts = {
        "processor": f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads",
        "OMP_WAIT_POLICY": policy,
    }
    for k in range(torch.cuda.device_count()):
        facts[f"cuda:{k}"] = torch.cuda.get_device_name(k)
    if not torch.cuda.is_available():
        facts["cuda"] = "no device: pictures are rendered on the processor"
    return facts


def _renderers() -> dict[str, str]:
    from fit3dmm._kernels import CACHED
    from fit3dmm.render import cpu
    from fit3dmm.render.backend import unavailable_backends

    reasons = unavailable_backends()
    facts = {f"renderer {name}": reasons.get(name, "ready") for name in ("cpu", "nvdiffrast")}
    was_cached = cpu.kernels_cached()
    seconds = cpu.warm_up()
    if not CACHED:
        facts["kernels"] = f"compiled in {seconds:.1f} s, as at every run: nothing can be kept"
    else:
        done = "loaded from" if was_cached else "compiled, once on this machine, into"
        facts["kernels"] = f"{done} {cpu.kernel_cache()} in {seconds:.1f} s"
    return facts


def _models() -> dict[str, str]:
    from fit3dmm.model.library import installed_models

    return {f"model {name}": str(path) for name, path in installed_models().items()}


def _self_test() -> dict[str, str]:
    from fit3dmm.cli.self_test import draw_ball_twice

    return {"self-test": f"passed: {draw_ball_twice()}"}


COMMAND = Doctor
