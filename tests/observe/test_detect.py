"""Faces are found whole, small, cut and several, and never guessed among."""

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.observe import FaceDetector, choose_faces, observe, photo_from_array, read_photo


@pytest.fixture(scope="module")
def detector():
    with FaceDetector() as detector:
        yield detector


@pytest.fixture(scope="module")
def astronaut():
    return read_photo(data_path("examples/astronaut.png"))


def _canvas(photo, places, size=(900, 900)) -> np.ndarray:
    """Grey picture with the photo's face shrunk to given widths at given corners."""
    canvas = Image.new("RGB", size, (120, 130, 140))
    face = Image.fromarray(photo.pixels_srgb.numpy()).crop((120, 0, 360, 240))
    for x, y, side in places:
        canvas.paste(face.resize((side, side), Image.Resampling.LANCZOS), (x, y))
    return np.array(canvas)


def test_points_lie_on_the_face(detector, astronaut):
    (face,) = detector.detect(astronaut)
    # Read off the picture by eye: the pupils and the tip of the nose, to 2 of 90 px.
    right_eye, left_eye, nose = face.points_px[468], face.points_px[473], face.points_px[4]
    assert torch.allclose(right_eye, torch.tensor([203.1, 100.3]), atol=2)
    assert torch.allclose(left_eye, torch.tensor([246.6, 103.1]), atol=2)
    assert torch.allclose(nose, torch.tensor([224.4, 128.0]), atol=2)
    scores = dict(zip(face.blendshape_names, face.blendshapes.tolist(), strict=True))
    assert len(scores) == 51
    assert scores["mouthSmileLeft"] > 0.5
    assert scores["eyeBlinkLeft"] < 0.3


def test_small_face_is_found_by_tiles(detector, astronaut):
    photo = photo_from_array(_canvas(astronaut, [(600, 150, 110)]))
    (face,) = detector.detect(photo)
    left, top, right, bottom = face.box_px
    assert 600 < left < right < 710
    assert 150 < top < bottom < 260


def test_face_that_fills_the_picture_is_found(detector, astronaut):
    tight = astronaut.pixels_srgb[68:182, 178:274].numpy()
    (face,) = detector.detect(photo_from_array(tight))
    assert torch.allclose(
        face.points_px[4] + torch.tensor([178.0, 68.0]), torch.tensor([224.4, 128.0]), atol=3
    )


def test_several_faces_are_listed_and_chosen(detector, astronaut):
    photo = photo_from_array(_canvas(astronaut, [(40, 60, 360), (480, 300, 300)]))
    faces = detector.detect(photo)
    assert len(faces) == 2
    assert faces[0].size_px > faces[1].size_px
    with pytest.raises(InputError, match=r"shows 2 face.*1: x .*2: x .*not said which"):
        choose_faces(faces, "only", "it")
    assert choose_faces(faces, "largest", "it") == faces[:1]
    assert choose_faces(faces, 2, "it") == faces[1:]
    assert choose_faces(faces, "all", "it") == faces
    with pytest.raises(InputError, match="no face 3"):
        choose_faces(faces, 3, "it")


def test_no_face_ends_with_a_sentence(detector):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    with pytest.raises(InputError, match="No face was found in the photo noise"):
        observe(photo_from_array(noise, "noise"), detector=detector)


def test_enlarging_the_photo_scales_the_points(detector, astronaut):
    picture = Image.fromarray(astronaut.pixels_srgb.numpy())
    larger = picture.resize((1024, 1024), Image.Resampling.BICUBIC)
    (one,) = detector.detect(astronaut)
    (two,) = detector.detect(photo_from_array(np.array(larger)))
    # The network sees the same 256 px either way; resampling moves points by a tenth of a pixel.
    assert (two.points_px / 2 - one.points_px).abs().mean() < 0.3


def test_observation_joins_photo_and_crop(detector, astronaut):
    (seen,) = observe(astronaut, 224, detector=detector)
    assert seen.image_linear.shape == (224, 224, 3)
    points = seen.points_crop_px
    # The points' box fills 1 / 1.4 of the square.
    assert (points.amax(0) - points.amin(0)).max().item() == pytest.approx(160, abs=0.5)
    x, y = points[4].long().tolist()
    assert seen.skin[y, x] > 0.5
    assert seen.skin.shape == (224, 224)
