"""Differences case by case tell more than the two errors do."""

import numpy as np
import pytest

from comparison import compare
from harness import Metric, Report
from paired import case_metric, chance, paired_difference, with_error


def metric(values, statistic="mean", **options) -> Metric:
    cases = {f"{k:02}": float(value) for k, value in enumerate(values)}
    return case_metric("error", "mm", cases, statistic, **options)


def report(metric: Metric) -> Report:
    machine = {"processor": "one", "cores": 2, "threads": 1}
    return Report("toy", "run", 0, None, machine, {}, 0.01, (metric,))


def verdict(before: Metric, now: Metric):
    (found,) = compare(report(before), report(now))
    return found


@pytest.fixture(scope="module")
def errors():
    return np.random.default_rng(1).uniform(1, 5, size=40)


def test_the_standard_error_of_a_mean_is_the_textbook_s(errors):
    found = metric(errors)
    assert found.value == pytest.approx(errors.mean())
    expected = errors.std(ddof=1) / np.sqrt(40)
    # 2,000 resamples know a spread to 1.6 %.
    assert found.details["standard error"] == pytest.approx(expected, rel=0.06)
    assert found.noise == pytest.approx(found.details["standard error"] / found.value)


def test_a_median_is_taken_as_one(errors):
    found = metric(errors, "median")
    assert found.value == pytest.approx(np.median(errors))
    outlier = np.where(errors == errors.max(), 1e6, errors)
    assert metric(outlier, "median").value == pytest.approx(found.value)


def test_a_small_gain_on_every_case_counts_where_unpaired_errors_would_hide_it(errors):
    before, now = metric(errors), metric(0.97 * errors)
    difference = paired_difference(before, now)
    assert difference is not None
    assert difference.value == pytest.approx(-0.03 * errors.mean(), rel=1e-3)
    assert difference.standard_error < 0.1 * before.details["standard error"]
    assert verdict(before, now).word == "better"
    assert verdict(now, before).word == "worse"


def test_a_change_within_chance_is_none(errors):
    scattered = errors + np.random.default_rng(2).normal(0, 1, size=40)
    assert verdict(metric(errors), metric(scattered)).word == "same"


def test_only_the_cases_of_both_runs_are_compared(errors):
    found = verdict(metric(errors), metric(errors[:4]))
    assert (found.word, found.ratio) == ("same", 1.0)
    assert found.before == pytest.approx(errors[:4].mean(), rel=1e-4)  # five digits are kept
    one = verdict(metric(errors), metric(2 * errors[:1]))
    assert one.word == "same"  # nothing is known of the spread of one difference


def test_of_few_cases_chance_may_do_more():
    # Quantiles of Student's t at 0.975.
    assert chance(1.0, 1000) == pytest.approx(1.96, abs=0.01)
    assert chance(1.0, 4) == pytest.approx(3.18, abs=0.01)
    assert chance(1.0, 1) == float("inf")


def test_what_is_neither_better_nor_worse_only_changes(errors):
    before = metric(errors, lower_is_better=None)
    assert verdict(before, metric(2 * errors, lower_is_better=None)).word == "changed"


def test_a_number_that_is_none_is_an_error():
    with pytest.raises(ValueError, match="finite"):
        metric([1.0, float("nan")])
    with pytest.raises(ValueError, match="cases"):
        metric([])


@pytest.mark.parametrize(
    ("value", "error", "sign", "text"),
    [
        (0.8812, 0.0921, "-", "0.881 ± 0.092"),
        (40.88, 9.7, "-", "40.9 ± 9.7"),
        (366.1, 63.0, "+", "+366 ± 63"),
        (-0.0067, 0.043, "+", "-0.007 ± 0.043"),
        (1.0, 0.0, "-", "1 ± 0"),
    ],
)
def test_a_value_is_said_as_exactly_as_it_is_known(value, error, sign, text):
    assert with_error(value, error, sign) == text
