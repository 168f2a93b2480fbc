"""How long the renderer takes, beside DEODR and (with a GPU) nvdiffrast, and what outlines it sees.

    python benchmarks/run_render.py [--sizes 224 256 512 1024] [--batches 1 4 16] [--repeats 15]
                                    [--threads 1] [--json benchmarks/results/render.json]

All draw the same head-like mesh of 70,688 triangles with three colours a vertex. `picture` is
everything from clip coordinates to a picture with mixed outlines, and back to the gradients of
positions and colours. The value is the tenth percentile of the repeats' wall times; beside it are
the median and the tenth percentile of the processor time, which other work on the machine disturbs
less. Rivals take turns, and their ratios are those of processor time.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology, topology_of
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.render import blend_silhouettes, cpu, nvdiffrast
from fit3dmm.render.backend import Backend, choose_backend
from fit3dmm.render.fragments import Fragments, pixels_from_clip

PACKAGES = ("torch", "numpy", "numba", "deodr", "nvdiffrast")


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    name: str
    value: float
    unit: str
    lower_is_better: bool = True
    median: float | None = None
    processor: float | None = None
    """Processor time of all threads."""


@dataclass(frozen=True)
class Mesh:
    """A head in the frame of the camera, its colours and its topology."""

    points_cam_mm: Tensor
    colours: Tensor
    topology: Topology

    def clip(self, size_px: int, batch: int = 1) -> Tensor:
        camera = Camera.centred(0.8 * size_px * 600 / 230, size_px, size_px)
        return camera.to_clip(self.points_cam_mm).expand(batch, -1, -1).contiguous()


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(arguments.threads)
    cpu.warm_up()
    mesh = _cap()
    metrics = []
    for size in arguments.sizes:
        for batch in arguments.batches:
            metrics += _times(mesh, size, batch, arguments.repeats)
            _show(metrics)
    metrics += _outlines(mesh, arguments.sizes, "cap")
    metrics += _outlines(_commons(), arguments.sizes, "commons")
    _show(metrics)
    if arguments.json:
        record = {"machine": _machine(), "metrics": [asdict(metric) for metric in metrics]}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(record, indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 256, 512, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="as in a fit: one image, one core")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


_shown = 0


def _show(metrics: list[Metric]) -> None:
    """Print the metrics that are new."""
    global _shown
    for metric in metrics[_shown:]:
        more = ""
        if metric.median is not None:
            more = f"   median {metric.median:9.2f}   processor {metric.processor:9.2f}"
        print(f"{metric.name:<44} {metric.value:9.2f} {metric.unit}{more}", flush=True)
    _shown = len(metrics)


def _machine() -> dict[str, Any]:
    versions = {}
    for package in PACKAGES:
        if importlib.util.find_spec(package) is not None:
            versions[package] = importlib.metadata.version(package)
    return {
        "python": platform.python_version(),
        "packages": versions,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load average": [round(load, 2) for load in os.getloadavg()],
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def _cap(n: int = 189) -> Mesh:
    """An ellipsoid cap with a nose, of (n - 1)^2 quads: as dense as a face model, and open."""
    s, t = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    x, y = s * np.sqrt(1 - t * t / 2), t * np.sqrt(1 - s * s / 2)
    polar = np.minimum(np.hypot(x, y), 1) * np.deg2rad(105)
    around = np.arctan2(y, x)
    points = np.stack(
        [
            84 * np.sin(polar) * np.cos(around),
            108 * np.sin(polar) * np.sin(around),
            75 * np.cos(polar),
        ],
        -1,
    ).reshape(-1, 3)
    nose = np.exp(-((points[:, 0] / 16) ** 2) - ((points[:, 1] + 5) / 26) ** 2)
    points[:, 2] += 28 * nose * (points[:, 2] > 0)
    corner = np.arange(n * n).reshape(n, n)
    a, b = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel()
    c, d = corner[1:, :-1].ravel(), corner[1:, 1:].ravel()
    triangles = torch.from_numpy(np.stack([[a, b, d], [a, d, c]], 1).transpose(2, 1, 0))
    return _posed(torch.from_numpy(points).float(), triangles.reshape(-1, 3).contiguous())


def _commons() -> Mesh:
    model = load_model("commons", level=2)
    return _posed(model.shape_mm(model.zeros()), model.surface.triangles)


def _posed(points: Tensor, triangles: Tensor) -> Mesh:
    turn = rotation_matrix(torch.tensor([0.1, 0.4, 0.05]))
    colours = 0.5 + points / 300
    points_cam = points @ turn.T - torch.tensor([0.0, 0.0, 600.0])
    return Mesh(points_cam, colours, topology_of(triangles, len(points)))


def _times(mesh: Mesh, size: int, batch: int, repeats: int) -> list[Metric]:
    label = f"{size} px x {batch}"
    actions = dict(_ours(mesh, size, batch, choose_backend("cpu", torch.device("cpu")), "cpu"))
    if batch == 1 and importlib.util.find_spec("deodr") is not None:
        actions |= _deodr(mesh, size)
    if nvdiffrast.missing() is None:
        actions |= _ours(
            mesh, size, batch, choose_backend("nvdiffrast", torch.device("cuda")), "cuda"
        )
    repeats = max(5, repeats // batch) if size >= 512 else repeats
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(repeats):
        for name, action in actions.items():
            action()  # fills the caches that the others have emptied
            spent[name].append(action())
    metrics = []
    for name, times in spent.items():
        wall, processor = 1e3 * np.array(times).T
        low, low_processor = (float(np.percentile(t, 10)) for t in (wall, processor))
        median = float(np.median(wall))
        metrics.append(Metric(f"{label}: {name}", low, "ms", True, median, low_processor))
    found = {metric.name.split(": ")[1]: metric for metric in metrics}
    if "deodr picture, forward" in found:
        for way in ("forward", "backward"):
            theirs, ours = found[f"deodr picture, {way}"], found[f"cpu picture, {way}"]
            ratio = (theirs.processor or 0) / (ours.processor or 1)
            metrics.append(Metric(f"{label}: deodr / cpu picture, {way}", ratio, "times", False))
    return metrics


Action = Callable[[], tuple[float, float]]
"""Runs once and says its wall time and its processor time in seconds."""


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(start: tuple[float, float]) -> tuple[float, float]:
    wall, processor = _clocks()
    return wall - start[0], processor - start[1]


def _ours(mesh: Mesh, size: int, batch: int, backend: Backend, device: str) -> dict[str, Action]:
    clip = mesh.clip(size, batch).to(device).requires_grad_()
    colours = mesh.colours.expand(batch, -1, -1).contiguous().to(device).requires_grad_()
    topology = mesh.topology.to(device)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(batch, size, size, 3, generator=generator).to(device)
    latest: dict[str, Tensor] = {}

    def rasterise() -> None:
        fragments = backend.rasterise(clip, topology.triangles, size, size)
        latest["barycentric"] = fragments.barycentric

    def rasterise_backward() -> None:
        torch.autograd.grad(latest["barycentric"], clip, weight, retain_graph=True)

    def picture() -> None:
        fragments = backend.rasterise(clip, topology.triangles, size, size)
        drawn = backend.interpolate(colours, topology.triangles, fragments)
        pairs = backend.find_silhouettes(clip, fragments, topology)
        crossings = pairs.crossings(pixels_from_clip(pairs.ends(clip), size, size))
        latest["picture"] = blend_silhouettes(drawn, pairs, crossings)

    def picture_backward() -> None:
        torch.autograd.grad(latest["picture"], (clip, colours), weight, retain_graph=True)

    def timed(action: Callable[[], None]) -> Action:
        def run() -> tuple[float, float]:
            start = _clocks()
            action()
            if device == "cuda":
                torch.cuda.synchronize()
            return _since(start)

        return run

    return {
        f"{device} rasterise, forward": timed(rasterise),
        f"{device} rasterise, backward": timed(rasterise_backward),
        f"{device} picture, forward": timed(picture),
        f"{device} picture, backward": timed(picture_backward),
    }


def _deodr(mesh: Mesh, size: int) -> dict[str, Action]:
    """DEODR's compiled renderer with the same silhouette edges; it has float64 and one thread."""
    from deodr import differentiable_renderer as deodr

    clip = mesh.clip(size)
    px = pixels_from_clip(clip, size, size)[0].double().numpy()
    faces = mesh.topology.triangles.numpy().astype(np.uint32)
    n = len(px)
    scene = deodr.Scene2D(
        faces=faces,
        faces_uv=faces,
        ij=np.ascontiguousarray(px),
        depths=clip[0, :, 3].double().numpy().copy(),
        textured=np.zeros(len(faces), dtype=bool),
        uv=np.zeros((n, 2)),
        shade=np.zeros(n),
        colors=mesh.colours.double().numpy().copy(),
        shaded=np.zeros(len(faces), dtype=bool),
        edgeflags=_outline_sides(torch.from_numpy(px), mesh.topology).numpy(),
        height=size,
        width=size,
        nb_colors=3,
        texture=np.zeros((2, 2, 3)),
        background_color=np.zeros(3),
        clockwise=False,
        backface_culling=True,
        integer_pixel_centers=False,
    )
    image, depth = np.zeros((size, size, 3)), np.zeros((size, size))
    weight = np.random.default_rng(0).standard_normal((size, size, 3))

    def forward() -> tuple[float, float]:
        start = _clocks()
        deodr.renderScene(scene, 1.0, image, depth, False, None, None, False)
        return _since(start)

    def backward() -> tuple[float, float]:
        scene.clear_gradients()
        # It changes both of them, so they are copies.
        drawn, gradient = image.copy(), weight.copy()
        start = _clocks()
        deodr.renderSceneB(scene, 1.0, drawn, depth, gradient, False, None, None, None, False)
        return _since(start)

    forward()
    ours = cpu.rasterise(clip, mesh.topology.triangles, size, size)
    share = float((ours.covered[0].numpy() == (image.any(-1))).mean())
    if share < 0.98:
        raise RuntimeError(f"DEODR covers other pixels than we do ({share:.1%} agree).")
    return {"deodr picture, forward": forward, "deodr picture, backward": backward}


