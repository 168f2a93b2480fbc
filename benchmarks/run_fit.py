"""How long a fit takes, and why: by stage, by size, against other solvers, and many photos at once.

    python benchmarks/run_fit.py [PHOTO ...]

Without photos it fits the portrait in data/examples. The batch is that and random people in random
poses and light, drawn from the model: how alike drawings are to photos does not matter for time.
"""

import resource
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from fit3dmm.fitting import FitConfig, FitResult, PreparedModel, fit_observation, prepare, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import as_prepared
from fit3dmm.fitting.run import stage_problem
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe import FaceDetector, Observation, observe, read_photo
from harness import Metric, ratio_metric, run, time_metric, timed
from photo_batch import drawn_people, seconds_in_processes
from report import REPOSITORY
from rivals import race

EXAMPLE = REPOSITORY / "data" / "examples" / "astronaut.png"
PROCESSES = 2
SEED = 0


def measure(options: Namespace) -> Iterator[Metric]:
    """Everything, one fit at a time but for the batch."""
    paths, repeats = options.photos or [EXAMPLE], options.repeats
    yield timed("load model", lambda: load_model(options.model), repeats)
    model, config = load_model(options.model), FitConfig()
    yield timed("prepare model", lambda: prepare(model, config.photometric.n_samples), repeats)
    prepared = prepare(model, config.photometric.n_samples)
    yield from _observing(paths, repeats)
    seen = [_observation(path, config.size_px) for path in paths]
    fit_observation(seen[0], prepared, config)

    yield from _stages(seen, prepared, config, repeats)
    yield from _sizes(paths[0], prepared, config, repeats)
    yield from _levels(seen[0], options.model, config, repeats)
    landmarks = preset("landmarks")
    yield timed(
        "fit, landmarks only", lambda: fit_observation(seen[0], prepared, landmarks), repeats
    )
    yield from _presets(paths[0], model, repeats)
    yield from _rivals(seen[0], prepared, config, repeats)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield Metric("peak memory", peak_kb / 1024, "MB", noise=0.05)
    people = drawn_people(model, options.batch, config.size_px, SEED)
    yield from _batch([*seen, *people], options.model, config)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--batch", type=int, default=15, help="people drawn for the batch")


def _observation(path: Path, size_px: int) -> Observation:
    return observe(read_photo(path), size_px, "largest")[0]


def _observing(paths: list[Path], repeats: int) -> Iterator[Metric]:
    photo = read_photo(paths[0])
    with FaceDetector() as detector:
        yield timed(
            "observe (detect, crop, skin)",
            lambda: observe(photo, face="largest", detector=detector),
            repeats,
        )


def _stages(
    seen: list[Observation], prepared: PreparedModel, config: FitConfig, repeats: int
) -> Iterator[Metric]:
    results: list[FitResult] = []
    totals = []
    for _ in range(repeats):
        for observation in seen:
            began = time.perf_counter()
            results.append(fit_observation(observation, prepared, config))
            totals.append(time.perf_counter() - began)
    yield time_metric("fit", totals)
    for k, stage in enumerate(config.stages):
        yield time_metric(f"stage {stage.name}", [result.stages[k].seconds for result in results])
        steps = statistics.median(len(result.stages[k].history) - 1 for result in results)
        yield Metric(f"stage {stage.name}, steps", float(steps), "steps", None)


def _sizes(
    path: Path, prepared: PreparedModel, config: FitConfig, repeats: int
) -> Iterator[Metric]:
    for size_px in (224, 384, 512):
        seen, sized = _observation(path, size_px), replace(config, size_px=size_px)
        yield timed(
            f"fit, crop of {size_px} px",
            lambda s=seen, c=sized: fit_observation(s, prepared, c),
            repeats,
        )


def _levels(seen: Observation, model: str, config: FitConfig, repeats: int) -> Iterator[Metric]:
    for level in (0, 1, 2):
        prepared = prepare(load_model(model, level=level), config.photometric.n_samples)
        yield timed(
            f"fit, {prepared.model.n_vertices:,} vertices",
            lambda p=prepared: fit_observation(seen, p, config),
            repeats,
        )


def _presets(path: Path, model: MorphableModel, repeats: int) -> Iterator[Metric]:
    """Those with another schedule than the default's, with the network that looks at photos."""
    photo = read_photo(path)
    for name in ("default", "fast", "accurate", "deng2019-code"):
        config = preset(name)
        prepared = as_prepared(model, config)
        with torch.no_grad():
            (seen,) = look(photo, prepared, config, "largest")
        # A first-order fit takes a hundred times a step.
        rounds = 1 if name.startswith("deng") else repeats
        metric = timed(
            f"fit, preset {name}",
            lambda s=seen, p=prepared, c=config: fit_observation(s, p, c),
            rounds,
        )
        yield replace(metric, group="presets")


def _rivals(
    seen: Observation, prepared: PreparedModel, config: FitConfig, repeats: int
) -> Iterator[Metric]:
    """The last stage's problem, from where the landmarks alone lead."""
    start = fit_observation(seen, prepared, preset("landmarks")).scene
    last = next(stage for stage in config.stages if stage.name == "fine")
    context = context_at(prepared, seen, last, values_at(start, prepared))
    for metric in race(stage_problem(context, config), repeats):
        yield replace(metric, group="solvers on the last stage's problem")


def _batch(seen: list[Observation], model: str, config: FitConfig) -> Iterator[Metric]:
    """Time a photo, with the detection done, in one process and in several."""
    seconds: dict[int, list[float]] = {1: [], PROCESSES: []}
    for _ in range(2):
        for processes, taken in seconds.items():
            taken.append(seconds_in_processes(seen, model, config, processes) / len(seen))
    times = []
    for processes, taken in seconds.items():
        plural = "es" if processes > 1 else ""
        metric = time_metric(f"time a photo of {len(seen)}, {processes} process{plural}", taken)
        # Of the two rounds the quicker: the other had less of the machine.
        times.append(replace(metric, value=min(taken), group="many photos"))
    ratio = ratio_metric(f"one process / {PROCESSES} processes", *times)
    yield from (*times, replace(ratio, group="many photos"))


if __name__ == "__main__":
    sys.exit(run("fit", __doc__, measure, _options, seed=SEED))
