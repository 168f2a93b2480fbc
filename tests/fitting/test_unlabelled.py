import copy
import dataclasses
import math

import pytest
import torch

from fit3dmm.colour import linear_to_srgb
from fit3dmm.fitting.unlabelled import PhotoEnergies, PhotoNoise, terms
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detector_errors import exact_detector
from fit3dmm.observe.predicted import SKIN
from fit3dmm.recognise.files import shipped_recogniser
from fit3dmm.regress.batch import Changes, draw_changes
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.outputs import BLOCKS, SIGMAS, Outputs
from fit3dmm.regress.photo_batch import PhotoBatch, changed_photos, photos_resized
from fit3dmm.regress.targets import CropPose, crop_pose
from tests.toy import toy_model

SIDE, N = 64, 2
MODEL = toy_model(level=0).to(dtype=torch.float64)
NOISE = PhotoNoise(render_px=16)
SHAPES = {
    **{name: (getattr(MODEL, f"n_{name}"),) for name in BLOCKS},
    "turned": (3,), "centre": (2,), "log_size": (), "log_distance": (), "light": (9, 3),
    "tone": (),
}  # fmt: skip


def _outputs(said: dict[str, torch.Tensor]) -> Outputs:
    """What a network says, of numbers near those of a frontal face that is lit from above."""
    light = torch.zeros(9, 3, dtype=torch.float64)
    light[0], light[1] = 1.9, 0.3
    cover = torch.zeros(N, 6, 8, 8, dtype=torch.float64)
    cover[:, SKIN] = 2.0
    return Outputs(
        points=torch.zeros(N, 10, 2),
        log_sigma=torch.zeros(N, 10, 2),
        correlation=torch.zeros(N, 10),
        coefficients={name: said[name] for name in BLOCKS},
        log_sigmas={name: torch.zeros(N) for name in SIGMAS},
        pose=CropPose(
            rotation_matrix(said["turned"]),
            said["centre"],
            said["log_size"] - 0.2,
            said["log_distance"] - 0.1,
        ),
        light_asinh=(light + said["light"]).asinh(),
        log_tone=said["tone"] - 1.0,
        cover=cover,
    )


def _draw(seed: int, size: float) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        name: size * torch.randn(N, *shape, generator=generator, dtype=torch.float64)
        for name, shape in SHAPES.items()
    }
    # Sizes at which a head stays a head.
    small = {"centre": 0.1, "turned": 0.5, "log_size": 0.2, "log_distance": 0.3, "light": 0.2}
    return {
        name: small.get(name, 1.0) * (v.abs() if name == "expression" else v)
        for name, v in drawn.items()
    }


def _energies(*names: str, **changes) -> PhotoEnergies:
    """Of all terms, or of those named."""
    errors = exact_detector(468, 0.5)
    noise = dataclasses.replace(NOISE, **changes)
    some = {name: terms.TERMS[name] for name in names} or None
    return PhotoEnergies(MODEL, noise, errors, some, backend="reference")


def _photos_of(energies: PhotoEnergies, outputs: Outputs, side: int = SIDE) -> PhotoBatch:
    """Photos that the outputs explain: the picture, and the points where an exact detector is."""
    blank = PhotoBatch(
        torch.zeros(N, 3, side, side, dtype=torch.float64),
        torch.ones(N, 1, side, side, dtype=torch.float64),
        torch.zeros(N, 478, 2, dtype=torch.float64),
        torch.tensor([[30.0, 40.0], [32.0, 32.0]], dtype=torch.float64) * side / 64,
        torch.tensor([math.nan, 150.0 * side / 64], dtype=torch.float64),
        torch.full((N,), 90.0 * side / 64, dtype=torch.float64),
    )
    sharp = dataclasses.replace(energies.known.noise, render_px=side)
    energies = PhotoEnergies(MODEL, sharp, exact_detector(468, 0.5), backend="reference")
    explained = energies.explain(outputs, blank)
    cam = explained.landmarks_mm @ explained.rotation.mT + explained.translation_mm[:, None]
    picture = linear_to_srgb(explained.rendering.rgb_linear.clamp(0, 1))
    return blank.replace(image_srgb=picture.movedim(-1, 1), points_px=explained.camera.project(cam))


@pytest.fixture(scope="module")
def photos():
    return _photos_of(_energies(), _outputs(_draw(0, 0.3)))


@pytest.fixture
def exact_recognition(monkeypatch):
    """The recognition network in double precision."""
    network = copy.deepcopy(shipped_recogniser()).double()
    monkeypatch.setattr(terms, "shipped_recogniser", lambda: network)


@pytest.mark.parametrize("name", SHAPES)
def test_gradients_are_those_of_finite_differences(photos, name):
    """The recognition network takes the longest, and has a test of its own."""
    _assert_gradient(
        _energies(*(term for term in terms.TERMS if term != "perceptual")), photos, name
    )


@pytest.mark.parametrize("name", ["identity", "albedo", "light"])
@pytest.mark.usefixtures("exact_recognition")
def test_gradients_pass_through_the_recognition_network(photos, name):
    _assert_gradient(_energies("perceptual"), photos, name)