def _outline_sides(px: Tensor, topology: Topology) -> Tensor:
    """For the sides 0-1, 1-2, 2-0 of each triangle whether they are on an outline."""
    triangles = topology.triangles.long()
    a, b, c = px[triangles].unbind(1)
    front = (b - a)[:, 0] * (c - a)[:, 1] < (b - a)[:, 1] * (c - a)[:, 0]
    first, second = topology.edge_triangles.long().unbind(-1)
    outline = (second < 0) | (front[first] != front[second.clamp_min(0)])
    key = torch.tensor([topology.n_vertices, 1])
    edge = torch.searchsorted(topology.edges.long() @ key, _sides(topology) @ key)
    return outline[edge]


def _sides(topology: Topology) -> Tensor:
    """Ends of the three sides of each triangle, in increasing order."""
    return topology.triangles.long()[:, [[0, 1], [1, 2], [2, 0]]].sort(-1).values


def _outlines(mesh: Mesh, sizes: list[int], label: str) -> list[Metric]:
    """Share of the pairs with one pixel on the head and one off it that have a derivative."""
    metrics = []
    for size in sizes:
        clip = mesh.clip(size)
        fragments = cpu.rasterise(clip, mesh.topology.triangles, size, size)
        covered = fragments.covered[0]
        across, down = covered[:, 1:] != covered[:, :-1], covered[1:] != covered[:-1]
        total = int(across.sum() + down.sum())
        pairs = cpu.find_silhouettes(clip, fragments, mesh.topology)
        first, second = pairs.pixels(size, size)
        ours = int((covered.flatten()[first] != covered.flatten()[second]).sum())
        theirs = _pixel_driven(clip, fragments, mesh.topology)
        for name, count in (("edge-driven (ours)", ours), ("pixel-driven", theirs)):
            share = 100 * count / total
            metrics.append(Metric(f"{label}, {size} px: outline seen, {name}", share, "%", False))
    return metrics


