"""Lightness of skins: the pure parts by hand."""

from dataclasses import fields

import numpy as np
import pytest

from fit3dmm.synthetic.specification import specify
from run_colour import OnePerson, lightness, london_metrics, monk_tone, render_metrics, slope


def test_lightness_of_black_grey_and_white():
    # CIE: L* of 0.18419 is 50; the straight piece ends at 8.
    np.testing.assert_allclose(
        lightness([0.0, 0.008856, 0.184187, 1.0]), [0, 8, 50, 100], atol=0.01
    )


def test_slope_is_that_of_the_line():
    pairs = {str(k): (10.0 * k, 5.0 * k + 3) for k in range(5)}
    assert slope(pairs) == pytest.approx((0.5, 0.0))


def test_tones_run_from_light_to_dark():
    assert monk_tone(95.0) <= 2
    assert monk_tone(10.0) == 10
    assert monk_tone(70.0) < monk_tone(50.0) < monk_tone(30.0)


def test_metrics_of_three_faces():
    pairs = {"a": (30.0, 33.0), "b": (50.0, 49.0), "c": (70.0, 65.0)}
    found = {metric.name: metric for metric in render_metrics(pairs)}
    assert found["error"].value == pytest.approx(3.0)
    assert found["too light by"].value == pytest.approx(-1.0)
    assert found["slope of fitted over true lightness"].value == pytest.approx(0.8)


def test_two_photos_of_a_person_are_compared():
    pairs = {"1, neutral": (40.0, 41.0), "1, smiling": (42.0, 45.0), "2, neutral": (60.0, 59.0)}
    found = {metric.name: metric for metric in london_metrics(pairs)}
    assert found["two photos of one person apart"].cases == {"1": 4.0}


def test_a_person_stays_and_the_photos_chance_does_not():
    plain = specify(0, 1)
    known = {one.name: getattr(plain, one.name) for one in fields(plain)}
    a, b = (OnePerson(**known, photo=k) for k in (0, 1))
    assert a.generator("skin").random() == b.generator("skin").random()
    assert a.generator("exposure").random() != b.generator("exposure").random()
