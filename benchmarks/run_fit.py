"""How long a fit takes, and why: medians by stage, the ratio to Adam, and what the cost depends on.

    python benchmarks/run_fit.py [PHOTO ...] [--repeats 5] [--json FILE]

Without photos it fits the portrait in data/examples.
"""

import argparse
import json
import platform
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from fit3dmm.fitting import FitConfig, FitResult, PreparedModel, fit_observation, prepare, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.pipeline import stage_problem, torch_threads
from fit3dmm.fitting.unknowns import photo_frame, values_of
from fit3dmm.model.files import load_model
from fit3dmm.observe import FaceDetector, Observation, observe, read_photo
from fit3dmm.solve import Adam, LevenbergMarquardt, solve_adam, solve_levenberg_marquardt

EXAMPLE = Path(__file__).resolve().parents[1] / "data" / "examples" / "astronaut.png"


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    name: str
    value: float
    unit: str
    lower_is_better: bool = True


def main() -> None:
    arguments = _arguments()
    torch.set_num_threads(1)
    paths = arguments.photos or [EXAMPLE]
    metrics = [*_loading(), *_observing(paths, arguments.repeats)]
    model = load_model(arguments.model)
    config = FitConfig()
    prepared = prepare(model, config.skin_points)
    seen = [_observation(path, config.size_px) for path in paths]
    fit_observation(seen[0], prepared, config)

    metrics += _stages(seen, prepared, config, arguments.repeats)
    metrics += _sizes(paths[0], prepared, config, arguments.repeats)
    metrics += _levels(seen[0], arguments.model, config, arguments.repeats)
    metrics += _presets(seen[0], prepared, arguments.repeats)
    metrics += _against_adam(seen[0], prepared, config)
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    metrics.append(Metric("peak memory", peak_kb / 1024, "MB"))

    for metric in metrics:
        print(f"{metric.name:<42} {metric.value:10.3f} {metric.unit}")
    if arguments.json:
        machine = {"python": platform.python_version(), "torch": torch.__version__,
                   "machine": platform.machine(), "processor": platform.processor()}  # fmt: skip
        record = {"machine": machine, "metrics": [asdict(metric) for metric in metrics]}
        arguments.json.write_text(json.dumps(record, indent=2) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="*", type=Path)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def _observation(path: Path, size_px: int) -> Observation:
    return observe(read_photo(path), size_px, "largest")[0]


def _median_seconds(action: Callable[[], object], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def _loading() -> list[Metric]:
    start = time.perf_counter()
    model = load_model()
    loaded = time.perf_counter()
    prepare(model)
    return [
        Metric("load model", loaded - start, "s"),
        Metric("prepare model", time.perf_counter() - loaded, "s"),
    ]


def _observing(paths: list[Path], repeats: int) -> list[Metric]:
    with FaceDetector() as detector:
        photo = read_photo(paths[0])
        observe(photo, face="largest", detector=detector)
        seconds = _median_seconds(
            lambda: observe(photo, face="largest", detector=detector), repeats
        )
    return [Metric("observe (detect, crop, skin)", seconds, "s")]


def _stages(
    seen: list[Observation], prepared: PreparedModel, config: FitConfig, repeats: int
) -> list[Metric]:
    results: list[FitResult] = []
    totals = []
    for _ in range(repeats):
        for observation in seen:
            start = time.perf_counter()
            results.append(fit_observation(observation, prepared, config))
            totals.append(time.perf_counter() - start)
    metrics = [Metric(f"fit, median of {len(totals)}", statistics.median(totals), "s")]
    for k, stage in enumerate(config.stages):
        seconds = statistics.median(result.stages[k].seconds for result in results)
        steps = statistics.median(len(result.stages[k].history) - 1 for result in results)
        metrics.append(Metric(f"  stage {stage.name}", seconds, "s"))
        metrics.append(Metric(f"  stage {stage.name}, steps", float(steps), "steps"))
    return metrics


def _sizes(path: Path, prepared: PreparedModel, config: FitConfig, repeats: int) -> list[Metric]:
    metrics = []
    for size_px in (224, 384, 512):
        seen = _observation(path, size_px)
        sized = replace(config, size_px=size_px)
        seconds = _median_seconds(lambda s=seen, c=sized: fit_observation(s, prepared, c), repeats)
        metrics.append(Metric(f"fit, crop of {size_px} px", seconds, "s"))
    return metrics


def _levels(seen: Observation, source: str, config: FitConfig, repeats: int) -> list[Metric]:
    metrics = []
    for level in (0, 1, 2):
        prepared = prepare(load_model(source, level=level), config.skin_points)
        fit_observation(seen, prepared, config)
        seconds = _median_seconds(lambda p=prepared: fit_observation(seen, p, config), repeats)
        metrics.append(Metric(f"fit, {prepared.model.n_vertices:,} vertices", seconds, "s"))
    return metrics


def _presets(seen: Observation, prepared: PreparedModel, repeats: int) -> list[Metric]:
    config = preset("landmarks")
    seconds = _median_seconds(lambda: fit_observation(seen, prepared, config), repeats)
    return [Metric("fit, landmarks only", seconds, "s")]


def _against_adam(seen: Observation, prepared: PreparedModel, config: FitConfig) -> list[Metric]:
    """Both solvers on the last stage's problem, from where the landmarks alone lead."""
    frame = photo_frame(seen, prepared.model.mean_mm)
    start = fit_observation(seen, prepared, preset("landmarks")).scene
    with torch_threads(1):
        values = values_of(start)
        problem = stage_problem(
            context_at(prepared, seen, frame, config, config.stages[-1], values)
        )
        began = time.perf_counter()
        with torch.no_grad():
            reached = solve_levenberg_marquardt(problem, LevenbergMarquardt(max_steps=15))
        ours = time.perf_counter() - began
        best, best_rate = float("inf"), 0.0
        for rate in (0.3, 1.0):
            began = time.perf_counter()
            found = solve_adam(
                problem,
                Adam(max_steps=600, rate=rate),
                enough=lambda energy: energy <= 1.01 * reached.energy,
            )
            seconds = time.perf_counter() - began
            print(
                f"Adam at rate {rate}: energy {found.energy:.1f} after {len(found.history)} steps "
                f"and {seconds:.1f} s; Levenberg-Marquardt {reached.energy:.1f} in {ours:.2f} s"
            )
            if found.energy <= 1.011 * reached.energy and seconds < best:
                best, best_rate = seconds, rate
            elif best == float("inf"):
                # It never came there: the time that was spent is a lower bound.
                best_rate = rate
    reached_by_adam = best < float("inf")
    value = best if reached_by_adam else seconds
    label = "" if reached_by_adam else " (lower bound)"
    return [
        Metric("Levenberg-Marquardt on the last stage", ours, "s"),
        Metric(f"Adam at rate {best_rate} to the same energy{label}", value, "s"),
        Metric(f"ratio{label}", value / ours, "times", lower_is_better=False),
    ]


if __name__ == "__main__":
    main()