def _pixel_driven(clip: Tensor, fragments: Fragments, topology: Topology) -> int:
    """Outline pairs that the rule of nvdiffrast's antialiasing finds.

    Of the pair's triangles the one that is seen (or nearer) is asked: one of its own edges must be
    on an outline, be primary for the pair's axis, and cross the line between the centres.
    """
    height, width = fragments.size
    px = pixels_from_clip(clip.double(), height, width)[0] - 0.5
    sides, on_outline = _sides(topology), _outline_sides(px, topology)
    found = 0
    shown = fragments.triangle[0].long()
    for axis, (one, other) in enumerate([(shown[:, :-1], shown[:, 1:]), (shown[:-1], shown[1:])]):
        row, column = ((one >= 0) != (other >= 0)).nonzero(as_tuple=True)
        triangle = torch.maximum(one, other)[row, column]
        ends = px[sides[triangle]] - torch.stack([column, row], -1)[:, None, None]
        along, across = ends[..., axis], ends[..., 1 - axis]
        extent = across[..., 1] - across[..., 0]
        t = -across[..., 0] / extent
        crossing = along[..., 0] + t * (along[..., 1] - along[..., 0])
        primary = extent.abs() >= (along[..., 1] - along[..., 0]).abs()
        hit = (t >= 0) & (t <= 1) & (crossing >= 0) & (crossing <= 1) & primary
        found += int((hit & on_outline[triangle]).any(-1).sum())
    return found


if __name__ == "__main__":
    main()
