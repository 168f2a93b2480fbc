"""The preset `deng2019-code`: each loss against a plain statement of its formula, and a fit."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from fit3dmm.fitting import fit_observation, prepare, preset
from fit3dmm.fitting.context import context_at
from fit3dmm.fitting.crop_camera import five_point_crop, with_camera_of_crop
from fit3dmm.fitting.initialise import values_at
from fit3dmm.fitting.run import stage_problem
from fit3dmm.geometry.camera import Camera
from fit3dmm.recognise import shipped_recogniser
from fit3dmm.render.reference import rasterise
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.solve import Adam
from tests.fitting.synthetic import observe_scene
from tests.toy import toy_model

# x, y and z of normals in the order of the harmonics, with their published constants.
A0, A1, A2 = math.pi, 2 * math.pi / math.sqrt(3), 2 * math.pi / math.sqrt(8)
EMPHASISED = [28, 29, 30, *range(60, 68)]
# 478 points of which the 68 are made, two where their mean stands for one.
JAW = [127, 234, 93, (132, 58), (58, 172), 136, 150, 176, 152, 400, 379, 365, (397, 288)]
IBUG = [*JAW, 361, 323, 454, 356, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300]
IBUG += [(168, 6), (197, 195), 5, 4, 75, 97, 2, 326, 305, 33, 160, 158, 133, 153, 144]
IBUG += [362, 385, 387, 263, 373, 380, 61, 39, 37, 0, 267, 269, 291, 321, 314, 17, 84, 91]
IBUG += [78, 82, 13, 312, 308, 317, 14, 87]
CHIP = [[0.8595674595992, 0.2134981538014], [0.6460604764104, 0.2289674387677]]
CHIP += [[0.1205750620789, 0.2137274526848], [0.3340850613712, 0.2290642403242]]
CHIP += [[0.4901123135679, 0.6277975316475]]


@pytest.fixture(scope="module")
def setting():
    """A toy's photo, the preset's problem on it, and a scene that explains it badly."""
    generator = torch.Generator().manual_seed(5)
    model = toy_model(level=1)
    truth = Scene(
        model.sample(generator=generator),
        Pose(torch.tensor([0.05, 0.15, 0.02]), torch.tensor([10.0, -5.0, -900.0])),
        Camera.centred(1000.0, 300, 320),
        Lighting.ambient_white(0.4) + Lighting.directional([0.3, 0.4, 1.0], [0.6, 0.5, 0.45]),
    )
    with torch.no_grad():
        seen = observe_scene(model, truth)
    skin = torch.rand(seen.skin.shape, generator=generator)
    config = preset("deng2019-code")
    prepared = prepare(model, 1000, errors=None)
    seen, config = with_camera_of_crop(seen.replace(skin=skin), config)
    guess = truth.replace(
        coefficients=model.sample(generator=generator, expression=True).map(lambda c: 0.5 * c),
        pose=Pose(torch.tensor([0.0, 0.1, 0.0]), torch.tensor([8.0, -4.0, -1000.0])),
        camera=Camera(torch.tensor(config.focal_px), seen.axis_px, 300, 320),
        lighting=Lighting.ambient_white(0.6)
        + Lighting.directional([0.0, 0.0, 1.0], [0.3, 0.25, 0.2]),
    )
    with torch.no_grad():
        context = context_at(prepared, seen, config.stages[0], values_at(guess, prepared))
        problem = stage_problem(context, config)
        energies = problem.evaluate(problem.flat_start()).energies()
    return model, seen, guess, energies, problem


def encoded(linear: np.ndarray) -> np.ndarray:
    bent = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(linear <= 0.0031308, 12.92 * linear, bent)


def harmonics(normal: np.ndarray) -> np.ndarray:
    """Of the published code, in our order (1, y, z, x, xy, yz, 3z2-1, xz, x2-y2), without the signs
    that its axes give them; the first factor is that of the light, the second the function's."""
    x, y, z = normal.T
    c0, c1, c2 = 1 / math.sqrt(4 * math.pi), math.sqrt(3) / math.sqrt(4 * math.pi), 1.0925484
    fine = [c2 * x * y, c2 * y * z, c2 / (2 * math.sqrt(3)) * (3 * z**2 - 1)]
    fine += [c2 * x * z, c2 / 2 * (x**2 - y**2)]
    return np.stack([c0 * np.ones_like(x), c1 * y, c1 * z, c1 * x, *fine], 1)


