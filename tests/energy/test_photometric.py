"""The photometric term and `synthesise` say one thing of a scene's colours."""

import pytest
import torch

from fit3dmm.energy import SmoothImage, photometric_term, surface_samples
from fit3dmm.energy.surface_samples import SurfaceSamples
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import vertex_normals
from fit3dmm.geometry.transform import Similarity
from fit3dmm.render import synthesise
from fit3dmm.render.depth import posed
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.unknowns import PhotoIntrinsics, values_of
from tests.toy import toy_model

SIZE_PX = 512


@pytest.fixture(scope="module")
def model():
    return toy_model(2).to(dtype=torch.float64)


@pytest.fixture(scope="module")
def scene(model):
    """Somebody who smiles, turned to one side, in coloured light from the other."""
    face = model.sample(generator=torch.Generator().manual_seed(5), expression=True)
    light = Lighting.ambient_white(0.6) + 0.5 * Lighting.directional(
        (0.6, 0.4, 1.0), (1.0, 0.9, 0.7)
    )
    pose = Pose(torch.tensor([0.1, -0.4, 0.2]), torch.tensor([15.0, 10.0, -700.0]))
    # The principal point is the photo's centre, as the term takes it to be.
    return Scene(face, pose, Camera.centred(1500.0, 640, 600), light).to(dtype=torch.float64)


def seen_samples(model, scene: Scene, crop: Scene) -> SurfaceSamples:
    """Samples that the crop shows well away from outlines."""
    samples = surface_samples(model, 2000)
    cam = posed(model, scene)
    at = samples.places.locate(cam, model.surface.triangles)
    normal = samples.places.locate(
        vertex_normals(cam, model.surface.topology), model.surface.triangles
    )
    facing = torch.nn.functional.cosine_similarity(normal, -at, dim=-1)
    px = crop.camera.project(at)
    inside = ((px > 2) & (px < SIZE_PX - 2)).all(-1)
    column, row = px.long().clamp(0, SIZE_PX - 1).unbind(-1)
    shown_mm = synthesise(model, crop, silhouettes=False).depth_mm[row, column]
    in_front = (shown_mm + at[:, 2]).abs() < 2
    rows = torch.nonzero((facing > 0.5) & inside & in_front)[:, 0]
    return samples.select(rows).relinearised(
        model.shape_mm(scene.coefficients), model.surface.triangles, values_of(scene)
    )


def test_the_terms_colours_are_those_of_the_picture(model, scene):
    T_crop_photo = Similarity.in_plane(1.6, (-250.0, -220.0)).to(dtype=torch.float64)
    crop = scene.replace(camera=scene.camera.cropped(T_crop_photo, SIZE_PX, SIZE_PX))
    samples = seen_samples(model, scene, crop)
    assert len(samples) > 500
    term = photometric_term(
        samples,
        torch.ones(len(samples), dtype=torch.float64),
        SmoothImage(synthesise(model, crop, silhouettes=False).rgb_linear),
        T_crop_photo,
        PhotoIntrinsics.of(scene.camera),
        sigma_linear=1.0,
    )
    truth = values_of(scene)
    off = term(truth).residual.abs()
    # Colours reach 0.7. The picture turns unit normals of the vertices into light, the term the
    # normals that it has added up around a point: on edges of 4 mm they differ by little. Where
    # lips and brows begin, pixels of half a millimetre smooth what the points see exactly.
    assert off.mean() < 0.001
    assert off.max() < 0.015
    # A hundredth of a unit of light is seen, and so are a degree and two millimetres.
    for name, step in (("irradiance_sh", 0.01), ("rotation_rad", 0.02), ("translation_mm", 2.0)):
        changed = {**truth, name: truth[name] + step}
        assert term(changed).residual.abs().mean() > 3 * off.mean(), name
