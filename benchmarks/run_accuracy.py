"""How accurate the shipped defaults are where the truth is known, beside other ways to fit.

    python benchmarks/run_accuracy.py [--cases 24] [--on held-out in-model]

`held-out` is the test split of the synthetic set (docs/evaluation.md), whose people the model
can't represent; `in-model` its second set. Real people are for run_real. Every number comes with
that of each case: runs are compared case by case. Photos and fits are kept in --out and not made
again.
"""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from fit3dmm._parallel import available_cores
from fit3dmm.evaluate.protocol import Outcome, group_names, scored
from fit3dmm.evaluate.synthetic import Synthetic, compare_methods, make_set
from fit3dmm.evaluate.synthetic.methods import METHODS, make_fitters
from fit3dmm.evaluate.synthetic.protocol import HEADLINE, MEDIANS
from fit3dmm.synthetic.looks import LOOKS, USUAL
from fit3dmm.synthetic.specification import Kind
from harness import Metric, run
from paired import case_metric
from report import REPOSITORY

SETS = ("held-out", "in-model")
DEFAULT_OUT = REPOSITORY / "out" / "benchmarks"
_UNITS = {"_mm": "mm", "_percent": "%", "_deg": "deg", "_in_1": "share", "_in_2": "share"}


def measure(options: Namespace) -> Iterator[Metric]:
    """One set after the other."""
    options.jobs = options.jobs or available_cores()
    if "held-out" in options.on:
        yield from _synthetic("held-out", options.cases, options)
    if "in-model" in options.on:
        yield from _synthetic("in-model", options.in_model_cases, options)


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--cases", type=int, default=24, help="default: %(default)s")
    parser.add_argument("--in-model-cases", type=int, default=12, help="default: %(default)s")
    parser.add_argument("--on", nargs="+", choices=SETS, default=SETS, help="default: all")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--fit", default="default", help="the preset or function examined")
    parser.add_argument("--model", default="commons")
    add_set_arguments(parser)


def add_set_arguments(parser: ArgumentParser) -> None:
    """What every benchmark on the synthetic set is asked."""
    parser.add_argument("--seed", type=int, default=0, help="of the set; default: %(default)s")
    parser.add_argument("--edition", choices=list(LOOKS), default=USUAL, help="of the set")
    parser.add_argument("--photo-px", type=int, default=640, help="default: %(default)s")
    parser.add_argument("--jobs", type=int, default=0, help="processes; default: one a core")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="photos and fits are kept")


def unit_of(number: str) -> str:
    """The unit that a number of the protocol has in its name."""
    return next((unit for end, unit in _UNITS.items() if number.endswith(end)), "")


def number_metric(
    name: str, number: str, cases: Mapping[str, float], judged: bool, group: str
) -> Metric:
    """A number of the protocol over cases, as the protocol takes it.

    Args:
        judged: whether more of it is worse; else it only describes a baseline.
    """
    # How many truths lie within a fit's own sigmas is wrong in both directions.
    judged = judged and unit_of(number) != "share"
    return case_metric(
        f"{name}: {number}",
        unit_of(number),
        cases,
        "median" if number in MEDIANS else "mean",
        lower_is_better=True if judged else None,
        group=group,
    )


def _synthetic(kind: Kind, cases: int, options: Namespace) -> Iterator[Metric]:
    protocol = Synthetic(cases, options.seed, "test", kind, options.photo_px, options.edition)
    out = options.out / kind
    folder = make_set(protocol, out, jobs=options.jobs)
    fitters = make_fitters(options.methods, options.fit, options.model)
    comparison = compare_methods(protocol, folder, out, fitters, options.jobs)
    for place, (method, evaluation) in enumerate(comparison.evaluations.items()):
        examined = place == 0 and "fit" in options.methods
        yield from _over_cases(method, evaluation.outcomes, examined, kind)
    if kind == "held-out" and "fit" in options.methods:
        yield from _by_group(next(iter(comparison.evaluations.values())).outcomes)


def _over_cases(
    method: str, outcomes: Sequence[Outcome], examined: bool, group: str
) -> Iterator[Metric]:
    found = _numbers(outcomes)
    count = len(scored(outcomes))
    yield Metric(f"{method}: cases", count, "cases", None, noise=0.0, group=group)
    lost = len(outcomes) - count
    yield Metric(f"{method}: cases without a score", lost, "cases", noise=0.0, group=group)
    for number, cases in found.items():
        yield number_metric(method, number, cases, examined, group)


def _by_group(outcomes: Sequence[Outcome]) -> Iterator[Metric]:
    """Our fit by skin tone, turn of the head and so on: few cases each, so nothing is judged."""
    for name in sorted(group_names(outcomes)):
        found = _numbers(outcomes, name)
        if not found:
            continue
        count = len(scored(outcomes, name))
        yield Metric(f"{name}: cases", count, "cases", None, noise=0.0, group="by group")
        for number in HEADLINE:
            yield number_metric(name, number, found[number], judged=False, group="by group")


def _numbers(outcomes: Sequence[Outcome], group: str | None = None) -> dict[str, dict[str, float]]:
    """Each number of each case."""
    found: dict[str, dict[str, float]] = {}
    for case, score in scored(outcomes, group):
        for number, value in score.numbers.items():
            if unit_of(number):
                found.setdefault(number, {})[case.name] = float(value)
    return found


if __name__ == "__main__":
    sys.exit(run("accuracy", __doc__, measure, _options))
