"""Labels, even samples, and scores."""

import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.observe.skin import SkinModel
from fit3dmm.observe.skin.pixels import LabelledPixels, even_sample, labelled_pixels
from fit3dmm.observe.skin.scores import area_under_curve, mean_score, score_picture
from tests.observe.skin.examples import colours


def _picture(name, group, n_skin, n_other, level=0.5):
    is_skin = np.repeat([True, False], [n_skin, n_other])
    return LabelledPixels(name, group, np.full((len(is_skin), 3), level, np.float32), is_skin)


def test_grey_of_a_mask_is_left_out():
    image = np.arange(12, dtype=np.uint8).reshape(1, 4, 3)
    mask = np.array([[255, 128, 0, 200]], dtype=np.uint8)
    found = labelled_pixels("a", "", image, mask)
    assert found.is_skin.tolist() == [True, False, True]
    np.testing.assert_allclose(255 * found.colours_srgb, image[0, [0, 2, 3]], atol=1e-5)


def test_groups_and_their_pictures_count_the_same():
    """However few pictures and pixels they have: the darkest tone as much as the lightest."""
    pictures = [_picture("a", "light", 900, 500, 0.9), _picture("b", "light", 50, 10, 0.8)]
    pictures.append(_picture("c", "dark", 7, 3, 0.1))
    found, is_skin = even_sample(pictures, 101, seed=0)
    assert len(found) == 2 * 2 * 101
    assert is_skin.sum() == 2 * 101
    for kind in (is_skin, ~is_skin):
        levels, counts = np.unique(found[kind][:, 0].round(3), return_counts=True)
        assert levels.tolist() == pytest.approx([0.1, 0.8, 0.9])
        assert counts[0] == 101
        assert abs(int(counts[1]) - int(counts[2])) <= 1


def test_labels_stay_with_their_colours():
    skin, other = _picture("a", "", 5, 0, 0.9), _picture("b", "", 0, 5, 0.1)
    found, is_skin = even_sample([skin, other], 20, seed=0)
    np.testing.assert_allclose(found[:, 0], np.where(is_skin, 0.9, 0.1), atol=1e-6)


def test_a_group_of_one_kind_is_refused():
    with pytest.raises(InputError, match="of the group 'x' shows anything but skin"):
        even_sample([_picture("a", "x", 5, 0)], 10, seed=0)


def test_the_area_is_the_chance_that_skin_ranks_higher():
    draw = np.random.default_rng(0)
    values, is_skin = draw.integers(0, 6, 60).astype(float), draw.uniform(size=60) < 0.4
    skin, other = values[is_skin][:, None], values[~is_skin][None]
    wanted = ((skin > other) + 0.5 * (skin == other)).mean()
    assert area_under_curve(values, is_skin) == pytest.approx(wanted, abs=1e-12)


def test_scores_of_pictures():
    x, y = colours(200)
    score = score_picture(SkinModel.jones_rehg(), LabelledPixels("a", "", x.astype("f4"), y))
    assert score is not None
    assert score.auc > 0.95
    assert score.tpr > 0.8 > 0.2 > score.fpr
    assert mean_score([score, score]) == score
    assert score_picture(SkinModel.jones_rehg(), _picture("b", "", 5, 0)) is None
