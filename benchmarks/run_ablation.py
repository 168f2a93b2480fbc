"""What each part of the default fit is worth: the fit with that part changed, on the same faces.

    python benchmarks/run_ablation.py [--on generated ict ...] [--cases 24]
                                      [--variants "no photometric" ...] [--quick]

`generated` is the synthetic set (docs/evaluation.md), `ict` the same of ICT-FaceKit's people;
`jon` and `lee-perry-smith` are scanned heads (real_heads.py). What this machine hasn't got is left
out. Settings are chosen with `--split validation`, and by jon; what is reported is the test split,
on which nothing was chosen, and Lee Perry-Smith, by whom nothing is. Differences from the default
are paired, case by case, and stand with their standard errors; one of less than two of them means
nothing (of more, where cases are few).
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import get_args

from ablation_sets import GENERATED, REPORTED_ONLY, SECONDS, SETS, Results, Trials, trials_on
from fit3dmm._parallel import available_cores, run_in_parallel
from fit3dmm.synthetic.specification import Kind, Split
from harness import Metric, run, time_metric
from paired import against
from run_accuracy import add_set_arguments, number_metric
from variants import DEFAULT, VARIANTS

_QUICK = (DEFAULT, "no photometric", "Adam", "68 landmarks", "focal known")
_QUICK_CASES = 4


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other: all variants on each face, then the statistics of each variant."""
    names = list(dict.fromkeys((DEFAULT, *(options.variants or VARIANTS))))
    if options.quick:
        names, options.cases = list(_QUICK), _QUICK_CASES
    jobs = options.jobs or available_cores()
    for name in (name for name in SETS if name in options.on):
        trials = trials_on(name, options, jobs)
        if trials is not None:
            yield from _statistics(name, names, _all_results(name, trials, names, jobs))


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--cases", type=int, default=24, help="of each set; default: %(default)s")
    parser.add_argument("--split", choices=get_args(Split), default="test", help="of the set")
    parser.add_argument("--kind", choices=get_args(Kind), default="held-out", help="of the set")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="4 cases, few variants")
    add_set_arguments(parser)


def _all_results(
    name: str, trials: Trials, variants: Sequence[str], jobs: int
) -> dict[str, Results]:
    """By case."""
    cases = list(trials)
    tasks = [(trials[case], variants) for case in cases]
    found: dict[str, Results] = {}
    for place, results in run_in_parallel(_tried, tasks, jobs):
        print(f"{name}, case {cases[place]}: {len(results)} fits", flush=True)
        if results:
            found[cases[place]] = results
    return dict(sorted(found.items()))


def _tried(trial, variants: Sequence[str]) -> Results:
    return trial(variants)


def _statistics(
    name: str, variants: Sequence[str], results: Mapping[str, Results]
) -> Iterator[Metric]:
    """Of the first set in groups of variants, of each other one in a group of its own."""
    group = "" if name == GENERATED else name
    yield Metric("cases with a face", len(results), "cases", None, noise=0.0, group=group)
    defaults: dict[str, Metric] = {}
    for variant in variants:
        for metric in _of_variant(variant, results, group or VARIANTS[variant].group):
            number = metric.name.rpartition(": ")[2]
            if variant == DEFAULT:
                defaults[number] = metric
            elif metric.cases:
                metric = against(metric, defaults[number])
            yield replace(metric, lower_is_better=None) if name in REPORTED_ONLY else metric


def _of_variant(name: str, results: Mapping[str, Results], group: str) -> Iterator[Metric]:
    of_case = {case: found[name] for case, found in results.items() if name in found}
    yield Metric(f"{name}: cases", len(of_case), "cases", None, noise=0.0, group=group)
    for number in dict.fromkeys(number for found in of_case.values() for number in found):
        cases = {case: numbers[number] for case, numbers in of_case.items()}
        if number == SECONDS:
            taken = time_metric(f"{name}: {SECONDS}", list(cases.values()))
            judged = True if name == DEFAULT else None
            yield replace(taken, group=group, lower_is_better=judged)
        else:
            yield number_metric(name, number, cases, name == DEFAULT, group)


if __name__ == "__main__":
    sys.exit(run("ablation", __doc__, measure, _options))
