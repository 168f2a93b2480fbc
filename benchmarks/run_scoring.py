"""How long scoring takes: cases of NoW's size, from the files to the numbers, on one core.

    python benchmarks/run_scoring.py [--cases 100]

A scan is the Commons head at level 2 (60,650 vertices) with seeded smooth bumps; a prediction is
the head at level 1 (30,096 triangles) with other bumps, turned, shifted and in another unit. Each
case reads both files, crops, aligns, refines and measures, as `fit3dmm evaluate now` does. The
first case, which compiles or loads compiled code, is timed by itself. On a machine that others use
too, the processor time is the number to look at.
"""

import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from fit3dmm.evaluate.now import Now
from fit3dmm.evaluate.predictions import save_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from harness import Metric, run, time_metric

_SCANS = 10
# Compiling takes many seconds and loading compiled code few: the first case is one or the other.
_COMPILING = 20.0


def measure(options: Namespace) -> Iterator[Metric]:
    """Score seeded cases one after another."""
    torch.set_num_threads(1)
    protocol = Now()
    seconds, busy_seconds, points = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for case, files in _make(Path(folder), options.cases):
            began, busy = time.perf_counter(), time.process_time()
            score = protocol.score(case, files)
            seconds.append(time.perf_counter() - began)
            busy_seconds.append(time.process_time() - busy)
            points.append(score.numbers["points"])
    later = time_metric("a later case, median", seconds[1:])
    yield Metric("first case", seconds[0], "s", noise=_COMPILING)
    yield later
    yield Metric("100 later cases", 100 * float(np.mean(seconds[1:])), "s", noise=later.noise)
    busy_s = 100 * float(np.mean(busy_seconds[1:]))
    yield Metric("100 later cases, processor time", busy_s, "s", noise=0.1)
    yield Metric("scan points that count, median", float(np.median(points)), "points", None)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=100)


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


if __name__ == "__main__":
    sys.exit(run("scoring", __doc__, measure, _options))