def _assert_gradient(energies: PhotoEnergies, photos: PhotoBatch, name: str) -> None:
    said = _draw(1, 0.25)
    decided = energies.decide(energies.explain(_outputs(said), photos))

    def total(values):
        return torch.stack(
            list(energies.at(energies.explain(_outputs(values), photos), decided).values())
        ).sum()

    value = said[name].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(total({**said, name: value}), value)
    direction = torch.randn(
        value.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    step = 1e-7
    with torch.no_grad():
        ends = [total({**said, name: said[name] + s * direction}) for s in (step, -step)]
    difference = (ends[0] - ends[1]) / (2 * step)
    assert difference.abs() > 1e-6
    torch.testing.assert_close((gradient * direction).sum(), difference, rtol=1e-4, atol=1e-7)


def test_a_network_takes_the_true_face_for_the_photos(photos):
    energies = _energies("perceptual", render_px=SIDE)
    with torch.no_grad():
        at_truth = energies(_outputs(_draw(0, 0.3)), photos)["perceptual"]
        elsewhere = energies(_outputs(_draw(3, 0.3)), photos)["perceptual"]
    assert (at_truth < 0.2 * elsewhere).all()


def test_flattening_is_the_variance_of_the_skins_colour(photos):
    energies, said = _energies("flattening"), _draw(1, 0.25)
    weight = MODEL.regions["skin"] / MODEL.regions["skin"].sum()
    albedo = MODEL.albedo_mean_linear + torch.einsum(
        "bk,kvc->bvc", said["albedo"], MODEL.albedo_basis_linear
    )
    mean = torch.einsum("v,bvc->bc", weight, albedo)
    variance = torch.einsum("v,bvc->b", weight, (albedo - mean[:, None]).square())
    with torch.no_grad():
        found = energies(_outputs(said), photos)["flattening"] * sum(
            (MODEL.n_identity, MODEL.n_detail, MODEL.n_expression, MODEL.n_albedo, 7, 27)
        )
    sigma = energies.known.noise.flattening.sigma_linear
    torch.testing.assert_close(found, 0.5 * variance / sigma**2)


def test_the_truth_is_explained_and_a_wrong_answer_is_not(photos):
    energies, true = _energies(), _draw(0, 0.3)
    with torch.no_grad():
        at_truth = energies(_outputs(true), photos)
        elsewhere = energies(_outputs(_draw(3, 0.3)), photos)
    assert at_truth["landmarks"].max() < 1e-9
    for name in ("photometric", "landmarks"):
        assert (at_truth[name] < 0.3 * elsewhere[name]).all()


def test_what_covers_the_face_hardly_counts(photos):
    energies = _energies()
    outputs = _outputs(_draw(1, 0.25))
    hair = outputs.cover.roll(1, dims=1)
    hidden = dataclasses.replace(outputs, cover=20 * hair)
    with torch.no_grad():
        seen, covered = energies(outputs, photos), energies(hidden, photos)
    assert (covered["photometric"] < 0.2 * seen["photometric"]).all()
    assert torch.equal(covered["landmarks"], seen["landmarks"])


def test_energies_do_not_depend_on_the_resolution(photos):
    energies, outputs = _energies(), _outputs(_draw(1, 0.25))
    with torch.no_grad():
        before, after = energies(outputs, photos), energies(outputs, photos_resized(photos, 128))
    for name, value in before.items():
        # Recognition sees a face of few pixels: what is lost in resampling counts more.
        rtol = 0.1 if name == "perceptual" else 0.08
        torch.testing.assert_close(after[name], value, rtol=rtol, atol=1e-6)


def test_a_rolled_photo_is_explained_by_a_rolled_face(photos):
    """Points and camera move with the picture: what was explained stays so."""
    energies, true = _energies(), _draw(0, 0.3)
    drawn = draw_changes(N, Changes(exposure=0.0, tint=0.0), torch.Generator().manual_seed(0)).to(
        dtype=torch.float64
    )
    moved = changed_photos(photos, drawn)
    outputs = _outputs(true)
    with torch.no_grad():
        explained = energies.explain(outputs, photos)
    roll = rotation_matrix(
        torch.stack([*(torch.zeros_like(drawn.angle_rad),) * 2, drawn.angle_rad], -1)
    )
    camera = explained.camera.replace(
        focal_px=explained.camera.focal_px * drawn.zoom, principal_point_px=moved.principal_point_px
    )
    pose = crop_pose(
        roll @ explained.rotation, (roll @ explained.translation_mm[..., None])[..., 0], camera
    )
    with torch.no_grad():
        after = energies(dataclasses.replace(outputs, pose=pose), moved)
    assert after["landmarks"].max() < 1e-9


def test_photos_train_what_is_rendered_and_the_trunk(photos):
    """The network's own points and sigmas, and its cover map, learn of renders alone."""
    torch.manual_seed(0)
    sizes = {name: SHAPES[name][0] for name in BLOCKS}
    network = FaceNetwork(
        NetworkSettings("lite0", 10, **sizes, cover_cells=8), torch.full((10, 2), 0.5)
    )
    # Heads that start at zero let nothing through to the trunk.
    torch.nn.init.normal_(network.say_rest.weight, std=1e-3)
    model = MODEL.to(dtype=torch.float32)
    energies = PhotoEnergies(model, NOISE, exact_detector(468, 0.5), backend="reference")
    seen = photos.to(dtype=torch.float32)
    torch.stack(list(energies(network(seen.image_srgb), seen).values())).sum().backward()
    for layer in (network.say_points, network.cover.say):
        assert layer.weight.grad is None
    rows = network.rest_rows()
    gradient = network.say_rest.weight.grad
    assert gradient is not None
    for name, part in rows.items():
        assert bool(gradient[part].any()) == (name != "log_sigmas"), name
    assert network.trunk.get_parameter("_conv_stem.weight").grad.any()
