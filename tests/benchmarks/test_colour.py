"""Lightness of skins: the pure parts by hand."""

from dataclasses import fields

import numpy as np
import pytest

from colour_metrics import london_metrics, public_metrics, render_metrics, slope
from fit3dmm.synthetic.specification import EVEN_TONES, specify
from monk_people import (
    lightness,
    lightness_of_tones,
    luminance_of,
    monk_cases,
    monk_tone,
    tones_of,
)
from run_colour import OnePerson, kept_pair


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
    assert [monk_tone(one) for one in lightness_of_tones()] == list(range(1, 11))


def test_lightness_and_luminance_undo_each_other():
    y = np.array([0.001, 0.02, 0.5])
    np.testing.assert_allclose(luminance_of(lightness(y)), y, rtol=1e-6)


def test_swatches_are_carried_to_the_tones_of_people():
    scale = luminance_of(lightness_of_tones())
    assert (scale.min(), scale.max()) == pytest.approx(EVEN_TONES)


def test_each_ten_cases_have_all_tones_and_the_splits_other_people():
    test = monk_cases(20, "test", 0, 400)
    tones = tones_of(test)
    for ten in (test[:10], test[10:]):
        assert sorted(tones[case.name] for case in ten) == list(range(1, 11))
    assert [tones[case.name] for case in test[:10]] != [tones[case.name] for case in test[10:]]
    assert monk_cases(5, "test", 0, 400) == test[:5]
    assert not tones.keys() & tones_of(monk_cases(20, "validation", 0, 400)).keys()


def test_what_was_fitted_is_not_fitted_again(tmp_path):
    (tmp_path / "0001.json").write_text('["0001", 50.0, 52.5]')
    # There is no photo that could be fitted.
    assert kept_pair("0001", tmp_path, tmp_path) == ("0001", 50.0, 52.5)


def test_metrics_of_three_faces():
    pairs = {"a": (30.0, 33.0), "b": (50.0, 49.0), "c": (70.0, 65.0)}
    tones = {"a": 9, "b": 6, "c": 6}
    found = {metric.name: metric for metric in render_metrics(pairs, tones, "all")}
    assert found["error"].value == pytest.approx(3.0)
    assert found["too light by"].value == pytest.approx(-1.0)
    assert found["slope of fitted over true lightness"].value == pytest.approx(0.8)
    assert found["error, Monk 6 (2)"].value == pytest.approx(3.0)
    assert found["too light by, Monk 9 (1)"].value == pytest.approx(3.0)
    assert "error, worst tone over best" not in found


def test_the_worst_tone_is_held_against_the_best():
    pairs = {str(k): (30.0 + k, 30.0 + k + (k + 1)) for k in range(10)}
    found = render_metrics(pairs, {str(k): k + 1 for k in range(10)}, "all")
    assert {m.name: m for m in found}["error, worst tone over best"].value == pytest.approx(10)


def test_public_people_are_told_apart():
    pairs = {"obama": (0.0, 40.0), "obama2": (0.0, 44.0), "biden": (0.0, 60.0)}
    found = {metric.name: metric for metric in public_metrics(pairs)}
    assert found["obama, lightest less darkest"].value == pytest.approx(4.0)
    assert found["biden, fitted"].value == pytest.approx(60.0)


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
