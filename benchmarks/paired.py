"""Statistics over cases, and differences case by case, with their standard errors.

Two fits of one photo err alike, so that the difference of their errors is known much better than
either error. Standard errors are bootstrapped, which serves means and medians alike (B. Efron,
"Bootstrap methods: another look at the jackknife", Annals of Statistics 7(1), 1979).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import t as student_t

from report import Metric, Statistic

DIFFERENCE, ITS_ERROR = "difference", "standard error of the difference"
_RESAMPLES = 2000
_KEPT_DIGITS = 5
_STATISTICS: dict[Statistic, Callable[..., np.ndarray]] = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class Difference:
    """What one statistic of the same cases was before and is now."""

    cases: int
    before: float
    now: float
    standard_error: float
    """Of `now - before`; infinite for a single case."""

    @property
    def value(self) -> float:
        """How much it grew."""
        return self.now - self.before

    @property
    def doubt(self) -> float:
        """How large a difference may be by chance."""
        return chance(self.standard_error, self.cases)


def case_metric(
    name: str,
    unit: str,
    cases: Mapping[str, float],
    statistic: Statistic = "mean",
    *,
    lower_is_better: bool | None = True,
    group: str = "",
) -> Metric:
    """A statistic over cases, with every case's number and the standard error as noise.

    Raises:
        ValueError: there is no case, or a number is not finite.
    """
    values = np.array(list(cases.values()), dtype=float)
    if not len(values) or not np.isfinite(values).all():
        raise ValueError(f"{name} needs cases with finite numbers, got {dict(cases)}.")
    value = float(_STATISTICS[statistic](values))
    error = _standard_error(values[None], statistic)
    known = np.isfinite(error)
    kept = {case: float(f"{number:.{_KEPT_DIGITS}g}") for case, number in cases.items()}
    return Metric(
        name,
        value,
        unit,
        lower_is_better,
        noise=error / abs(value) if known and value else 1.0,
        group=group,
        details={"standard error": error} if known else {},
        cases=kept,
        statistic=statistic,
    )


def paired_difference(before: Metric, now: Metric) -> Difference | None:
    """Now against before on the cases that both have; None where they share none."""
    common = [case for case in before.cases if case in now.cases]
    if not common:
        return None
    values = np.array([[metric.cases[case] for case in common] for metric in (before, now)])
    at_before, at_now = _STATISTICS[now.statistic](values, axis=1)
    error = _standard_error(values, now.statistic)
    return Difference(len(common), float(at_before), float(at_now), error)


def against(metric: Metric, default: Metric) -> Metric:
    """The metric with its difference from the default's, case by case, where they share cases."""
    paired = paired_difference(default, metric)
    if paired is None or paired.cases < 2:
        return metric
    found = {DIFFERENCE: paired.value, ITS_ERROR: paired.standard_error}
    note = f"{with_error(paired.value, paired.standard_error, '+')} against the default"
    return replace(metric, details={**metric.details, **found}, note=note)


def chance(standard_error: float, cases: int) -> float:
    """What a difference of nothing stays below 19 times of 20: two standard errors for many cases,
    more for few, whose standard error is itself not well known (Student's t)."""
    return standard_error * float(student_t.ppf(0.975, cases - 1)) if cases > 1 else math.inf


def with_error(value: float, standard_error: float, sign: str = "-") -> str:
    """`value ± error` with as many decimals as the error has something to say about.

    Args:
        sign: `+` also puts a plus before what is positive.
    """
    # What rounding leaves where all cases are alike is no error.
    if not standard_error > 1e-12 * abs(value):
        return f"{value:{sign}.3g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(standard_error)))
    return f"{value:{sign}.{decimals}f} ± {standard_error:.{decimals}f}"


def _standard_error(samples: np.ndarray, statistic: Statistic) -> float:
    """Of the statistic of one row, or of the second's less the first's."""
    n = samples.shape[1]
    if n < 2:
        return float("inf")
    if len(samples) == 2 and np.array_equal(*samples):
        return 0.0
    drawn = np.random.default_rng(0).integers(n, size=(_RESAMPLES, n))
    found = _STATISTICS[statistic](samples[:, drawn], axis=2)
    spread = (found[-1] - found[0] if len(samples) == 2 else found[0]).std()
    # Resampling n cases has the spread of a mean around their own mean, which is too small.
    return float(spread * np.sqrt(n / (n - 1)))
