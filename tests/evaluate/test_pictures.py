import numpy as np
from PIL import Image

from fit3dmm.evaluate.contact_sheet import draw_surface, error_colours, write_contact_sheet
from fit3dmm.evaluate.curve import axis_ticks, draw_curve
from fit3dmm.evaluate.protocol import Case, Curves, LandmarkPicture, Score, SurfacePicture
from tests.evaluate import tiny_sets


def test_ticks_are_round_and_few():
    assert axis_ticks(8.0) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    np.testing.assert_allclose(axis_ticks(0.5), np.arange(11) / 20)
    for limit in (0.013, 1.0, 7.7, 99.0, 1234.5):
        ticks = axis_ticks(limit)
        assert 4 <= len(ticks) <= 11
        assert ticks[-1] <= limit * (1 + 1e-9)


def test_a_curve_passes_through_its_points():
    """Errors of exactly 2 of 8: a vertical line at a quarter of the width."""
    image = np.asarray(draw_curve(Curves("mm", 8.0, {"only": np.full(100, 2.0)}), "title"))
    blue = (np.abs(image.astype(int) - [0, 114, 178]).sum(axis=2) < 60)[60:400]
    columns = np.flatnonzero(blue.sum(axis=0) > 200)
    quarter = 84 + (900 - 84 - 30) / 4
    assert abs(columns.mean() - quarter) < 2


def test_empty_curves_are_left_out():
    some = {"some": np.full(9, 2.0)}
    alone = np.asarray(draw_curve(Curves("mm", 8.0, some), "title"))
    beside = np.asarray(draw_curve(Curves("mm", 8.0, some | {"none": np.zeros(0)}), "title"))
    # Neither a line nor a row of the legend.
    np.testing.assert_array_equal(beside, alone)
    nothing = np.asarray(draw_curve(Curves("mm", 8.0, {"none": np.zeros(0)}), "title"))
    assert not np.array_equal(nothing, alone)


def test_a_surface_is_seen_from_the_front_with_its_errors():
    face = tiny_sets.face(1)
    left = np.where(face.vertices[:, 0] > 0, 5.0, 0.0)  # all error on the subject's left
    image = np.asarray(draw_surface(SurfacePicture(face.vertices, face.triangles, left), 200))
    assert image[100, 50, 2] > image[100, 50, 0]  # the picture's left half is blue: no error
    assert image[100, 130].min() > 100  # the subject's left is on the picture's right, near white


def test_colours_saturate():
    colours = error_colours(np.array([0.0, 5.0, 500.0]))
    np.testing.assert_array_equal(colours[1], colours[2])
    assert colours[0].sum() < colours[1].sum()


def test_the_sheet_survives_photos_that_are_gone(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    points = tiny_sets.IBUG68_XY + 200
    scores = [
        (
            Case("a/b", photo=tmp_path / "broken.jpg"),
            Score({"x": 1.0}, picture=LandmarkPicture(points, points + 3)),
        ),
        (Case("c" * 80, photo=None), Score({"x": 0.5})),
    ]
    write_contact_sheet(tmp_path / "sheet.png", scores, "x", "worst")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (520, 260 + 44 + 40)
