"""What speaks against a fit raises its chance of failure, and is what is named."""

from dataclasses import fields, replace

import pytest

from fit3dmm.fitting.trust import (
    CAUSES,
    WEIGHTS,
    Signs,
    failure_chance,
    main_cause,
)

FAULTLESS = Signs(
    face_px=220.0,
    landmark_error_mm=0.45,
    raw_error_mm=1.3,
    photometric_error=0.07,
    explained_share=0.95,
    colour_evidence=60.0,
    turn_deg=5.0,
    sharpness=0.35,
    distance_log_sigma=0.22,
    departure=0.7,
    point_doubt=0.007,
    mean_face_chance=0.01,
    likeness=0.9,
)
# Each sign, made much worse than on any usable photo, and the cause that it is a sign of.
WORSE = {
    "landmark_error_mm": (3.0, "points"),
    "raw_error_mm": (8.0, "lips and lids"),
    "photometric_error": (0.6, "colours"),
    "explained_share": (0.1, "cover"),
    "turn_deg": (75.0, "turn"),
    "face_px": (20.0, "size"),
    "point_doubt": (0.3, "unsure"),
    "mean_face_chance": (0.9, "mean face"),
    "likeness": (-0.9, "two faces"),
}
# These are told, or say why points are hard to find.
BESIDE = {"sharpness", "colour_evidence", "distance_log_sigma", "departure", "network_looked"}


def test_every_sign_has_a_cause_and_none_speaks_for_a_fit():
    assert {field.name for field in fields(Signs)} == {*WORSE, *BESIDE}
    assert {name for _, name in WORSE.values()} == set(CAUSES)
    assert set(WEIGHTS) <= set(CAUSES)
    assert all(weight.log_odds >= 0 for weight in WEIGHTS.values())


@pytest.mark.parametrize("sign", WORSE)
def test_a_worse_sign_never_lowers_the_chance_and_is_named(sign):
    value, name = WORSE[sign]
    worse = replace(FAULTLESS, **{sign: value})
    assert failure_chance(worse) >= failure_chance(FAULTLESS)
    if name in WEIGHTS and WEIGHTS[name].log_odds > 0:
        assert failure_chance(worse) > failure_chance(FAULTLESS)
        assert main_cause(worse) == CAUSES[name].remark(worse)


def test_a_faultless_photo_is_trusted_and_one_with_every_fault_is_not():
    assert failure_chance(FAULTLESS) < 0.3
    assert failure_chance(Signs(**{sign: value for sign, (value, _) in WORSE.items()})) > 0.8


@pytest.mark.parametrize(
    ("sign", "value", "word"),
    [
        ("sharpness", 0.08, "blurred"),
        ("sharpness", 0.6, "grainy"),
        ("face_px", 60.0, "60 px"),
        ("turn_deg", 52.0, "turned"),
        ("explained_share", 0.8, "before it"),
    ],
)
def test_what_makes_points_hard_to_find_is_named(sign, value, word):
    unsure = replace(FAULTLESS, point_doubt=0.03, **{sign: value})
    assert word in main_cause(unsure)
    # So is what makes two looks differ, where it is seen.
    differing = replace(FAULTLESS, likeness=-0.5, **{sign: value})
    assert (word in main_cause(differing)) == (word != "before it")


def test_the_chance_rises_step_by_step_with_that_of_the_mean_face():
    chances = [
        failure_chance(replace(FAULTLESS, mean_face_chance=chance))
        for chance in (0.0, 1e-3, 0.1, 0.5, 0.9, 1.0)
    ]
    assert chances == sorted(chances)
    assert chances[1] < chances[-2]


def test_where_nothing_was_compared_nothing_is_trusted():
    assert failure_chance(Signs(face_px=200.0, turn_deg=0.0)) == 1.0
    assert failure_chance(replace(FAULTLESS, photometric_error=None)) < 1.0


# How large the face is in its photo is always known.
@pytest.mark.parametrize("sign", [sign for sign in WORSE if sign != "face_px"])
def test_an_unknown_sign_counts_as_usual(sign):
    value, name = WORSE[sign]
    unknown = failure_chance(replace(FAULTLESS, **{sign: None}))
    assert unknown <= failure_chance(replace(FAULTLESS, **{sign: value}))
    assert CAUSES[name].amount(Signs(face_px=220.0)) is None
