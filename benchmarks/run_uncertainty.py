"""Whether fits err as much as they say.

    python benchmarks/run_uncertainty.py [--cases 100] [--on held-out lee-perry-smith] [--choose]

`held-out` is the test split of the synthetic set (docs/evaluation.md); --choose takes the other
half, by which the noises of the posterior were chosen. Scanned heads are no part of the project:
what `$FIT3DMM_SHARED` does not lead to is left out. Settings may be chosen by `jon`;
`lee-perry-smith` is for reporting. Of each quantity it says which share of the truths lies within
the intervals that should hold 50, 80 and 95 %; what is too wide is as wrong as what is too narrow,
so that nothing here is better for being more.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np

from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.coverage import LEVELS, Told, told_of
from fit3dmm.evaluate.preset_fitter import observe_largest, prepared_model
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import FitConfig, FitResult, fit_observation
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from run_accuracy import add_set_arguments
from scan_coverage import KnownScan, find_scan, told_of_scan

SETS = ("held-out", "jon", "lee-perry-smith")
RATIO, ERROR, SIGMA = "error over sigma", "error", "sigma"
"""Root mean squares; the first is 1 where sigmas are as large as errors."""
_UNITS = {"relief": "mm", "place": "mm", "neutral": "mm", "distance": "ln", "focal": "ln"}


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other."""
    jobs = options.jobs or available_cores()
    if "held-out" in options.on:
        half = "validation" if options.choose else "test"
        protocol = Synthetic(
            options.cases, options.seed, half, "held-out", options.photo_px, options.edition
        )
        cases = protocol.list_cases(make_set(protocol, options.out / "held-out", jobs=jobs))
        yield from _statistics("held-out", _all([(case,) for case in cases], told_of_case, jobs))
    for name in SETS[1:]:
        if name not in options.on:
            continue
        scan = find_scan(name)
        if scan is None:
            print(f"{name} was left out: FIT3DMM_SHARED does not lead to it.")
            continue
        tasks = [(name, view) for view in range(len(scan.views))]
        yield from _statistics(name, _all(tasks, told_of_view, jobs))


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--choose", action="store_true", help="the half for choosing")
    add_set_arguments(parser)


def told_of_case(case: Case) -> tuple[str, Mapping[str, Told] | None]:
    """A synthetic photo; None where no face is found."""
    assert case.photo is not None
    found = _fitted(case.photo)
    return case.name, found and told_of(*found, read_truth(case.truth[0]))


def told_of_view(name: str, view: int) -> tuple[str, Mapping[str, Told] | None]:
    """A photo of a scanned head; None where no face is found."""
    scan = _scan(name)
    known = scan.views[view]
    found = _fitted(known.photo)
    return known.photo.stem, found and told_of_scan(*found, scan, known)


@lru_cache(maxsize=1)
def _scan(name: str) -> KnownScan:
    scan = find_scan(name)
    assert scan is not None
    return scan


def _fitted(photo) -> tuple[FitResult, MorphableModel] | None:
    config = FitConfig()
    prepared = prepared_model("commons", config.photometric.n_samples)
    seen = observe_largest(photo, prepared, config)
    if seen is None:
        return None
    return fit_observation(seen, prepared, config), prepared.model


def _all(tasks, told, jobs: int) -> dict[str, Mapping[str, Told] | None]:
    return dict(sorted(found for _, found in run_in_parallel(told, tasks, jobs)))


def _statistics(group: str, every: Mapping[str, Mapping[str, Told] | None]) -> Iterator[Metric]:
    found = {case: told for case, told in every.items() if told is not None}
    yield Metric("photos", len(found), "photos", None, 0.0, group)
    lost = len(every) - len(found)
    yield Metric("photos without a face", lost, "photos", None, 0.0, group)
    for quantity, unit in _UNITS.items():
        told = {case: one[quantity] for case, one in found.items() if quantity in one}
        if not told:
            continue
        for level in LEVELS:
            shares = {case: one.covered(level) for case, one in told.items()}
            yield _metric(f"{quantity}: {level:.0%}", "share", shares, group)
        ratio = {case: _rms(one.error / one.sigma) for case, one in told.items()}
        yield _metric(f"{quantity}: {RATIO}", "times", ratio, group)
        yield _metric(
            f"{quantity}: {ERROR}",
            unit,
            {case: _rms(one.error) for case, one in told.items()},
            group,
        )
        yield _metric(
            f"{quantity}: {SIGMA}",
            unit,
            {case: _rms(one.sigma) for case, one in told.items()},
            group,
        )


def _metric(name: str, unit: str, cases: Mapping[str, float], group: str) -> Metric:
    return case_metric(name, unit, cases, lower_is_better=None, group=group)


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


if __name__ == "__main__":
    sys.exit(run("uncertainty", __doc__, measure, _options))
