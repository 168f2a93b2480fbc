"""Whether fits err as much as they say.

    python benchmarks/run_uncertainty.py [--cases 100] [--on held-out lee-perry-smith] [--choose]

`held-out` is the test split of the synthetic set (docs/evaluation.md); --choose takes the other
half, by which the noises of the posterior were chosen. Scanned heads are no part of the project:
what `$FIT3DMM_SHARED` does not lead to is left out. Settings may be chosen by `jon`;
`lee-perry-smith` is for reporting. Of each quantity it says which share of the truths lies within
the intervals that should hold 50, 80 and 95 %; what is too wide is as wrong as what is too narrow,
so that nothing here is better for being more. Photos and fits are kept in --out and not made again.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from fit3dmm._content import content_key
from fit3dmm._files import atomic_path
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.coverage import LEVELS, Told, told_of
from fit3dmm.evaluate.preset_fitter import fingerprint, observe_largest, prepared_model
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.fitting import FitConfig, FitResult, fit_observation
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run
from paired import case_metric
from run_accuracy import add_set_arguments
from scan_coverage import find_scan, told_of_scan

SETS = ("held-out", "jon", "lee-perry-smith")
RATIO, ERROR, SIGMA = "error over sigma", "error", "sigma"
"""Root mean squares; the first is 1 where sigmas are as large as errors."""
ByQuantity = Mapping[str, Told]
PARTS = ("error", "sigma", "exponent")
_SCORING = Path(__file__), Path(__file__).with_name("scan_coverage.py")
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
        tasks = [(case, options.out) for case in cases]
        yield from _statistics("held-out", _all(tasks, told_of_case, jobs))
    for name in SETS[1:]:
        if name not in options.on:
            continue
        scan = find_scan(name)
        if scan is None:
            print(f"{name} was left out: FIT3DMM_SHARED does not lead to it.")
            continue
        tasks = [(name, view, options.out) for view in range(len(scan.views))]
        yield from _statistics(name, _all(tasks, told_of_view, jobs))


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=100, help="default: %(default)s")
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--choose", action="store_true", help="the half for choosing")
    add_set_arguments(parser)


def told_of_case(case: Case, out: Path) -> tuple[str, ByQuantity | None]:
    """A synthetic photo; None where no face is found."""
    photo = case.photo
    assert photo is not None

    def told(result: FitResult, model: MorphableModel) -> ByQuantity:
        return told_of(result, model, read_truth(case.truth[0]))

    return case.name, _kept(photo, out, told)


def told_of_view(name: str, view: int, out: Path) -> tuple[str, ByQuantity | None]:
    """A photo of a scanned head; None where no face is found."""
    scan = find_scan(name)
    assert scan is not None
    known = scan.views[view]

    def told(result: FitResult, model: MorphableModel) -> ByQuantity:
        return told_of_scan(result, model, scan, known)

    return known.photo.stem, _kept(known.photo, out, told)


def _kept(
    photo: Path, out: Path, told: Callable[[FitResult, MorphableModel], ByQuantity]
) -> ByQuantity | None:
    """What an earlier run with the same code found, else a fit."""
    config = FitConfig()
    key = content_key("told", fingerprint("commons", str(config)), *_SCORING, photo)
    path = out / "uncertainty" / f"{key}.npz"
    if path.is_file():
        with np.load(path, allow_pickle=False) as kept:
            names = dict.fromkeys(name.partition("/")[0] for name in kept.files)
            found = {name: Told(*(kept[f"{name}/{part}"] for part in PARTS)) for name in names}
        return found or None
    prepared = prepared_model("commons", config.photometric.n_samples)
    seen = observe_largest(photo, prepared, config)
    found = {}
    if seen is not None:
        found = told(fit_observation(seen, prepared, config), prepared.model)
    arrays = {f"{name}/{part}": getattr(one, part) for name, one in found.items() for part in PARTS}
    with atomic_path(path) as temporary:
        np.savez_compressed(temporary, **arrays)
    return found or None


def _all(tasks, told, jobs: int) -> dict[str, ByQuantity | None]:
    return dict(sorted(found for _, found in run_in_parallel(told, tasks, jobs)))


def _statistics(group: str, every: Mapping[str, ByQuantity | None]) -> Iterator[Metric]:
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
