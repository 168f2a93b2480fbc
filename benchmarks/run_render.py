"""How long the renderer takes, beside DEODR and (with a GPU) nvdiffrast; what silhouettes it sees.

    python benchmarks/run_render.py [--sizes 224 256 512 1024] [--batches 1 4 16]

All draw the same head-like mesh of 70,688 triangles with three colours a vertex. `picture` is
everything from clip coordinates to a picture with mixed silhouettes, and back to the gradients of
positions and colours. The value is the tenth percentile of the repeats' wall times; beside it are
the median and the tenth percentile of the processor time, which other work on the machine disturbs
less. Rivals take turns, and their ratios are those of processor time.
"""

import importlib.util
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from deodr_rival import deodr_actions
from fit3dmm.render import blend_silhouettes, cpu, nvdiffrast
from fit3dmm.render.backend import Backend, choose_backend
from fit3dmm.render.fragments import pixels_from_clip
from harness import Metric, run
from heads import Mesh, cap, commons
from silhouettes import silhouette_shares
from stopwatch import Action, clocks, since


def measure(options: Namespace) -> Iterator[Metric]:
    """Times at each size and batch, then what is seen of silhouettes."""
    cpu.warm_up()
    mesh = cap()
    for size in options.sizes:
        for batch in options.batches:
            yield from _times(mesh, size, batch, options.repeats)
    yield from silhouette_shares(mesh, options.sizes, "cap")
    yield from silhouette_shares(commons(), options.sizes, "commons")


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--sizes", type=int, nargs="+", default=[224, 256, 512, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16])


def _times(mesh: Mesh, size: int, batch: int, repeats: int) -> Iterator[Metric]:
    label = f"{size} px x {batch}"
    actions = _ours(mesh, size, batch, choose_backend("cpu", torch.device("cpu")), "cpu")
    if batch == 1 and importlib.util.find_spec("deodr") is not None:
        actions |= deodr_actions(mesh, size)
    if nvdiffrast.missing() is None:
        actions |= _ours(
            mesh, size, batch, choose_backend("nvdiffrast", torch.device("cuda")), "cuda"
        )
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in actions}
    for _ in range(max(5, repeats // batch) if size >= 512 else repeats):
        for name, action in actions.items():
            action()  # fills the caches that the others have emptied
            spent[name].append(action())
    found = {name: _metric(f"{label}: {name}", times) for name, times in spent.items()}
    yield from found.values()
    if "deodr picture, forward" in found:
        for way in ("forward", "backward"):
            theirs, ours = found[f"deodr picture, {way}"], found[f"cpu picture, {way}"]
            ratio = theirs.details["processor"] / ours.details["processor"]
            name = f"{label}: deodr / cpu picture, {way}"
            yield Metric(name, ratio, "times", False, noise=theirs.noise + ours.noise)


def _metric(name: str, times: list[tuple[float, float]]) -> Metric:
    wall, processor = 1e3 * np.array(times).T
    low, quarter, median = (float(q) for q in np.percentile(wall, [10, 25, 50]))
    details = {"median": median, "processor": float(np.percentile(processor, 10))}
    # The tenth percentile hardly feels what else the machine does; the quartile is how much it may.
    return Metric(name, low, "ms", noise=max(0.1, quarter / low - 1), details=details)


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
            start = clocks()
            action()
            if device == "cuda":
                torch.cuda.synchronize()
            return since(start)

        return run

    return {
        f"{device} rasterise, forward": timed(rasterise),
        f"{device} rasterise, backward": timed(rasterise_backward),
        f"{device} picture, forward": timed(picture),
        f"{device} picture, backward": timed(picture_backward),
    }


if __name__ == "__main__":
    sys.exit(run("render", __doc__, measure, _options, repeats=15))
