"""What the trunks cost, and how far a few steps on the same pictures bring each.

    python benchmarks/run_trunks.py FOLDER [--weights lite0=FILE ...] [--steps 60] [--size-px 96]

FOLDER keeps the pictures (and those of another run with the same numbers are taken). Time is the
processor's own (user and system) of one core, so that other work on the machine counts little.
"""

import functools
import resource
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path

import torch

from fit3dmm._memory import keep_freed_memory
from fit3dmm.model.files import load_model
from fit3dmm.regress.batch import Batch, batch_of
from fit3dmm.regress.looks import Look
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.outputs import BLOCKS
from fit3dmm.regress.people import make_studio, point_sets_of
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, TrainingSettings
from fit3dmm.regress.trunk_weights import load_trunk
from fit3dmm.synthetic.fast import StudioSettings

TRUNKS = ("lite0", "recognition", "resnet18", "resnet50")
_HELD_OUT_SEED = 10**12
_FULL_PX, _REPEATS = 256, 5


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", nargs="*", default=[], metavar="TRUNK=FILE")
    parser.add_argument("--trunks", nargs="*", default=TRUNKS, choices=TRUNKS)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--size-px", type=int, default=96)
    parser.add_argument("--held-out", type=int, default=96)
    parser.add_argument("--pool", type=int, default=512)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    weights = dict(one.split("=", 1) for one in options.weights)
    studio = StudioSettings(size_px=options.size_px, point_sets=point_sets_of(load_model()))
    make = functools.partial(make_studio, "commons", (), studio)

    def pool_of(name: str, count: int, seed: int) -> PicturePool:
        return PicturePool(options.folder / name, make, count, seed, 0, str(studio))

    settings = TrainingSettings(
        steps=options.steps, batch=8, fresh=0, fill=options.pool, warm_up=options.steps // 10,
        check_every=options.steps, average=0.9, phases=(Phase(options.size_px, 1.0),),
        bfloat16=False, learning_rate=1e-3, trunk_rate=2e-4,
    )  # fmt: skip
    with pool_of("held-out", options.held_out, _HELD_OUT_SEED) as pool:
        pool.provide(options.held_out)
        held_out = batch_of(pool.take(range(options.held_out)))
    print("| trunk | begins with | parameters (M) | file (MB) | ms at 256 px | held-out loss | ")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    with pool_of("pool", options.pool, 0) as pool:
        for name in options.trunks:
            network = _network(name, weights, held_out)
            begin = "public weights" if name in weights else "random ones"
            count = sum(p.numel() for p in network.parameters())
            size_mb = 2 * sum(v.numel() for v in network.state_dict().values()) / 1e6
            cost_ms = _milliseconds(network)
            look = _trained(network, pool, held_out, settings)
            print(
                f"| {name} | {begin} | {count / 1e6:.1f} | {size_mb:.1f} | {cost_ms:.0f} | "
                f"{look.loss:.2f} (points {look.parts['points']:.2f}) |",
                flush=True,
            )


def _network(name: str, weights: Mapping[str, str], held_out: Batch) -> FaceNetwork:
    torch.manual_seed(0)
    identity, detail, expression, albedo = (
        held_out.coefficients[block].shape[1] for block in BLOCKS
    )
    points = (held_out.points_px / held_out.size_px).mean(0)
    settings = NetworkSettings(name, len(points), identity, detail, expression, albedo)
    network = FaceNetwork(settings, points)
    if name in weights:
        load_trunk(network, weights[name])
    return network


def _trained(
    network: FaceNetwork, pool: PicturePool, held_out: Batch, settings: TrainingSettings
) -> Look:
    looks: list[Look] = []
    with tempfile.TemporaryDirectory() as folder:
        train(network, pool, held_out, settings, Path(folder), looks.append)
    return looks[-1]


def _milliseconds(network: FaceNetwork) -> float:
    """Of the processor, for one picture of 256 px: the least of some."""
    picture = torch.rand(1, 3, _FULL_PX, _FULL_PX).contiguous(memory_format=torch.channels_last)
    network = network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    times = []
    with torch.no_grad():
        network(picture)
        for _ in range(_REPEATS):
            before = resource.getrusage(resource.RUSAGE_SELF)
            network(picture)
            after = resource.getrusage(resource.RUSAGE_SELF)
            times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
