"""Scenes as named values and back, and what the table promises of each unknown."""

import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.unknowns import (
    UNKNOWNS,
    PhotoIntrinsics,
    bounds_of,
    coefficients_of,
    modes_of,
    scene_of,
    starts,
    steps_of,
    unknown,
    values_of,
)
from tests.toy import toy_model


@pytest.fixture(scope="module")
def model():
    return toy_model().to(dtype=torch.float64)


def random_scene(model, *batch: int) -> Scene:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn((*batch, *shape), generator=generator, dtype=torch.float64)

    camera = Camera(700 + 100 * draw().abs(), draw(2), 640, 480)
    pose = Pose(0.3 * draw(3), draw(3) - 600)
    face = model.sample(*batch, generator=generator, expression=True)
    return Scene(face, pose, camera, Lighting(draw(9, 3)))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_scenes_come_back_from_their_values(model, batch):
    scene = random_scene(model, *batch)
    values = values_of(scene)
    back = scene_of(values, PhotoIntrinsics.of(scene.camera))
    again = values_of(back)
    assert set(values) == set(again)
    for name in values:
        # The focal length goes through its logarithm.
        assert torch.allclose(values[name], again[name], rtol=1e-14, atol=0), name
    assert back.batch_shape == torch.Size(batch)
    assert torch.allclose(back.camera.focal_px, scene.camera.focal_px, rtol=1e-14)
    assert torch.equal(back.camera.principal_point_px, scene.camera.principal_point_px)
    assert (back.camera.width_px, back.camera.height_px) == (640, 480)
    face = coefficients_of(values)
    for name in ("identity", "detail", "expression", "albedo"):
        assert torch.equal(getattr(face, name), getattr(scene.coefficients, name))


def test_values_that_no_picture_shows_are_no_part_of_the_scene(model):
    scene = random_scene(model)
    values = {**values_of(scene), modes_of("some detector"): torch.ones(7)}
    assert torch.equal(
        scene_of(values, PhotoIntrinsics.of(scene.camera)).pose.rotation_rad,
        scene.pose.rotation_rad,
    )


def test_every_start_lies_within_its_bounds_and_makes_a_scene(model):
    values = starts(model)
    for name, bounds in bounds_of(values, model).items():
        low, high = bounds.unbind(-1)
        assert ((values[name] >= low) & (values[name] <= high)).all()
    assert set(steps_of(values)) == set(values)
    assert all(step > 0 for step in steps_of(values).values())
    scene = scene_of(values, PhotoIntrinsics.centred(640, 640, model.mean_mm))
    assert scene.camera.focal_px > 0
    assert scene.pose.translation_mm[2] < 0
    assert torch.equal(scene.coefficients.identity, model.zeros().identity)


def test_members_have_the_row_of_their_family():
    assert unknown(modes_of("mediapipe")) is UNKNOWNS["detector_modes"]
    with pytest.raises(KeyError):
        unknown("nose")


def test_what_a_person_keeps_from_photo_to_photo():
    of_person = {name for name, row in UNKNOWNS.items() if row.per == "person"}
    assert of_person == {"identity", "detail", "albedo"}
