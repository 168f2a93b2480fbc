"""Masks of rendered skin, and the tones that it has."""

import dataclasses
import itertools

import numpy as np
import pytest

from fit3dmm.model.files import load_model
from fit3dmm.observe.predicted import HAND
from fit3dmm.observe.skin.pixels import OTHER, SKIN, UNKNOWN
from fit3dmm.synthetic.fast import Studio, StudioSettings
from fit3dmm.synthetic.fast.skin_masks import skin_mask
from fit3dmm.synthetic.fast.skin_pictures import (
    LEAST_SKIN,
    LIGHT_COLOURS,
    MONK_TONES,
    light_colour,
    monk_luminance,
    nearest_monk,
    skin_pictures,
)


@pytest.fixture(scope="module")
def studio():
    settings = StudioSettings(size_px=64, cover_cells=64, hair_styles=2, beard_styles=1)
    return Studio(load_model(level=0), settings=settings)


def test_a_mask_follows_the_map_of_what_covers_the_face(studio):
    example = studio.take(3)
    mask = skin_mask(example)
    assert set(np.unique(mask)) <= {SKIN, UNKNOWN, OTHER}
    assert (example.cover[mask == SKIN] == 1).all()
    assert (example.cover[mask == OTHER] != 1).all()
    hand = dataclasses.replace(example, cover=np.full_like(example.cover, HAND))
    assert (skin_mask(hand) == UNKNOWN).all()


def test_eyes_and_lips_are_no_skin(studio):
    example = studio.take(3)
    # Corners of the eyes, and of the mouth: between them lies what is left out.
    for left, right in ((33, 133), (362, 263), (61, 291)):
        x, y = example.points_px[[left, right]].mean(axis=0).astype(int)
        if 0 <= x < 64 and 0 <= y < 64:
            assert skin_mask(example)[y, x] != SKIN


def test_a_coarse_map_is_refused(studio):
    coarse = dataclasses.replace(studio.take(0), cover=np.zeros((16, 16), dtype=np.uint8))
    with pytest.raises(ValueError, match="a cell for each of 64 pixels"):
        skin_mask(coarse)


def test_tones_are_asked_for_and_change_nothing_else(studio):
    as_drawn, dark = studio.take(5), studio.take(5, tone=0.05)
    assert dark.tone == pytest.approx(0.05)
    assert as_drawn.tone != dark.tone
    np.testing.assert_array_equal(as_drawn.points_px, dark.points_px)
    np.testing.assert_array_equal(as_drawn.cover, dark.cover)


def test_the_scale_goes_from_light_to_dark():
    assert list(MONK_TONES) == list(range(1, 11))
    light = [monk_luminance(tone) for tone in MONK_TONES]
    # The published swatches 2 and 3 are in the other order, by two hundredths.
    assert all(a > b for a, b in itertools.pairwise(light[2:]))
    assert min(light[:3]) > light[3]
    assert [nearest_monk(level) for level in light] == list(MONK_TONES)


def test_every_tone_has_as_many_pictures(studio):
    found = list(skin_pictures(studio, 1, seed=7))
    assert [one.monk for one in found] == list(MONK_TONES)
    assert [one.pixels.group for one in found] == [f"Monk {tone}" for tone in MONK_TONES]
    for one in found:
        assert one.light in LIGHT_COLOURS
        assert one.pixels.is_skin.sum() >= LEAST_SKIN * 64 * 64


def test_light_is_called_by_its_red_and_blue(studio):
    example = studio.take(0)
    for factor, name in (([2, 1, 1], "warm"), ([1, 1, 1], "neutral"), ([1, 1, 2], "cool")):
        sh = np.ones((9, 3), dtype=np.float32) * np.float32(factor)
        assert light_colour(dataclasses.replace(example, irradiance_sh=sh)) == name
