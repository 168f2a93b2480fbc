"""The network is dlib's: by dlib itself, and by its file format there and back."""

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.observe.detect import detect_faces
from fit3dmm.observe.photo import read_photo
from fit3dmm.recognise import Recogniser, chip_from_points, cosine_distance, extract_chip
from fit3dmm.recognise.chip import FIVE_OF_MEDIAPIPE
from fit3dmm.recognise.files import read_recogniser, shipped_recogniser, write_recogniser
from fit3dmm.recognise.network import SAME_PERSON
from recogniser.dlib_format import read_layers
from tests.recognise.dlib_file import dlib_file
from tests.shared_data import shared

ASTRONAUT = "data/examples/astronaut.png"


def chip_of(path) -> torch.Tensor:
    """The largest face as bytes in its square."""
    photo = read_photo(path)
    face = detect_faces(photo)[0]
    T_chip_photo = chip_from_points(face.points_px[list(FIVE_OF_MEDIAPIPE)])
    chip = extract_chip(photo.pixels_srgb[..., :3].float() / 255, T_chip_photo)
    return (255 * chip).round().clamp(0, 255).byte().contiguous()


def embedded(chip: torch.Tensor) -> torch.Tensor:
    return shipped_recogniser()(chip.float()[None] / 255)[0]


def test_dlib_itself_says_the_same_with_our_weights(tmp_path, request):
    dlib = pytest.importorskip("dlib", reason="needs dlib: pip install dlib-bin")
    path = tmp_path / "ours.dat"
    path.write_bytes(dlib_file(shipped_recogniser()))
    theirs = dlib.face_recognition_model_v1(str(path))
    photos = [request.config.rootpath / ASTRONAUT]
    photos += sorted(shared("portraits").glob("*.jpg"))[:3]
    for photo in photos:
        chip = chip_of(photo)
        expected = np.array(theirs.compute_face_descriptor(chip.numpy()))
        # Sums of float32 in another order.
        np.testing.assert_allclose(embedded(chip).numpy(), expected, atol=1e-5)


def test_what_is_written_in_their_format_is_read_back():
    from build_recogniser import recogniser_of

    network = shipped_recogniser()
    again = recogniser_of(read_layers(dlib_file(network)))
    for name, value in network.state_dict().items():
        assert torch.equal(again.state_dict()[name], value), name


@pytest.mark.parametrize("damage", [slice(0, -1), slice(3, None)])
def test_a_damaged_file_of_theirs_is_refused(damage):
    with pytest.raises(ValueError, match=r"byte|early|loss|layer|tensor|codec"):
        read_layers(dlib_file(shipped_recogniser())[damage])


def test_our_file_is_the_same_each_time_and_keeps_the_weights(tmp_path):
    network = shipped_recogniser()
    one, other = tmp_path / "one.h5", tmp_path / "other.h5"
    for path in (one, other):
        write_recogniser(network, path, "a test")
    assert one.read_bytes() == other.read_bytes()
    again = read_recogniser(one).state_dict()
    assert all(torch.equal(again[name], value) for name, value in network.state_dict().items())
    other.write_bytes(one.read_bytes()[:-4000])
    with pytest.raises(InputError, match="reinstall"):
        read_recogniser(other)


def test_one_person_is_nearer_than_another(request):
    astronaut = chip_of(request.config.rootpath / ASTRONAUT)
    darker = (0.7 * astronaut.float()).byte()
    other = chip_of(sorted(shared("portraits").glob("*.jpg"))[0])
    here, dark, there = map(embedded, (astronaut, darker, other))
    assert (here - dark).norm() < SAME_PERSON < (here - there).norm()
    assert cosine_distance(here, dark) < 0.1 < 0.15 < cosine_distance(here, there)
    assert cosine_distance(here, 3 * here).abs() < 1e-6


def test_gradients_of_a_picture_are_the_slope_of_the_embedding():
    torch.manual_seed(0)
    network = Recogniser().double()
    network.load_state_dict({k: v.double() for k, v in shipped_recogniser().state_dict().items()})
    chip = torch.rand(1, 150, 150, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(128, dtype=torch.float64)
    direction = torch.randn(chip.shape, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(network(chip)[0] @ weight, chip)
    h = 1e-6
    with torch.no_grad():
        up, down = (network(chip + step * direction)[0] @ weight for step in (h, -h))
    # Kinks of the rectifiers that lie within the step are the error.
    slope = float(up - down) / (2 * h)
    assert float((gradient * direction).sum()) == pytest.approx(slope, rel=1e-3)
    assert not any(one.requires_grad for one in network.parameters())
