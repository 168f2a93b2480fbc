"""How long scoring takes: cases of NoW's size, from the files to the numbers, on one core.

    python benchmarks/run_scoring.py [--cases 100] [--json benchmarks/results/scoring.json]

A scan is the Commons head at level 2 (60,650 vertices) with seeded smooth bumps; a prediction is
the head at level 1 (30,096 triangles) with other bumps, turned, shifted and in another unit. Each
case reads both files, crops, aligns, refines and measures, as `fit3dmm evaluate now` does. The
first case, which compiles or loads compiled code, is timed by itself. On a machine that others use
too, the processor time is the number to look at.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numba
import numpy as np

from fit3dmm.evaluate.mesh import Mesh
from fit3dmm.evaluate.mesh_files import write_obj
from fit3dmm.evaluate.now import Now
from fit3dmm.evaluate.predictions import save_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel

_SCANS = 10


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    name: str
    value: float
    unit: str
    lower_is_better: bool = True


def main() -> None:
    arguments = _arguments()
    numba.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        cases = _make(Path(folder), arguments.cases)
        seconds, busy_seconds, points = [], [], []
        protocol = Now()
        for case, files in cases:
            began, busy = time.perf_counter(), time.process_time()
            score = protocol.score(case, files)
            seconds.append(time.perf_counter() - began)
            busy_seconds.append(time.process_time() - busy)
            points.append(score.numbers["points"])
    later = np.array(seconds[1:])
    metrics = [
        Metric("first case", seconds[0], "s"),
        Metric("a later case, median", float(np.median(later)), "s"),
        Metric("100 later cases", 100 * float(later.mean()), "s"),
        Metric("100 later cases, processor time", 100 * float(np.mean(busy_seconds[1:])), "s"),
        Metric("scan points that count, median", float(np.median(points)), "points", False),
    ]
    for metric in metrics:
        print(f"{metric.name:<34} {metric.value:10.3f} {metric.unit}")
    if arguments.json:
        record = {"machine": _machine(), "seed": 0, "cases": arguments.cases}
        record["metrics"] = [asdict(metric) for metric in metrics]
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _make(folder: Path, n_cases: int) -> list[tuple[Case, tuple[Path, ...]]]:
    scans = []
    for k in range(min(_SCANS, n_cases)):
        mesh, points = _head(2, seed=k)
        write_obj(folder / "scans" / f"{k}.obj", mesh)
        target = folder / "scans" / f"{k}.txt"
        target.write_text("".join(f"{x} {y} {z}\n" for x, y, z in points), encoding="ascii")
        scans.append((folder / "scans" / f"{k}.obj", target))
    cases = []
    for k in range(n_cases):
        mesh, points = _head(1, seed=1000 + k)
        turn, _ = np.linalg.qr(np.random.default_rng(k).normal(size=(3, 3)))
        turn *= np.linalg.det(turn)
        moved = Mesh(0.1 * mesh.vertices @ turn.T + 5, mesh.triangles)
        save_mesh_and_landmarks(folder / "predictions", str(k), moved, 0.1 * points @ turn.T + 5)
        files = (folder / "predictions" / f"{k}.obj", folder / "predictions" / f"{k}.npy")
        # Consecutive cases share a scan, as a subject's photos do.
        cases.append((Case(str(k), truth=scans[k * len(scans) // n_cases]), files))
    return cases


def _head(level: int, seed: int) -> tuple[Mesh, np.ndarray]:
    """A head with bumps of a few mm, and NoW's seven points on it."""
    model = _model(level)
    vertices = model.shape_mm(model.zeros()).double()
    bumps = np.random.default_rng(seed)
    centres = vertices[bumps.integers(len(vertices), size=30)].numpy()
    heights = bumps.normal(0, 3, size=(30, 3))
    widths = bumps.uniform(15, 40, size=30)
    squared = ((vertices.numpy()[:, None] - centres) ** 2).sum(axis=2)
    moved = vertices.numpy() + np.exp(-squared / (2 * widths**2)) @ heights
    triangles = model.surface.triangles
    points = model.landmarks["now7"].locate(model.mean_mm.new_tensor(moved).double(), triangles)
    return Mesh(moved, triangles.numpy()), points.numpy()


@lru_cache
def _model(level: int) -> MorphableModel:
    return load_model("commons", level=level)


def _machine() -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in ("fit3dmm", "numpy", "numba")},
        "cores": os.cpu_count(),
        "threads": 1,
        "load average": [round(load, 2) for load in os.getloadavg()],
    }


if __name__ == "__main__":
    main()
