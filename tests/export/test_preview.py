"""The sheet by which a fit is judged shows what it says."""

import numpy as np
import pytest

from fit3dmm.export.preview import LABELS, panels, preview
from tests.export.faces import fitted, known_face

PANEL_PX = 120


@pytest.fixture(scope="module")
def known():
    return known_face(yaw_rad=0.1)


@pytest.fixture(scope="module")
def result(known):
    return fitted(known)


def cut(sheet: np.ndarray) -> dict[str, np.ndarray]:
    top = (sheet.shape[0] - PANEL_PX) // 2
    rows = sheet[top : top + PANEL_PX].astype(int)
    return dict(zip(LABELS, np.split(rows, len(LABELS), axis=1), strict=True))


def test_the_panels(known, result):
    sheet = preview(result, known.model, known.photo, PANEL_PX)
    assert sheet.shape[1] == len(LABELS) * PANEL_PX
    seen = cut(sheet)
    for name, picture in panels(result, known.model, known.photo, PANEL_PX).items():
        np.testing.assert_array_equal(picture, seen[name])
    middle = (slice(50, 70), slice(50, 70))
    # A good fit reconstructs the photo: within a few bytes on average.
    assert np.abs(seen["photo"] - seen["reconstruction"]).mean() < 4
    # Grey geometry has no colour; where nothing differs the residual is grey.
    assert np.ptp(seen["geometry"], axis=2).max() <= 1
    assert np.abs(seen["residual x 3"] - 128).mean() < 8
    # The overlay lies between photo and geometry.
    low = np.minimum(seen["photo"], seen["geometry"])[middle]
    high = np.maximum(seen["photo"], seen["geometry"])[middle]
    assert ((seen["overlay"][middle] >= low - 2) & (seen["overlay"][middle] <= high + 2)).all()


def test_a_wrong_fit_shows(known, result):
    shifted = result.scene.pose.replace(
        translation_mm=result.scene.pose.translation_mm
        + result.scene.pose.translation_mm.new_tensor([15.0, 0, 0])
    )
    wrong = result.replace(scene=result.scene.replace(pose=shifted))
    good = cut(preview(result, known.model, known.photo, PANEL_PX))["residual x 3"]
    bad = cut(preview(wrong, known.model, known.photo, PANEL_PX))["residual x 3"]
    assert np.abs(bad - 128).mean() > 2 * np.abs(good - 128).mean()


def test_labels_are_written(known, result):
    sheet = preview(result, known.model, known.photo, PANEL_PX)
    line = (sheet.shape[0] - PANEL_PX) // 2
    for k in range(len(LABELS)):
        label = sheet[:line, k * PANEL_PX : (k + 1) * PANEL_PX]
        assert label.min() < 150 < 250 < label.max()
    assert sheet[-line:].min() < 150
