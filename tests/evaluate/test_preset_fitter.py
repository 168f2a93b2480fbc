import numpy as np
import pytest
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.evaluate.load_fitter import load_fitter
from fit3dmm.evaluate.preset_fitter import PresetFitter


@pytest.fixture(scope="module")
def face():
    """The quickest preset on the photo that the package ships."""
    found = PresetFitter("landmarks")(data_path("examples/astronaut.png"))
    assert found is not None
    return found


def test_gives_a_face_in_all_forms(face):
    assert face.neutral_mm.shape == face.expressive_mm.shape
    assert np.isfinite(face.neutral_mm).all()
    assert face.triangles.max() < len(face.neutral_mm)
    # A broad smile that shows the upper teeth draws the corners of the mouth by a centimetre.
    assert 5 < np.abs(face.expressive_mm - face.neutral_mm).max() < 25
    eyes = face.ibug68.take((36, 45)).locate(face.neutral_mm, face.triangles)
    assert 70 < np.linalg.norm(eyes[0] - eyes[1]) < 110  # outer corners of an adult in mm


def test_its_landmarks_lie_on_the_face_in_the_photo(face):
    with Image.open(data_path("examples/astronaut.png")) as photo:
        width, height = photo.size
    assert face.landmarks_px.min() > 0
    assert face.landmarks_px[:, 0].max() < width
    assert face.landmarks_px[:, 1].max() < height
    brows, chin = face.landmarks_px[17:27, 1].mean(), face.landmarks_px[8, 1]
    assert brows < face.landmarks_px[33, 1] < chin  # y points down
    # The subject's right eye is on the left of the picture.
    assert face.landmarks_px[36, 0] < face.landmarks_px[45, 0]


def test_nobody_is_none_and_not_an_error(tmp_path):
    Image.new("RGB", (200, 200), "white").save(tmp_path / "blank.png")
    assert PresetFitter("landmarks")(tmp_path / "blank.png") is None


def test_the_fingerprint_tells_presets_apart():
    prints = {PresetFitter(name).fingerprint for name in ("default", "landmarks", "fine")}
    assert len(prints) == 3
    assert load_fitter("landmarks").fingerprint in prints
    with pytest.raises(InputError, match="no preset"):
        load_fitter("sloppy")
