import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from fit3dmm._errors import InputError
from fit3dmm.synthetic.generate import make_case
from fit3dmm.synthetic.truth import read_truth, write_truth


def test_the_same_case_is_the_same_photo(small_case):
    photograph, truth = small_case
    again, _ = make_case(truth.case)
    assert again.jpeg == photograph.jpeg


def test_photo_is_a_jpeg_of_the_asked_size_without_exif(small_case):
    photograph, truth = small_case
    with Image.open(io.BytesIO(photograph.jpeg)) as picture:
        assert picture.format == "JPEG"
        assert picture.size == (truth.case.width_px, truth.case.height_px)
        assert len(picture.getexif()) == 0


def test_vertices_project_where_the_photo_shows_them(small_case):
    _, truth = small_case
    x, y, z = truth.expressive_cam_mm.T
    px = np.column_stack(
        [
            truth.case.width_px / 2 + truth.focal_px * x / -z,
            truth.case.height_px / 2 - truth.focal_px * y / -z,
        ]
    )
    column, row = np.floor(px[truth.visible & (truth.face > 0.9)]).astype(int).T
    # The rims of face and fringe share their pixels with what is behind.
    near = binary_dilation(truth.face_pixels, np.ones((3, 3)))
    assert near[row, column].mean() > 0.995
    assert near.mean() < 0.5


def test_landmarks_lie_on_the_head_and_in_the_photo(small_case):
    _, truth = small_case
    x, y, z = truth.landmarks68_cam_mm.T
    px = np.column_stack(
        [
            truth.case.width_px / 2 + truth.focal_px * x / -z,
            truth.case.height_px / 2 - truth.focal_px * y / -z,
        ]
    )
    # Camera in float64 both times.
    np.testing.assert_allclose(px, truth.landmarks68_px, atol=1e-3)
    gap = np.linalg.norm(truth.landmarks68_mm[:, None] - truth.neutral_mm, axis=2).min(axis=1)
    # The nearest of vertices that are up to six millimetres apart on the jaw.
    assert gap.max() < 4
    assert ((px > 0) & (px < [truth.case.width_px, truth.case.height_px])).all()


def test_face_is_well_exposed_and_light_in_units_of_the_photo(small_case):
    photograph, truth = small_case
    with Image.open(io.BytesIO(photograph.jpeg)) as picture:
        srgb = np.asarray(picture, dtype=np.float64) / 255
    shown = srgb[truth.face_pixels]
    assert 0.08 < shown.mean() < 0.9
    assert (shown > 0.99).mean() < 0.1
    linear = ((shown + 0.055) / 1.055) ** 2.4
    # Albedo times irradiance, with shadows and gloss, which differ by a factor of two or so.
    expected = truth.case.tone * truth.radiance.mean()
    assert 0.5 < linear.mean() / expected < 2


def test_the_mask_says_where_the_fringe_is(small_case):
    _, truth = small_case
    share = truth.hidden.sum() / (truth.hidden.sum() + truth.face_pixels.sum())
    assert 0.02 < share < 0.5
    assert not (truth.hidden & truth.face_pixels).any()
    # The forehead is hidden, so its vertices are not visible.
    forehead = truth.neutral_mm[:, 1] > truth.landmarks68_mm[17:27, 1].max() + 25
    front = truth.face > 0.9
    assert truth.visible[front & forehead].mean() < 0.5 * truth.visible[front & ~forehead].mean()


def test_a_truth_comes_back_from_its_file(small_case, tmp_path):
    _, truth = small_case
    write_truth(truth, tmp_path / "a.h5")
    write_truth(truth, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    back = read_truth(tmp_path / "a.h5")
    for field in dataclasses.fields(truth):
        given, kept = getattr(truth, field.name), getattr(back, field.name)
        if isinstance(given, np.ndarray) and given.dtype == np.float64:
            # Stored as float32.
            np.testing.assert_allclose(kept, given, rtol=1e-6, atol=1e-5)
        elif isinstance(given, np.ndarray):
            np.testing.assert_array_equal(kept, given)
        else:
            assert kept == given


def test_a_damaged_truth_is_named(tmp_path):
    (tmp_path / "0001.h5").write_bytes(b"no HDF5")
    with pytest.raises(InputError, match=r"0001\.h5"):
        read_truth(tmp_path / "0001.h5")


def test_focal_length_and_size_of_the_head_go_together(small_case):
    _, truth = small_case
    case = truth.case
    assert truth.focal_px == pytest.approx(
        case.focal_35mm / np.hypot(36, 24) * np.hypot(case.width_px, case.height_px)
    )
