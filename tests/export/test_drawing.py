"""What is drawn of the samples that show a head is what whole pictures of all samples give."""

import torch

from fit3dmm.export.drawing import draw, sight
from fit3dmm.geometry.camera import Camera
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.lights import named_lights
from fit3dmm.render.shading import shade, unit
from fit3dmm.scene import Pose, Scene
from tests.toy import toy_model


def test_clay_is_what_all_samples_give():
    model = toy_model(level=1)
    person = model.sample(generator=torch.Generator().manual_seed(1))
    size_px = 21
    extent_mm = float((model.mean_mm.amax(0) - model.mean_mm.amin(0)).max())
    pose = Pose(torch.tensor([0.1, 0.5, 0.0]), torch.tensor([0.0, 0.0, -8 * extent_mm]))
    camera = Camera.centred(5.0 * size_px, size_px, size_px)
    scene = Scene(person, pose, camera, named_lights()["studio"])
    drawn = draw(model, scene, None)
    assert 0.1 < float(drawn.coverage.mean()) < 0.9

    wide = Camera.centred(10.0 * size_px, 2 * size_px, 2 * size_px)
    points = scene.pose.T_cam_model @ model.shape_mm(person)
    backend, surface = choose_backend("auto", points.device), model.surface
    fragments = backend.rasterise(
        wide.to_clip(points)[None], surface.triangles, 2 * size_px, 2 * size_px
    )
    normals = backend.vertex_normals(points, surface.topology)[None]
    at_pixels = backend.interpolate(normals, surface.triangles, fragments)[0]
    covered = fragments.covered[0][..., None]
    flat = unit(at_pixels).flatten(0, 1)
    lit = shade(torch.full_like(flat, 0.45), flat, scene.lighting.irradiance_sh)
    lit = lit.unflatten(0, covered.shape[:2])
    samples = torch.cat([lit * covered, covered.float()], -1)
    pixels = samples.unfold(0, 2, 2).unfold(1, 2, 2).mean((-1, -2))
    torch.testing.assert_close(torch.cat([drawn.rgb_linear, drawn.coverage], -1), pixels)
    face = backend.interpolate(model.regions["face"][None, :, None], surface.triangles, fragments)
    face = face[0].unfold(0, 2, 2).unfold(1, 2, 2).mean((-1, -2))
    torch.testing.assert_close(drawn.face, face)


def test_a_picture_that_shows_no_head_is_empty():
    model = toy_model(level=1)
    pose = Pose(torch.zeros(3), torch.tensor([0.0, 0.0, 500.0]))
    scene = Scene(model.zeros(), pose, Camera.centred(30.0, 8, 8), named_lights()["studio"])
    seen = sight(model, scene)
    assert len(seen.covered) == 0
    assert not draw(model, scene, None, seen).coverage.any()
