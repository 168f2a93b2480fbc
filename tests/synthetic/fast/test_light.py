import numpy as np
import torch

from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.synthetic.fast.lamps import Lamp, StudioLight, draw_light, light_values, lit_share
from fit3dmm.synthetic.parts import ball, joined
from fit3dmm.synthetic.probes import Probe, SphereMap


def _light(*lamps: Lamp) -> StudioLight:
    probe = Probe(SphereMap(np.ones((8, 16, 3))))
    sh = np.zeros((9, 3), dtype=np.float32)
    sh[0] = (4 * np.pi) ** 0.5 * 0.5
    return StudioLight(probe, sh, lamps)


def _lamp(direction, casts_shadows=False, wrap=0.0) -> Lamp:
    towards = np.asarray(direction, dtype=np.float32)
    towards /= np.linalg.norm(towards)
    colour = np.array([1.0, 0.8, 0.6], dtype=np.float32)
    return Lamp(towards, colour, casts_shadows, np.full(3, wrap, dtype=np.float32))


def _points(n=50):
    draw = np.random.default_rng(0)
    points = draw.normal(0, 30, (n, 3)).astype(np.float32) - [0, 0, 500]
    # Normals that face the camera: the kernel turns the others over.
    normals = draw.normal(size=(n, 3))
    normals[:, 2] = 0.5 + np.abs(normals[:, 2])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    return points.astype(np.float32), normals.astype(np.float32), draw.uniform(0, 1, (n, 3))


def test_the_kernel_adds_what_a_plain_statement_adds():
    points, normals, albedo = _points()
    lamps = (_lamp([1, 1, 1], wrap=0.2), _lamp([-1, 0, 0.5]))
    light = _light(*lamps)
    sky, strength, sharpness = np.full(50, 0.7), np.full(50, 0.1), np.full(50, 20.0)
    triangles = torch.zeros((1, 3), dtype=torch.int32)
    got = light_values(light, points, normals, albedo, (sky, strength, sharpness), triangles)

    basis = sh_basis(torch.from_numpy(normals)).numpy()
    white = np.maximum(basis @ light.probe_sh, 0.02) * 0.7
    view = -points / np.linalg.norm(points, axis=1, keepdims=True)
    shine = 0
    for lamp in lamps:
        cosine = (normals @ lamp.direction)[:, None]
        white = white + np.clip((cosine + lamp.wrap) / (1 + lamp.wrap), 0, 1) * lamp.colour
        half = view + lamp.direction
        half /= np.linalg.norm(half, axis=1, keepdims=True)
        lobe = np.clip((normals * half).sum(axis=1), 0, None) ** 20 * 0.1 * 28 / 25
        shine = shine + lobe[:, None] * lamp.colour
    # float32 sums of some ten terms of about 1.
    np.testing.assert_allclose(got[:, 3:], white, atol=2e-5)
    np.testing.assert_allclose(got[:, :3], white * albedo + shine, atol=2e-5)


def test_a_ball_before_another_takes_its_light():
    near, far = ball(np.array([0.0, 0, 100]), np.full(3, 20.0)), ball(np.zeros(3), np.full(3, 20.0))
    both = joined([near, far])
    lit = lit_share(
        both.vertices.astype(np.float32),
        torch.from_numpy(both.triangles).int(),
        np.array([0, 0, 1], dtype=np.float32),
    )
    n = len(near.vertices)
    front = near.vertices[:, 2] > 110
    assert lit[:n][front].min() == 1
    inner = np.hypot(*far.vertices[:, :2].T) < 17
    assert lit[n:][inner].max() == 0


def test_the_light_of_the_label_is_what_an_open_white_matt_surface_reflects():
    light = draw_light(np.random.default_rng(4))
    points, normals, _ = _points()
    lamps = tuple(
        Lamp(lamp.direction, lamp.colour, False, np.zeros(3, np.float32)) for lamp in light.lamps
    )
    light = StudioLight(light.probe, light.probe_sh, lamps)
    nothing = (np.ones(50), np.zeros(50), np.ones(50))
    triangles = torch.zeros((1, 3), dtype=torch.int32)
    got = light_values(light, points, normals, np.ones((50, 3)), nothing, triangles)
    said = sh_basis(torch.from_numpy(normals)).numpy() @ light.irradiance_sh()
    # Harmonics to order 2 hold a lamp's cosine to within 10 % of its brightness.
    brightest = sum(lamp.colour.max() for lamp in lamps) + 1e-3
    assert np.abs(got[:, :3] - said).max() < 0.1 * brightest + 0.02
