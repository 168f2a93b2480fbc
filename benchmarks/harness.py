"""What all benchmarks share: metrics with their noise, a report of the run, one command line.

A script yields metrics, and `run` does the rest. Its options:

    --json FILE         write the report
    --compare [FILE]    hold it against a report, by default the committed one; exit 1 if worse
    --repeats N         how often each time is taken
    --threads N         of torch; one, as in a fit: each core has its own photo

Times are also kept in units of a fixed workload that is timed in the same run, so that they can be
held against those of another machine.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from comparison import compare, shown
from report import Metric as Metric
from report import (
    Report,
    describe_machine,
    measured_commit,
    package_versions,
    read_report,
    write_report,
)

RESULTS = Path(__file__).resolve().parent / "results"
# Wall times on a machine that does other things scatter by this much even where the repeats agree.
_TIME_NOISE = 0.1


def timed(
    name: str,
    action: Callable[[], object],
    repeats: int,
    unit: str = "s",
    warm_up: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> Metric:
    """Median wall time of an action; the spread of the repeats is the noise.

    Args:
        name: of the metric.
        action: what is done.
        repeats: how often.
        unit: `s` or `ms`.
        warm_up: do it once before, uncounted.
        clock: what is read before and after, in seconds; `time.process_time` gives the processor's
            time, which holds on a busy machine, too.
    """
    if warm_up:
        action()
    seconds = []
    for _ in range(repeats):
        began = clock()
        action()
        seconds.append(clock() - began)
    return time_metric(name, seconds, unit)


def time_metric(name: str, seconds: Sequence[float], unit: str = "s") -> Metric:
    """Median of some times, with half the distance between their quartiles as noise."""
    median = statistics.median(seconds)
    low, high = np.percentile(seconds, [25, 75])
    noise = max(_TIME_NOISE, float(high - low) / 2 / median)
    return Metric(name, median * {"s": 1, "ms": 1e3}[unit], unit, noise=noise)


def ratio_metric(name: str, slow: Metric, fast: Metric) -> Metric:
    """How many times as long one takes as the other."""
    noise = slow.noise + fast.noise
    return Metric(name, slow.value / fast.value, "times", lower_is_better=False, noise=noise)


def reference_workload() -> Callable[[], object]:
    """A dense and a sparse product, as a fit has them: some 10 ms on a core of 2024."""
    rng = np.random.default_rng(0)
    dense = torch.from_numpy(rng.normal(size=(640, 640)).astype(np.float32))
    rows = np.repeat(np.arange(60_000), 4)
    entries = rng.normal(size=len(rows)).astype(np.float32)
    sparse = sp.csr_array((entries, (rows, rng.integers(4_000, size=len(rows)))), (60_000, 4_000))
    columns = rng.normal(size=(4_000, 9)).astype(np.float32)

    def work() -> Tensor:
        return (dense @ dense @ dense)[:4, :9] + torch.from_numpy((sparse @ columns)[:4])

    return work


def calibrate(repeats: int = 15) -> float:
    """Median seconds of the reference workload with as many threads as torch has now."""
    return timed("calibration", reference_workload(), repeats).value


def run(
    name: str,
    about: str | None,
    measure: Callable[[argparse.Namespace], Iterable[Metric]],
    add_arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None,
    *,
    repeats: int = 5,
    seed: int = 0,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the command line, measure, print, write, compare.

    Args:
        name: of the benchmark; its committed report is `results/NAME.json`.
        about: what is measured.
        measure: yields the metrics; it gets the parsed options.
        add_arguments: adds the options of this benchmark.
        repeats: default of --repeats.
        seed: what `measure` draws its random numbers from; recorded, and where the benchmark has an
            option `--seed`, that.
        arguments: the command line; None takes the process's own.

    Returns:
        The exit status: 1 where something became worse than the report that it is compared with.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--repeats", type=int, default=repeats, help="default: %(default)s")
    parser.add_argument("--threads", type=int, default=1, help="of torch; default: %(default)s")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report")
    baseline = RESULTS / f"{name}.json"
    parser.add_argument("--compare", type=Path, nargs="?", const=baseline, metavar="FILE")
    options = parser.parse_args(arguments)
    before = read_report(options.compare) if options.compare else None
    console = Console()
    torch.set_num_threads(options.threads)
    calibration = [calibrate()]
    metrics = []
    with console.status("measuring ...") as status:
        for metric in measure(options):
            metrics.append(metric)
            status.update(f"measured {len(metrics)}: {metric.name}")
    torch.set_num_threads(options.threads)
    calibration.append(calibrate())
    words = sys.argv[1:] if arguments is None else arguments
    # Where files lie on this machine is nobody else's business.
    words = [Path(word).name if Path(word).is_absolute() else word for word in words]
    report = Report(
        name,
        " ".join([f"python benchmarks/run_{name}.py", *words]),
        getattr(options, "seed", seed),
        measured_commit(),
        describe_machine(),
        package_versions(),
        statistics.mean(calibration),
        tuple(metrics),
    )
    console.print(_shown(report))
    if options.json:
        write_report(report, options.json)
    if before is None:
        return 0
    verdicts = compare(before, report)
    console.print(shown(verdicts))
    return int(any(verdict.word == "worse" for verdict in verdicts))


def _shown(report: Report) -> Table:
    table = Table(title=f"{report.name}: {report.machine['processor']}", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("noise", justify="right")
    table.add_column("")
    for group, metrics in report.groups().items():
        if group:
            table.add_section()
            table.add_row(f"[bold]{group}")
        for metric in metrics:
            table.add_row(
                metric.name,
                f"{metric.value:.4g}",
                metric.unit,
                f"{100 * metric.noise:.0f} %",
                metric.note,
            )
    return table
