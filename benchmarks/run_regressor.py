"""What the network that looks at photos is worth: alone, as a detector, as a start, and in a fit.

    python benchmarks/run_regressor.py [--on renders jon ...] [--cases 48] [--looks 240]

Each photo is fitted without the network, without MediaPipe's points, with both (the default), and
not at all (what the network says, and the mean face in its place). `renders` are pictures of other
people than the network was trained on, `ict` the same of another model's people, if
`$FIT3DMM_ICT` names its converted file; `traced` is the test split of the synthetic set. jon, Lee
Perry-Smith and AFLW2000-3D's pictures are measured where this machine has them (real_heads.py);
Lee Perry-Smith is never judged. Definitions: docs/regressor.md.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.preset_fitter import prepared_model
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import FitConfig
from harness import Metric, run
from regressor_fits import METHODS, Measured, measure_subject
from regressor_metrics import of_set
from regressor_subjects import (
    OTHERS,
    Subjects,
    annotated,
    rendered,
    rendered_others,
    scanned,
    traced,
)
from regressor_time import times
from run_accuracy import add_set_arguments

RENDERS, ICT, TRACED = "renders", "ict", "traced"
JON, LEE, AFLW = "jon", "lee-perry-smith", "aflw2000"
TIME = "time"
SETS = (RENDERS, ICT, TRACED, JON, LEE, AFLW, TIME)
_SHARED = "{} was left out: FIT3DMM_SHARED does not lead to data/{}/."
_WITH_STEPS = (RENDERS, TRACED)


@dataclass(frozen=True)
class Task:
    """A set of photos, and what is asked of them."""

    name: str
    subjects: Subjects
    fitted: int | None = None
    """How many are fitted; of the others only points are looked at."""


def measure(options: Namespace) -> Iterator[Metric]:
    """All photos in one pool of processes, then the statistics of each set."""
    options.jobs = options.jobs or available_cores()
    config = FitConfig()
    if prepared_model("commons", config.photometric.n_samples).regressor is None:
        print("Nothing was measured: no data/regressor.h5 belongs to the model Commons.")
        return
    tasks = list(_tasks(options))
    for name, found in _all_found(tasks, options.jobs).items():
        for metric in of_set(name, found):
            yield replace(metric, lower_is_better=None) if name == LEE else metric
    if TIME in options.on:
        yield from times(options.repeats)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument(
        "--cases", type=int, default=48, help="fitted photos of each generated set (%(default)s)"
    )
    parser.add_argument(
        "--looks", type=int, default=240, help="renders whose points are looked at (%(default)s)"
    )
    add_set_arguments(parser)


def _tasks(options: Namespace) -> Iterator[Task]:
    """What is to be measured; of what is missing, a sentence."""
    looks = max(options.looks, options.cases)
    finders: dict[str, Callable[[], Subjects | None]] = {
        RENDERS: lambda: rendered(looks),
        ICT: lambda: rendered_others(looks),
        TRACED: lambda: _traced(options),
        JON: partial(scanned, JON),
        LEE: partial(scanned, LEE),
        AFLW: annotated,
    }
    for name, find in finders.items():
        if name not in options.on:
            continue
        subjects = find()
        if subjects is not None:
            yield Task(name, subjects, options.cases if name in (RENDERS, ICT) else None)
        elif name == ICT:
            print(f"{ICT} was left out: {OTHERS} names no file of a converted model.")
        else:
            print(_SHARED.format(name, name.replace("-", "_")))


def _traced(options: Namespace) -> Subjects:
    kind = "held-out"
    protocol = Synthetic(
        options.cases, options.seed, "test", kind, options.photo_px, options.edition
    )
    folder = make_set(protocol, options.out / kind, jobs=options.jobs)
    return traced(protocol.list_cases(folder))


def _all_found(tasks: Sequence[Task], jobs: int) -> dict[str, dict[str, Measured]]:
    """By set and photo, in their order."""
    places, asked = [], []
    for task in tasks:
        for k, (name, opener) in enumerate(task.subjects.items()):
            is_fitted = task.fitted is None or k < task.fitted
            places.append((task.name, name))
            asked.append(
                (opener, METHODS if is_fitted else (), is_fitted and task.name in _WITH_STEPS)
            )
    found = dict(run_in_parallel(measure_subject, asked, jobs))
    by_set: dict[str, dict[str, Measured]] = {task.name: {} for task in tasks}
    for k, (name, photo) in enumerate(places):
        by_set[name][photo] = found[k]
    return by_set


if __name__ == "__main__":
    sys.exit(run("regressor", __doc__, measure, _options))
