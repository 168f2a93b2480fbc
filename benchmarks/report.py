"""What a benchmark found: metrics with their noise, on which machine, from which code."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from fit3dmm._files import atomic_path

REPOSITORY = Path(__file__).resolve().parents[1]
_PACKAGES = ("fit3dmm", "torch", "numpy", "scipy", "numba", "mediapipe", "deodr", "nvdiffrast")
_FORMAT = 1

Statistic = Literal["mean", "median"]


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    name: str
    value: float
    unit: str
    lower_is_better: bool | None = True
    """None where neither is: a count that only describes."""
    noise: float = 0.01
    """Relative change that means nothing. For times it comes from the spread of the repeats."""
    group: str = ""
    """Table that it stands in. There, metrics named `row: column` share a row."""
    details: Mapping[str, float] = field(default_factory=dict)
    """Other statistics of the same quantity, in the same unit."""
    note: str = ""
    """What must be known to read it rightly."""
    cases: Mapping[str, float] = field(default_factory=dict)
    """Each case's number, where `value` is a statistic over cases: two runs are then compared case
    by case."""
    statistic: Statistic = "mean"
    """Which one."""

    @property
    def is_time(self) -> bool:
        """Whether it depends on how fast the machine is."""
        return self.unit in ("s", "ms")


@dataclass(frozen=True)
class Report:
    """One run of one benchmark."""

    name: str
    command: str
    seed: int
    commit: str | None
    """As `measured_commit` gives it."""
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    calibration_s: float
    """Time of `harness.reference_workload`: the speed of this machine as it was during the run."""
    metrics: tuple[Metric, ...]
    format: int = _FORMAT

    def groups(self) -> dict[str, list[Metric]]:
        """The metrics by the table that they stand in, in order."""
        found: dict[str, list[Metric]] = {}
        for metric in self.metrics:
            found.setdefault(metric.group, []).append(metric)
        return found

    def __getitem__(self, name: str) -> Metric:
        """The metric of a name.

        Raises:
            KeyError: there is none.
        """
        for metric in self.metrics:
            if metric.name == name:
                return metric
        raise KeyError(f"The report on {self.name!r} has no metric {name!r}.")


def write_report(report: Report, path: Path) -> None:
    """As JSON."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(asdict(report), indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> Report:
    """Read what `write_report` wrote.

    Raises:
        ValueError: it is of another format.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    if record.get("format") != _FORMAT:
        raise ValueError(
            f"Expected a report of format {_FORMAT} in {path}, got {record.get('format')}: "
            "measure it again with --json."
        )
    metrics = tuple(Metric(**metric) for metric in record.pop("metrics"))
    return Report(**record, metrics=metrics)


def describe_machine() -> dict[str, Any]:
    """What decides how fast this machine is, and who is at fault if it is slow."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load average": [round(load, 2) for load in os.getloadavg()],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Of the packages that decide figures, as far as they are installed."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue  # an optional one, or a rival that is not installed
    return found


def measured_commit() -> str | None:
    """Short hash, with `+` after it where package or data differ from it; None without git."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", "fit3dmm", "data")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None