def drawn(model, seen, guess):
    """The picture of the scene in the crop with coloured vertices, over black; and what is seen."""
    coefficients = guess.coefficients
    flat = [
        (coefficients.identity, model.identity_basis_mm),
        (coefficients.detail, model.detail_basis_mm),
        (coefficients.expression, model.expression_basis_mm),
    ]
    base = model.mean_mm + sum(torch.einsum("k,kvc->vc", c, basis) for c, basis in flat)
    shape = model.surface.lift(base)
    cam = (guess.pose.T_cam_model @ shape).double().numpy()
    triangles = model.surface.triangles.numpy()
    normal = np.zeros_like(cam)
    a, b, c = (cam[triangles[:, k]] for k in range(3))
    for k in range(3):
        np.add.at(normal, triangles[:, k], np.cross(b - a, c - a))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    albedo = model.albedo_mean_linear + torch.einsum(
        "k,kvc->vc", coefficients.albedo, model.albedo_basis_linear
    )
    albedo = albedo.double().numpy()
    lit = albedo * (harmonics(normal) @ guess.lighting.irradiance_sh.double().numpy())
    camera = guess.camera.cropped(seen.T_crop_photo, 224, 224)
    clip = camera.to_clip(torch.from_numpy(cam).float())[None]
    fragments = rasterise(clip, model.surface.triangles, 224, 224)
    triangle, weight = fragments.triangle[0].numpy(), fragments.barycentric[0].double().numpy()
    corners = triangles[np.maximum(triangle, 0)]

    def seen_value(vertex):
        value = (vertex[corners] * weight[..., None]).sum(-2)
        return np.where((triangle >= 0)[..., None], value, 0.0)

    face = np.maximum(model.regions["face"].numpy(), model.regions["eyes"].numpy())
    return seen_value(lit), seen_value(face[:, None])[..., 0] > 0.5, cam, camera


def of_68(points: np.ndarray) -> np.ndarray:
    return np.stack([points[list(i) if isinstance(i, tuple) else [i]].mean(0) for i in IBUG])


def embedding(picture: np.ndarray, five: np.ndarray) -> np.ndarray:
    """Of a linear picture, warped so that its five points come to dlib's places."""
    to = (np.array(CHIP) + 0.25) / 1.5 * 150 + 0.5
    here, there = ((p - p.mean(0)) @ [1, 1j] for p in (five, to))
    turn = (np.conj(here) @ there) / (np.conj(here) @ here)
    # A picture that is reduced is sampled more finely, and averaged.
    fine = max(1, round(1 / abs(turn)))
    rows, columns = (np.mgrid[: 150 * fine, : 150 * fine] + 0.5) / fine
    back = ((columns - to.mean(0)[0]) + 1j * (rows - to.mean(0)[1])) / turn
    x, y = back.real + five.mean(0)[0], back.imag + five.mean(0)[1]
    planes = [
        map_coordinates(picture[..., k], [y - 0.5, x - 0.5], order=1, mode="nearest")
        for k in range(3)
    ]
    mean = np.stack(planes, -1).reshape(150, fine, 150, fine, 3).mean((1, 3))
    chip = torch.from_numpy(encoded(mean)).float()
    return shipped_recogniser()(chip[None])[0].double().numpy()


def test_each_loss_is_its_published_formula(setting):
    model, seen, guess, energies, _ = setting
    picture, face, cam, camera = drawn(model, seen, guess)
    photo = seen.image_linear.double().numpy()

    # 1.92: L2 distance of colours on the average over skin, Deng et al. 2019, equation 2.
    weight = seen.skin.double().numpy() * face
    distance = np.sqrt(1e-6 + ((encoded(picture) - encoded(photo)) ** 2).sum(-1))
    expected = {"pixels": 1.92 * (weight * distance).sum() / weight.sum()}

    # 1.6e-3: squared distances of 68 points in the crop, nose and inner mouth twenty times.
    triangles = model.surface.triangles.numpy()

    def located(name, rows=slice(None)):
        places = model.landmarks[name]
        corners = cam[triangles[places.triangle.numpy()]]
        mm = (corners * places.barycentric.double().numpy()[..., None]).sum(1)[rows]
        f = float(camera.focal_px)
        flat = f * mm[:, :2] / -mm[:, 2:] * [1, -1]
        return flat + camera.principal_point_px.double().numpy()

    T = seen.T_crop_photo
    points = seen.detection().points_px.double().numpy()
    detected = float(T.scale) * points + T.translation.double().numpy()
    omega = np.ones(68)
    omega[EMPHASISED] = 20
    square = ((located("ibug68") - of_68(detected)) ** 2).sum(1)
    expected["landmarks68"] = 1.6e-3 * (omega * square).mean()

    # 0.2: one minus the cosine of the embeddings, each picture put right by its own points.
    five = [263, 362, 33, 133, 2]
    one = embedding(picture, located("mediapipe478", five))
    other = embedding(photo, detected[five])
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    expected["perceptual"] = 0.2 * (1 - cosine)

    # 3e-4 times 1, 0.8 and 0.017: coefficients in sigmas.
    c = guess.coefficients
    in_sigmas = {
        "identity": (1.0, c.identity),
        "expression": (0.8, c.expression / model.expression_sigma),
        "albedo": (1.7e-2, c.albedo),
    }
    for name, (share, value) in in_sigmas.items():
        expected[name] = 3e-4 * share * float(value.double().square().sum())

    # 10: light's colours differ from their mean, in the code's own coefficients.
    gamma = guess.lighting.irradiance_sh.double().numpy()
    gamma = gamma / np.array([A0, A1, A1, A1, A2, A2, A2, A2, A2])[:, None]
    expected["tint"] = 10 * ((gamma - gamma.mean(1, keepdims=True)) ** 2).mean()

    for name, value in expected.items():
        # The energies are worked out in float32.
        assert energies[name] == pytest.approx(value, rel=1e-5, abs=1e-5), name


