import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.synthetic.protocol import groups_of
from fit3dmm.synthetic.specification import (
    DISTANCE_MM,
    EVEN_TONES,
    FOCAL_MM,
    FRONTAL_DEG,
    TONES,
    TURNED_DEG,
    case_indices,
    specify,
)


def dozen(split="test", seed=0, edition="v1"):
    return [specify(seed, i, edition=edition) for i in case_indices(12, split)]


def test_splits_share_no_case():
    validation, test = case_indices(24, "validation"), case_indices(24, "test")
    assert len(validation) == len(test) == 24
    assert not set(validation) & set(test)
    assert case_indices(4, "all") == [0, 1, 2, 3]
    with pytest.raises(InputError, match="1 or more"):
        case_indices(0, "all")


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_dozen_covers_every_quantity_evenly(split):
    cases = dozen(split)
    yaw = np.sort([abs(c.yaw_deg) for c in cases])
    focal = np.sort([np.log(c.focal_35mm / FOCAL_MM[0]) for c in cases])
    tone = np.sort([np.log(c.tone / TONES[0]) for c in cases])
    for values, most in (
        (yaw, 60.0),
        (focal, np.log(FOCAL_MM[1] / FOCAL_MM[0])),
        (tone, np.log(TONES[1] / TONES[0])),
    ):
        np.testing.assert_array_equal((12 * values / most).astype(int), np.arange(12))
    assert sum(c.occluder != "" for c in cases) == 4
    assert sum(c.expression != "" for c in cases) == 6
    assert len({c.probe for c in cases}) == 12
    assert sum(c.yaw_deg > 0 for c in cases) == 6


@pytest.mark.parametrize("split", ["test", "validation"])
def test_a_dozen_of_the_second_edition_is_as_people_are_photographed(split):
    cases = dozen(split, edition="v2")
    yaw = np.abs([c.yaw_deg for c in cases])
    assert (yaw <= FRONTAL_DEG).sum() == 6
    assert yaw.max() <= TURNED_DEG
    assert sum(c.yaw_deg > 0 for c in cases) == 6
    low, high = np.cbrt(EVEN_TONES)
    tone = np.sort([(np.cbrt(c.tone) - low) / (high - low) for c in cases])
    np.testing.assert_array_equal((12 * tone).astype(int), np.arange(12))
    assert sum(c.expression == "" for c in cases) == 5
    assert sum(c.expression in ("smile", "laugh") for c in cases) == 5
    assert sum(c.occluder != "" for c in cases) == 3
    assert sum(not c.soft_light for c in cases) == 2
    # The head fills its share of the photo at the distance that was meant, for all but those
    # whose lens would have to be wider than a phone's.
    for case in cases:
        focal_px = case.focal_35mm / np.hypot(36, 24) * np.hypot(case.width_px, case.height_px)
        distance_mm = focal_px * 232 / (case.face_share * min(case.width_px, case.height_px))
        assert distance_mm < 1.01 * DISTANCE_MM[1]
        assert distance_mm > 0.99 * DISTANCE_MM[0]
        assert case.focal_35mm >= FOCAL_MM[0]


def test_the_first_edition_stays_what_it_was():
    case = specify(0, 7, edition="v1")
    numbers = (case.yaw_deg, case.focal_35mm, case.tone, case.probe_turn)
    by_then = (-47.829281264910264, 75.4314384114408, 0.03303835754251396, 0.600039480495912)
    assert numbers == pytest.approx(by_then, rel=1e-12)
    assert (case.expression, case.occluder, case.probe) == ("", "microphone", "hall")
    assert not case.soft_light


def test_every_bin_has_a_case_in_a_dozen():
    groups = [group for case in dozen() for group in groups_of(case)]
    assert {group: groups.count(group) for group in groups} == {
        "yaw 0-20": 4, "yaw 20-40": 4, "yaw 40-60": 4,
        "tone dark": 4, "tone medium": 4, "tone light": 4,
        "focal 24-35": groups.count("focal 24-35"),
        "focal 35-70": groups.count("focal 35-70"),
        "focal 70-135": groups.count("focal 70-135"),
        "clear": 8, "occluded": 4, "expression": 6, "at rest": 6,
    }  # fmt: skip
    assert min(groups.count(f"focal {name}") for name in ("24-35", "35-70", "70-135")) >= 2


def test_quantities_do_not_go_together():
    cases = [specify(0, i, edition="v1") for i in case_indices(96, "test")]
    table = np.array([[abs(c.yaw_deg), np.log(c.focal_35mm), np.log(c.tone)] for c in cases])
    # Chance alone gives some 0.1 with 96 cases.
    assert np.abs(np.corrcoef(table.T) - np.eye(3)).max() < 0.3


def test_a_case_depends_on_nothing_but_seed_and_number():
    assert specify(3, 17) == specify(3, 17)
    assert specify(3, 17) != specify(4, 17)
    one, other = specify(3, 17).generator("hair"), specify(3, 17).generator("skin")
    assert one.uniform() != other.uniform()
    assert specify(3, 17).generator("hair").uniform() == specify(3, 17).generator("hair").uniform()


def test_the_in_model_set_has_no_occluders():
    assert not any(specify(0, i, "in-model").occluder for i in range(48))
