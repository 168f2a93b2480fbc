"""Weights of the verdict, and the photos that they are found on."""

import numpy as np
import pytest

import run_quality
from degraded import CHANGES


def test_weights_come_back_and_none_is_below_zero():
    generator = np.random.default_rng(0)
    amounts = generator.normal(size=(20000, 3))
    odds = -1.0 + amounts @ [1.5, 0.5, -1.0]
    is_worse = generator.uniform(size=len(odds)) < 1 / (1 + np.exp(-odds))
    intercept, weights = run_quality.logistic_weights(amounts, is_worse)
    # Without the third, which may not count, and with the ridge, the others shrink.
    assert weights[2] == 0
    assert 2 < weights[0] / weights[1] < 4
    assert 0.7 < weights[0] < 1.5
    assert -1.2 < intercept < -0.5


def test_shares_below_count_equal_ones_half():
    shares = run_quality.shares_below([0.5, 0.1], [0.1, 0.5, 0.2, 0.9])
    np.testing.assert_allclose(shares, [2.5 / 4, 0.5 / 4])


@pytest.mark.parametrize("name", CHANGES)
def test_changed_photos_are_photos(name):
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    before = pixels.copy()
    points = generator.uniform([30, 20], [90, 80], (68, 2))
    changed = CHANGES[name](pixels, points, np.random.default_rng(2))
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    np.testing.assert_array_equal(pixels, before)
    if name == "small":
        assert max(changed.shape[:2]) < 120 or np.ptp(points, axis=0).max() < 80
    else:
        assert changed.shape == pixels.shape
        assert (name == "as it is") == np.array_equal(changed, pixels)
    again = CHANGES[name](pixels, points, np.random.default_rng(2))
    np.testing.assert_array_equal(changed, again)


def test_the_largest_area_is_what_true_chances_give():
    generator = np.random.default_rng(0)
    chances = generator.beta(0.5, 4, 600)
    most = run_quality.most_auc(chances)
    found = []
    for _ in range(200):
        is_worse = generator.uniform(size=len(chances)) < chances
        found.append(run_quality.shares_below(chances[is_worse], chances[~is_worse]).mean())
    assert abs(np.mean(found) - most) < 0.01
    assert run_quality.most_auc([0.3] * 10) == 0.5
    assert run_quality.most_auc([0.0, 1.0]) == 1.0
