"""The contact sheet shows what it says: faces everywhere, and modes that differ."""

import numpy as np
import pytest
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.export.contact_sheet import COLUMNS, contact_sheet, unnamed_sheet, write_sheet
from tests.toy import toy_model

TILE_PX = 40


def tiles_of(sheet: np.ndarray, row: int) -> np.ndarray:
    """The faces of a row, without their captions."""
    height = round(1.25 * TILE_PX)
    top = row * (height + 12)
    return np.stack(
        [sheet[top : top + height, k * TILE_PX : (k + 1) * TILE_PX] for k in range(COLUMNS)]
    ).astype(float)


def test_rows_show_turns_modes_and_people(tmp_path):
    model = toy_model(level=1)
    sheet = contact_sheet(model, tile_px=TILE_PX)
    # Turns, two rows each of identity, detail and colour, one of five units, three of people.
    assert sheet.shape == (11 * (50 + 12), COLUMNS * TILE_PX, 3)
    centre = tiles_of(sheet, 0)[:, 15:35, 12:28]
    # Skin, which is redder than the grey background, fills the middle of each tile.
    assert (centre[..., 0] - centre[..., 2] > 15).mean() > 0.9
    brighter, darker = tiles_of(sheet, 5)[0], tiles_of(sheet, 6)[0]
    assert brighter[20:30, 15:25].mean() > darker[20:30, 15:25].mean() + 20
    people = tiles_of(sheet, 8)
    assert np.abs(people[1:] - people[:-1]).mean(axis=(1, 2, 3)).min() > 1
    write_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as picture:
        assert picture.size == (sheet.shape[1], sheet.shape[0])


def test_the_seed_decides_on_the_people_and_on_nothing_else():
    model = toy_model(level=0)
    one, other = (contact_sheet(model, seed, TILE_PX) for seed in (0, 1))
    people = 8 * (50 + 12)
    np.testing.assert_array_equal(one[:people], other[:people])
    assert (one[people:] != other[people:]).any()


def test_a_picture_that_nobody_named_replaces_only_its_like(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture = np.zeros((4, 4, 3), dtype=np.uint8)
    for _ in range(2):
        write_sheet(picture, unnamed_sheet("portrait"))
    Image.fromarray(picture).save("me.png")
    (tmp_path / "notes.png").write_bytes(b"mine")
    for name in ("me", "notes"):
        with pytest.raises(InputError, match=r"is there already: say where .* with --output"):
            unnamed_sheet(name)
