"""What the trained model of skin is trained on."""

import numpy as np
import pytest

import train_skin
from fit3dmm.observe.skin.pixels import LabelledPixels
from skin_portraits import even_choice, without_strangers


def _pixels(group, colours, is_skin):
    return LabelledPixels("a", group, np.asarray(colours, dtype=np.float32), np.asarray(is_skin))


def test_dark_tones_count_twice_and_no_other_does():
    pictures = [_pixels(f"Monk {tone}", [[0, 0, 0]], [True]) for tone in range(1, 11)]
    groups = [one.group for one in train_skin.counted(pictures)]
    assert len(groups) == len(set(groups)) == 14
    assert {group for group in groups if "again" in group} == {
        f"Monk {tone} again" for tone in (7, 8, 9, 10)
    }


def test_photos_are_learned_from_or_scored_and_never_both(tmp_path):
    for number in range(100):
        (tmp_path / f"{number:03}.jpg").touch()
    learned, scored = train_skin.training_photos(tmp_path), train_skin.held_out_photos(tmp_path)
    assert (len(learned), len(scored)) == (40, 20)
    assert not set(learned) & set(scored)
    assert len(even_choice(tmp_path, 1000)) == 100


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="no JPEG or PNG"):
        even_choice(tmp_path, 3)


def test_what_looks_unlike_the_rest_of_a_face_goes():
    draw = np.random.default_rng(0)
    skin = np.clip(draw.normal([0.7, 0.5, 0.4], 0.03, (900, 3)), 0, 1)
    hair, wall = np.full((50, 3), 0.05), np.full((300, 3), 0.05)
    pixels = _pixels("", np.concatenate([skin, hair, wall]), np.arange(1250) < 950)
    kept = without_strangers(pixels)
    assert kept.colours_srgb[kept.is_skin].min() > 0.2
    assert (~kept.is_skin).sum() == 300
    assert kept.is_skin.sum() == pytest.approx(855, abs=1)
