"""What signs could tell of a step of refining, by hand."""

import numpy as np
import pytest

from refine_signs import Looked, area, best_rule, sign_metrics
from refine_tables import SIGNS_GROUP, refine_signs_table
from report import Metric, Report


def test_a_sign_that_knows_and_one_that_does_not():
    better = np.array([True, True, False, False])
    assert area(np.array([4.0, 3.0, 2.0, 1.0]), better) == 1.0
    assert area(np.array([1.0, 2.0, 3.0, 4.0]), better) == 0.0
    assert area(np.array([1.0, 4.0, 1.0, 2.0]), better) == pytest.approx((0.5 + 0 + 1 + 1) / 4)
    assert area(np.ones(4), np.ones(4, bool)) == 0.5


def test_the_best_rule_makes_nothing_worse():
    sign, helped = np.array([5.0, 4.0, 3.0, 2.0]), np.array([0.2, 0.3, -0.1, 0.4])
    np.testing.assert_array_equal(best_rule(sign, helped), [True, True, False, False])
    assert best_rule(sign, np.abs(helped)).all()
    assert not best_rule(sign, -np.abs(helped)).any()


def test_rules_stand_beside_our_own_and_one_that_knows():
    names = ("gain", "gain in its noise", "gain of points", "gain of colours", "points explained")
    looked = {
        case: Looked(dict.fromkeys(names, sign), helped, taken)
        for case, sign, helped, taken in (
            ("a", 3.0, 0.4, True),
            ("b", 2.0, -0.2, True),
            ("c", 1.0, 0.2, False),
            ("d", 0.0, -0.4, False),
        )
    }
    metrics = list(sign_metrics("identity", looked, f"{SIGNS_GROUP}noise"))
    found = {metric.name: metric.value for metric in metrics}
    assert found["identity our rule: worse"] == 0.25
    assert found["identity our rule: gain"] == pytest.approx(0.05)
    assert found["identity knowing the truth: gain"] == pytest.approx(0.15)
    assert found["identity by gain: area"] == 0.75
    assert found["identity by gain: gain"] == pytest.approx(0.1)
    assert found["identity always: taken"] == 1
    count = Metric("pictures with a face", 4, "pictures", group="noise")
    report = Report("refine", "", 0, None, {}, {}, 0.0, (count, *metrics))
    rows = refine_signs_table(report).splitlines()
    assert "| identity our rule | 2 of 4 | 1 of 4 | 0.05 |  |" in rows
    assert "| identity by gain | 1 of 4 | 0 of 4 | 0.1 | 0.75 |" in rows
