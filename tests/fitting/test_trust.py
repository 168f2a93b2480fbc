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
    point_doubt=0.01,
)
# Each sign, made much worse than on any usable photo, and the cause that it is a sign of.
WORSE = {
    "landmark_error_mm": (3.0, "points"),
    "raw_error_mm": (8.0, "lips and lids"),
    "photometric_error": (0.6, "colours"),
    "explained_share": (0.1, "cover"),
    "colour_evidence": (5.0, "evidence"),
    "turn_deg": (75.0, "turn"),
    "face_px": (20.0, "size"),
    "sharpness": (0.01, "blur"),
    "distance_log_sigma": (0.6, "distance"),
    "departure": (0.02, "mean face"),
    "point_doubt": (0.3, "unsure"),
}


def test_every_sign_has_a_cause_and_none_speaks_for_a_fit():
    assert {field.name for field in fields(Signs)} == {*WORSE, "network_looked"}
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