def test_flattening_is_five_times_the_variance_of_albedo(setting):
    model, _, guess, energies, _ = setting
    samples = prepare(model, 1000).samples
    triangles = model.surface.triangles
    colours = samples.places.locate(model.albedo_linear(guess.coefficients), triangles).double()
    weight = samples.places.locate(model.regions["skin"][:, None], triangles)[:, 0].double()
    mean = (weight[:, None] * colours).sum(0) / weight.sum()
    variance = (weight[:, None] * (colours - mean) ** 2).sum() / weight.sum()
    assert energies["flattening"] == pytest.approx(5 * float(variance), rel=1e-5)


def test_gradients_are_slopes_of_the_energy(setting):
    *_, problem = setting
    x = problem.flat_start()
    places = problem.slices()
    _, gradient = problem.energy_and_gradient(x)
    for name in ("identity", "albedo", "translation_mm"):
        # Along the gradient's own part: single numbers drown in the steps of pixels.
        direction = torch.zeros_like(x)
        direction[places[name]] = torch.nn.functional.normalize(gradient[places[name]], dim=0)
        step = 0.02
        with torch.no_grad():
            up, down = (problem.evaluate(x + s * step * direction).energy.double() for s in (1, -1))
        slope = float(up - down) / (2 * step)
        assert float(gradient @ direction) == pytest.approx(slope, rel=0.1), name


def test_a_fit_lowers_the_losses_and_keeps_the_published_camera(setting):
    model, seen, *_ = setting
    config = preset("deng2019-code").solved_by(Adam(max_steps=12, learning_rate=0.1))
    result = fit_observation(seen, prepare(model, 300), config)
    history = result.stages[0].history
    assert history[-1].energy < 0.93 * history[0].energy
    assert result.focal_px == pytest.approx(1015 / float(seen.T_crop_photo.scale), rel=1e-5)
    middle_px = seen.T_crop_photo @ result.scene.camera.principal_point_px[None]
    torch.testing.assert_close(middle_px[0], torch.full((2,), 112.0), atol=1e-3, rtol=0)


def test_light_of_the_paper_has_one_colour(setting):
    model, seen, *_ = setting
    config = preset("deng2019-paper").solved_by(Adam(max_steps=3, learning_rate=0.1))
    config = replace(config, focal_px=None)
    light = fit_observation(seen, prepare(model, 300), config).scene.lighting.irradiance_sh
    torch.testing.assert_close(light, light.mean(1, keepdim=True).expand(9, 3))
    assert float(light.std()) > 0.1


def test_the_published_crop_shows_a_decimetre_on_102_px():
    mm = torch.tensor([[-32.0, 30, 10], [32, 30, 10], [0, 0, 35], [-25, -35, 12], [25, -35, 12]])
    # A far camera: 2.5 px a mm, the middle of the face at (300, 200) of the photo.
    photo_px = torch.tensor([300.0, 200.0]) + 2.5 * mm[:, :2] * torch.tensor([1.0, -1.0])
    T_crop_photo = five_point_crop(photo_px, mm, 224)
    assert float(T_crop_photo.scale) * 2.5 == pytest.approx(1.02, rel=1e-5)
    middle = T_crop_photo @ torch.tensor([[300.0, 200.0]])
    torch.testing.assert_close(middle, torch.full((1, 2), 112.0), atol=1e-3, rtol=0)
