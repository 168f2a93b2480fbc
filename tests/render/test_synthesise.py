"""The picture of a scene: what is in it, batches, light, background and derivatives."""

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.transform import Similarity
from fit3dmm.render import choose_backend, render_mesh, repainted, synthesise
from fit3dmm.scene import Lighting, Pose, Scene
from tests.render.meshes import toy_head
from tests.toy import toy_model

MODEL = toy_model(level=1)
FACE = MODEL.sample(generator=torch.Generator().manual_seed(0), expression=True)
SCENE = Scene.portrait(FACE, 72, 64)


def lit(scene: Scene) -> Scene:
    lamp = Lighting.directional((0.5, 0.5, 1.0), (0.7, 0.6, 0.5))
    return scene.replace(lighting=Lighting.ambient_white(0.3) + lamp)


def test_what_is_in_a_rendering() -> None:
    r = synthesise(MODEL, SCENE)
    assert r.rgb_linear.shape == (64, 72, 3)
    assert r.coverage.shape == r.depth_mm.shape == (64, 72)
    seen = r.fragments.covered[0]
    lengths = r.normals_cam.norm(dim=-1)
    torch.testing.assert_close(lengths, seen.float())
    # The head is 600 mm away and at most 130 mm deep on our side of its middle.
    assert 450 < r.depth_mm[seen].min() < r.depth_mm.max() < 601
    assert (r.depth_mm[~seen] == 0).all()
    torch.testing.assert_close(r.vertices_px, SCENE.camera.project(r.points_cam_mm))


def test_depth_and_pixels_are_those_of_the_surface() -> None:
    """A pixel's point, unprojected at its depth, is the interpolated vertex position."""
    r = synthesise(MODEL, SCENE)
    pixel = r.fragments.covered.nonzero()[::7].unbind(-1)
    samples = r.fragments.samples(*pixel, MODEL.surface.triangles)
    points = samples.interpolate(r.points_cam_mm[None])
    unprojected = SCENE.camera.unproject(samples.centres_px, r.depth_mm[None][pixel])
    error = (unprojected - points).norm(dim=-1)
    # Float32 at 600 mm. Where rounded corners cover a centre that lies just outside, the point is
    # kept on the triangle, up to 1/256 px of 2.5 mm away, and more where it is seen edge-on.
    assert error.median() < 1e-3
    assert error.max() < 0.3


def test_ambient_white_shows_the_albedo() -> None:
    r = synthesise(MODEL, SCENE, silhouettes=False)
    torch.testing.assert_close(r.rgb_linear, r.albedo_linear)


def test_silhouettes_mix_with_the_background() -> None:
    behind = torch.tensor([0.1, 0.9, 0.5])
    hard = synthesise(MODEL, SCENE, background_linear=behind, silhouettes=False)
    soft = synthesise(MODEL, SCENE, background_linear=behind)
    assert hard.silhouettes is None
    assert soft.silhouettes is not None
    first, second = soft.silhouettes.pixels(64, 72)
    mixed = torch.zeros(64 * 72, dtype=torch.bool)
    mixed[torch.cat([first, second])] = True
    mixed = mixed.reshape(64, 72)
    torch.testing.assert_close(soft.rgb_linear[~mixed], hard.rgb_linear[~mixed])
    assert (hard.rgb_linear[~hard.fragments.covered[0]] == behind).all()
    assert ((soft.coverage > 0) & (soft.coverage < 1)).sum() > 50
    assert soft.coverage.min() >= 0
    assert soft.coverage.max() <= 1


def test_a_picture_behind_is_kept() -> None:
    behind = torch.rand(64, 72, 3, generator=torch.Generator().manual_seed(0))
    r = synthesise(MODEL, SCENE, background_linear=behind, silhouettes=False)
    outside = ~r.fragments.covered[0]
    assert (r.rgb_linear[outside] == behind[outside]).all()


def test_a_batch_is_as_many_pictures() -> None:
    """Every part of the scene differs from image to image, cameras and lights included."""
    generator = torch.Generator().manual_seed(1)
    faces = MODEL.sample(2, generator=generator)
    poses = Pose(
        torch.tensor([[0.1, 0.5, 0.0], [0.0, -0.4, 0.2]]),
        torch.tensor([[0.0, 5.0, -600.0], [9.0, 0.0, -450.0]]),
    )
    camera = Camera(
        torch.tensor([130.0, 110.0]), torch.tensor([[36.0, 32.0], [30.0, 40.0]]), 72, 64
    )
    light = Lighting(torch.rand(2, 9, 3, generator=generator))
    both = synthesise(MODEL, Scene(faces, poses, camera, light))
    for i in range(2):
        one = Scene(
            faces.map(lambda t, i=i: t[i]),
            Pose(poses.rotation_rad[i], poses.translation_mm[i]),
            Camera(camera.focal_px[i], camera.principal_point_px[i], 72, 64),
            Lighting(light.irradiance_sh[i]),
        )
        alone = synthesise(MODEL, one)
        # Matrix products of a batch may be summed in another order.
        torch.testing.assert_close(both.rgb_linear[i], alone.rgb_linear, atol=1e-4, rtol=0)
        torch.testing.assert_close(both.depth_mm[i], alone.depth_mm, atol=1e-2, rtol=0)


