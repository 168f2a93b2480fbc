"""What each part of the default fit is worth: the fit with that part changed, on the same faces.

    python benchmarks/run_ablation.py [--cases 24] [--variants "no photometric" ...] [--quick]

Settings are chosen on the validation split of the synthetic set (docs/evaluation.md), with `--split
validation`; what is reported is the test split, on which nothing was chosen. Differences from the
default are paired, case by case, and stand with their standard errors; one of less than two of them
means nothing (of more, where cases are few).
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import get_args

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.evaluate.preset_fitter import face_of_scene
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic, make_set
from fit3dmm.evaluate.synthetic.scores import score_face
from fit3dmm.synthetic.specification import Kind, Split
from fit3dmm.synthetic.truth import read_truth
from harness import Metric, run, time_metric
from paired import against
from run_accuracy import add_set_arguments, number_metric
from variants import DEFAULT, VARIANTS, Trial, trial_of

NUMBERS = (
    "neutral_mm",
    "neutral_scaled_mm",
    "now_median_mm",
    "nme_percent",
    "rotation_deg",
    "distance_percent",
)
SECONDS = "seconds"
_QUICK = (DEFAULT, "no photometric", "Adam", "68 landmarks", "focal known")
_QUICK_CASES = 4

Results = Mapping[str, Mapping[str, float]]
"""The numbers of one case by variant; a variant whose fit could not be scored is left out."""


def measure(options: Namespace) -> Iterator[Metric]:
    """All variants on each face, then the statistics of each variant."""
    names = list(dict.fromkeys((DEFAULT, *(options.variants or VARIANTS))))
    if options.quick:
        names, options.cases = list(_QUICK), _QUICK_CASES
    results = _all_results(names, options)
    yield Metric("cases with a face", len(results), "cases", None, noise=0.0)
    defaults: dict[str, Metric] = {}
    for name in names:
        for metric in _of_variant(name, results):
            number = metric.name.rpartition(": ")[2]
            if name == DEFAULT:
                defaults[number] = metric
            elif metric.cases:
                metric = against(metric, defaults[number])
            yield metric


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--split", choices=get_args(Split), default="test", help="of the set")
    parser.add_argument("--kind", choices=get_args(Kind), default="held-out", help="of the set")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="4 cases, few variants")
    add_set_arguments(parser)


def _all_results(names: Sequence[str], options: Namespace) -> dict[str, Results]:
    """By case."""
    protocol = Synthetic(
        options.cases, options.seed, options.split, options.kind, options.photo_px, options.edition
    )
    jobs = options.jobs or available_cores()
    folder = make_set(protocol, options.out / options.kind, jobs=jobs)
    cases = protocol.list_cases(folder)
    found: dict[str, Results] = {}
    for place, results in run_in_parallel(try_variants, [(case, names) for case in cases], jobs):
        print(f"case {cases[place].name}: {len(results)} fits")
        if results:
            found[cases[place].name] = results
    return dict(sorted(found.items()))


def try_variants(case: Case, names: Sequence[str]) -> Results:
    """Photo, detection and truth are read once for all variants; nothing where no face is found."""
    default = load_trial(case)
    if default is None or default.truth is None:
        return {}
    results: dict[str, Mapping[str, float]] = {}
    for name in names:
        try:
            scene, seconds = VARIANTS[name].change(default).run()
            face = face_of_scene(scene, default.prepared.model, has_light=True)
            numbers, _ = score_face(default.truth, face)
        except InputError as error:
            print(f"case {case.name}, {name}: {error}")
            continue
        found = {number: float(numbers[number]) for number in NUMBERS} | {SECONDS: seconds}
        if np.isfinite(list(found.values())).all():
            results[name] = found
    return results


def load_trial(case: Case) -> Trial | None:
    """The default fit of a case before it is run; None where no face is found."""
    assert case.photo is not None
    truth = read_truth(case.truth[0])
    return trial_of(case.photo, truth, truth.focal_px)


def _of_variant(name: str, results: Mapping[str, Results]) -> Iterator[Metric]:
    group = VARIANTS[name].group
    of_case = {case: found[name] for case, found in results.items() if name in found}
    yield Metric(f"{name}: cases", len(of_case), "cases", None, noise=0.0, group=group)
    if not of_case:
        return
    for number in NUMBERS:
        cases = {case: numbers[number] for case, numbers in of_case.items()}
        yield number_metric(name, number, cases, name == DEFAULT, group)
    taken = time_metric(f"{name}: {SECONDS}", [numbers[SECONDS] for numbers in of_case.values()])
    yield replace(taken, group=group, lower_is_better=True if name == DEFAULT else None)


if __name__ == "__main__":
    sys.exit(run("ablation", __doc__, measure, _options))
