"""Faces are found whole, small, cut and several, and never guessed among."""

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm.observe import FaceDetector, choose_faces, observe, photo_from_array, read_photo
from fit3dmm.observe.consistency import mesh_misfit


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


def test_a_box_says_which_face_and_where_it_is(detector, astronaut):
    picture = _canvas(astronaut, [(40, 60, 360), (480, 300, 300)])
    photo = photo_from_array(picture)
    second = detector.detect(photo)[1]
    left, top, right, bottom = second.box_px
    (seen,) = observe(photo, face=(left, top, right, bottom), detector=detector)
    assert (seen.detection().points_px - second.points_px).norm(dim=1).mean() < 3
    # With the picture on its side, by a quarter turn from x to -y.
    turned = photo_from_array(np.ascontiguousarray(np.rot90(picture)))
    (seen,) = observe(turned, face=(top, 900 - right, bottom, 900 - left), detector=detector)
    x, y = second.points_px.unbind(1)
    wanted = torch.stack([y, 900 - x], 1)
    assert (seen.detection().points_px - wanted).norm(dim=1).mean() < 3
    # Where no face is seen the box is all that is known.
    (unseen,) = observe(photo, face=(600.0, 20.0, 700.0, 130.0), detector=detector)
    assert list(unseen.detections) == ["box"]
    middle = unseen.T_crop_photo @ torch.tensor([[650.0, 75.0]])
    assert torch.allclose(middle, torch.full((1, 2), 112.0), atol=1e-3)


@pytest.mark.parametrize(
    ("box", "sentence"),
    [
        ((300.0, 10.0, 200.0, 90.0), "right must be more than left"),
        ((10.0, 10.0, float("nan"), 90.0), "left, top, right and bottom of a face in px"),
        ((900.0, 10.0, 990.0, 90.0), "does not lie in the photo, which has 512 x 512 px"),
    ],
)
def test_a_box_that_holds_no_face_ends_with_a_sentence(box, sentence, detector, astronaut):
    with pytest.raises(InputError, match=sentence):
        observe(astronaut, face=box, detector=detector)


def test_no_face_ends_with_a_sentence_that_says_what_was_searched(detector):
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    sentence = r"No face was found in the photo noise \(400 x 300 px, .* down to 300 px, .* 48 px"
    with pytest.raises(InputError, match=sentence):
        observe(photo_from_array(noise, "noise"), detector=detector)


@pytest.mark.parametrize(
    ("size", "side"), [((2400, 1600), 75), ((3600, 500), 120), ((500, 3600), 120)]
)
def test_small_faces_are_found_in_large_and_long_pictures(detector, astronaut, size, side):
    """The face is half of what is pasted: 37 and 60 px."""
    x, y = size[0] * 7 // 10, size[1] * 7 // 10
    (face,) = detector.detect(photo_from_array(_canvas(astronaut, [(x, y, side)], size)))
    left, top, right, bottom = face.box_px
    assert x < left < right < x + side
    assert y < top < bottom < y + side


@pytest.mark.parametrize("turn_deg", [90, 180, 270])
def test_turned_photos_are_seen_as_upright_ones(detector, astronaut, turn_deg):
    (upright,) = detector.detect(astronaut)
    # numpy turns anticlockwise, so that the turn that is found turns the photo back.
    turned = np.rot90(astronaut.pixels_srgb.numpy(), turn_deg // 90)
    (face,) = detector.detect(photo_from_array(np.ascontiguousarray(turned)))
    assert face.upright_turn_deg == turn_deg
    assert upright.upright_turn_deg == 0
    back = (360 - turn_deg) % 360
    again = face.unturned(back, astronaut.width_px, astronaut.height_px)
    # The networks look at another crop of the face, so points move by a little: 2 of 90 px.
    assert (again.points_px - upright.points_px).norm(dim=1).mean() < 2
    # The pose is that before another camera, so it differs by up to ten degrees.
    difference = again.T_cam_canonical[:3, :3] - upright.T_cam_canonical[:3, :3]
    assert difference.abs().max() < 0.25


def test_large_face_cut_by_the_border_is_not_passed_over(detector, astronaut):
    picture = photo_from_array(_canvas(astronaut, [(590, 580, 300), (-330, -200, 900)]))
    (whole,) = detector.first_look(picture)
    cut, same = detector.detect(picture, several=True)
    assert same.box_px == whole.box_px
    left, _, right, _ = cut.box_px
    assert left < 0
    assert right - left > 250


def test_upright_faces_are_consistent_and_inverted_ones_are_not(detector, astronaut):
    (upright,) = detector.first_look(astronaut)
    upside_down = torch.stack([upright.points_px[:, 0], -upright.points_px[:, 1]], dim=1)
    assert mesh_misfit(upright) < 0.02
    assert mesh_misfit(upright.placed(3.0, -20.0, 90.0)) == pytest.approx(mesh_misfit(upright))
    # A mirrored face is no face's: only rotations may lay it on the mean.
    assert mesh_misfit(upright.replace(points_px=upside_down)) > 0.1


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
    points = seen.T_crop_photo @ seen.detection().points_px
    # The points' box fills 1 / 1.4 of the square.
    assert (points.amax(0) - points.amin(0)).max().item() == pytest.approx(160, abs=0.5)
    x, y = points[4].long().tolist()
    assert seen.skin[y, x] > 0.5
    assert seen.skin.shape == (224, 224)
