"""Whether a run of a benchmark is better or worse than an earlier one, beyond noise.

Times are compared in units of the reference workload that was timed in the same run. That cancels
the speed of a machine, but not the ratio of its memory's speed to its arithmetic's: on another
processor a time must be off by much more before it counts.

Statistics over cases are compared on the cases that both runs have, and the change must exceed
what chance does to the differences case by case.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from paired import Difference, paired_difference
from report import Metric, Report

# Two machines' ratios of one workload to another differ by this much for no fault of ours.
_OTHER_MACHINE = 0.5
# Fits of one photo on two processors end this far apart.
_REPRODUCED = 0.005


@dataclass(frozen=True)
class Verdict:
    """One metric in both runs."""

    name: str
    before: float | None
    """None where it is new."""
    now: float | None
    """None where it is gone."""
    ratio: float | None
    """Now over before; of times after the speed of the machine is cancelled."""
    tolerance: float
    """Share by which the ratio may leave 1."""
    word: str
    """better, worse, same, changed (of what is neither better nor worse), new or gone."""


def compare(before: Report, now: Report) -> list[Verdict]:
    """Each metric of either run."""
    same_machine = all(
        before.machine[name] == now.machine[name] for name in ("processor", "cores", "threads")
    )
    speed = now.calibration_s / before.calibration_s
    earlier = {(metric.group, metric.name): metric for metric in before.metrics}
    verdicts = []
    for metric in now.metrics:
        old = earlier.pop((metric.group, metric.name), None)
        if old is None:
            verdicts.append(Verdict(_title(metric), None, metric.value, None, 0.0, "new"))
            continue
        paired = paired_difference(old, metric)
        if paired is not None:
            verdicts.append(_paired_verdict(metric, paired))
            continue
        tolerance = old.noise + metric.noise
        if metric.is_time and not same_machine:
            tolerance += _OTHER_MACHINE
        ratio = _ratio(metric.value / (speed if metric.is_time else 1.0), old.value)
        word = _word(ratio, tolerance, metric.lower_is_better)
        verdicts.append(Verdict(_title(metric), old.value, metric.value, ratio, tolerance, word))
    gone = [Verdict(_title(old), old.value, None, None, 0.0, "gone") for old in earlier.values()]
    return verdicts + gone


def _title(metric: Metric) -> str:
    return f"{metric.group}: {metric.name}" if metric.group else metric.name


def _paired_verdict(metric: Metric, paired: Difference) -> Verdict:
    before = abs(paired.before)
    allowed = paired.doubt / before if before else 0.0
    tolerance = max(_REPRODUCED, allowed)
    ratio = _ratio(paired.now, paired.before)
    word = _word(ratio, tolerance, metric.lower_is_better)
    return Verdict(_title(metric), paired.before, paired.now, ratio, tolerance, word)


def _ratio(now: float, before: float) -> float:
    if now == before:
        return 1.0
    return now / before if before else float("inf")


def _word(ratio: float, tolerance: float, lower_is_better: bool | None) -> str:
    # Twice as fast and half as fast are equally far from 1.
    if 1 / (1 + tolerance) <= ratio <= 1 + tolerance:
        return "same"
    if lower_is_better is None:
        return "changed"
    return "better" if (ratio < 1) == lower_is_better else "worse"


def shown(verdicts: Sequence[Verdict]) -> Table:
    """For the eye."""
    colours = {"better": "green", "worse": "bold red"}
    table = Table(title="against the earlier run", title_justify="left")
    table.add_column("metric")
    for title in ("before", "now", "ratio", "allowed"):
        table.add_column(title, justify="right")
    table.add_column("verdict")
    for verdict in verdicts:
        colour = colours.get(verdict.word, "default")
        table.add_row(
            verdict.name,
            *("-" if value is None else f"{value:.4g}" for value in (verdict.before, verdict.now)),
            "-" if verdict.ratio is None else f"{verdict.ratio:.2f}",
            f"{100 * verdict.tolerance:.0f} %",
            f"[{colour}]{verdict.word}",
        )
    return table