def test_parts_broadcast() -> None:
    yaws = torch.zeros(2, 3, 3)
    yaws[..., 1] = torch.linspace(-0.5, 0.5, 6).reshape(2, 3)
    scene = SCENE.replace(pose=Pose(yaws, torch.tensor([0.0, 0.0, -600.0]).expand(2, 3, 3)))
    assert synthesise(MODEL, scene).rgb_linear.shape == (2, 3, 64, 72, 3)


def test_a_crop_is_a_part_of_the_photo() -> None:
    whole = synthesise(MODEL, lit(SCENE), silhouettes=False)
    T_crop_photo = Similarity.in_plane(1.0, (-20.0, -10.0))
    crop = lit(SCENE).replace(camera=SCENE.camera.cropped(T_crop_photo, 40, 30))
    part = synthesise(MODEL, crop, silhouettes=False)
    same = (part.rgb_linear - whole.rgb_linear[10:40, 20:60]).abs().amax(-1) < 1e-3
    # Other clip coordinates round other corners: a few centres on edges change hands.
    assert same.float().mean() > 0.995


def test_enlarging_the_picture_shows_the_same() -> None:
    small = synthesise(MODEL, lit(SCENE))
    T = Similarity.in_plane(3.0, (0.0, 0.0))
    large = synthesise(MODEL, lit(SCENE).replace(camera=SCENE.camera.cropped(T, 216, 192)))
    means = large.coverage.reshape(64, 3, 72, 3).mean((1, 3))
    # Mixed pixels are the mean of their nine parts, to first order.
    assert (means - small.coverage).abs().mean() < 2e-3


def test_moving_nearer_enlarges_as_it_should() -> None:
    """The picture's area goes with the distance to the power of -2 for a distant head."""
    distance = torch.tensor(6000.0, requires_grad=True)
    shift = torch.stack([distance * 0, distance * 0, -distance])
    camera = Camera.centred(10 * float(SCENE.camera.focal_px), 96, 96)
    scene = SCENE.replace(pose=Pose(torch.zeros(3), shift), camera=camera)
    area = synthesise(MODEL, scene).coverage.sum()
    (slope,) = torch.autograd.grad(area, distance)
    # One picture crosses rows and columns at random places: a few percent either way.
    assert float(slope) == pytest.approx(float(-2 * area.detach() / 6000), rel=0.04)


def test_everything_in_a_scene_has_a_derivative() -> None:
    tracked = lit(SCENE).map(lambda t: t.clone().requires_grad_())
    synthesise(MODEL, tracked).rgb_linear.square().sum().backward()
    missing: list[int] = []

    def check(t: torch.Tensor) -> torch.Tensor:
        # Of a model without joints there are none to move.
        moves = t.numel() > 0
        if moves and (t.grad is None or not t.grad.isfinite().all() or not t.grad.any()):
            missing.append(t.numel())
        return t

    tracked.map(check)
    assert missing == []


def test_the_reference_makes_the_same_picture() -> None:
    fast = synthesise(MODEL, lit(SCENE))
    slow = synthesise(MODEL, lit(SCENE), backend="reference")
    difference = (fast.rgb_linear - slow.rgb_linear).abs().amax(-1)
    assert (difference < 1e-4).float().mean() > 0.995
    assert difference.mean() < 1e-4


def test_a_mesh_of_ones_own() -> None:
    points, topology, camera = toy_head(48)
    albedo = torch.full((topology.n_vertices, 3), 0.5)
    r = render_mesh(points, albedo, topology, camera, Lighting.ambient_white())
    seen = r.fragments.covered
    torch.testing.assert_close(r.albedo_linear[seen], torch.full((int(seen.sum()), 3), 0.5))


def test_a_backend_for_another_device_is_refused() -> None:
    with pytest.raises(InputError, match=r"renders tensors on 'cuda', these are on 'cpu'"):
        choose_backend("nvdiffrast", torch.device("cpu"))
    with pytest.raises(InputError, match=r"renders tensors on 'cpu', these are on 'cuda'"):
        choose_backend("cpu", torch.device("cuda"))


def test_other_colours_and_another_light_are_those_of_a_picture_drawn_anew() -> None:
    topology, camera = MODEL.surface.topology, SCENE.camera
    drawn = synthesise(MODEL, lit(SCENE), background_linear=torch.tensor([0.1, 0.2, 0.3]))
    colours = torch.rand(MODEL.n_vertices, 3, generator=torch.Generator().manual_seed(0))
    light, ground = Lighting.ambient_white(), torch.tensor([0.7, 0.7, 0.7])
    points = drawn.points_cam_mm
    again = repainted(drawn, colours, topology, camera, light, background_linear=ground)
    anew = render_mesh(points, colours, topology, camera, light, background_linear=ground)
    for name in ("rgb_linear", "coverage", "albedo_linear"):
        torch.testing.assert_close(getattr(again, name), getattr(anew, name), rtol=0, atol=0)
