"""The scene: signs told about the person, lights that add up, batches that broadcast."""

import math

import pytest
import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.model.morphable import Coefficients
from fit3dmm.scene import Lighting, Pose, Scene

# In the model frame: x to the subject's left, y up, z out of the face.
NOSE = torch.tensor([[0.0, 0.0, 100.0]])
CHIN = torch.tensor([[0.0, -80.0, 80.0]])
LEFT_CHEEK = torch.tensor([[60.0, -20.0, 40.0]])
CROWN = torch.tensor([[0.0, 110.0, 0.0]])
CAMERA = Camera.centred(600.0, 400, 400)


def turned(x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Pose:
    return Pose.facing(600.0).replace(rotation_rad=torch.tensor([x, y, z]))


def seen(pose: Pose, points: torch.Tensor) -> torch.Tensor:
    return CAMERA.project(pose.T_cam_model @ points)[0]


def test_zero_rotation_is_a_frontal_face() -> None:
    nose, cheek, crown = (seen(Pose.facing(), p) for p in (NOSE, LEFT_CHEEK, CROWN))
    torch.testing.assert_close(nose, torch.tensor([200.0, 200.0]))
    assert cheek[0] > 200  # the subject's left is on the picture's right
    assert crown[1] < 200  # up is up


def test_facing_puts_the_origin_at_the_distance() -> None:
    origin = Pose.facing(750.0).T_cam_model @ torch.zeros(1, 3)
    torch.testing.assert_close(origin, torch.tensor([[0.0, 0.0, -750.0]]))


def test_positive_pitch_lowers_the_chin_to_the_chest() -> None:
    before, after = (p.T_cam_model @ CHIN for p in (Pose.facing(), turned(x=0.2)))
    assert after[0, 1] < before[0, 1]
    assert after[0, 2] < before[0, 2]  # towards the chest: away from the camera
    assert seen(turned(x=0.2), NOSE)[1] > 200


def test_positive_yaw_turns_to_the_right_edge_of_the_picture() -> None:
    assert seen(turned(y=0.3), NOSE)[0] > 200
    right_cheek = LEFT_CHEEK * torch.tensor([-1.0, 1.0, 1.0])
    pose = turned(y=0.3).T_cam_model
    # We see more of the right cheek: it comes nearer than the left.
    assert (pose @ right_cheek)[0, 2] > (pose @ LEFT_CHEEK)[0, 2]


def test_positive_roll_is_counter_clockwise_in_the_picture() -> None:
    assert seen(turned(z=0.3), CROWN)[0] < 200


def test_ambient_white_shows_pure_albedo() -> None:
    normals = torch.nn.functional.normalize(
        torch.tensor([[0.1, 2.0, 0.3], [0.0, 0.0, -1.0]]), dim=-1
    )
    shade = sh_basis(normals) @ Lighting.ambient_white().irradiance_sh
    torch.testing.assert_close(shade, torch.ones(2, 3))


def test_a_lamp_lights_the_side_that_faces_it() -> None:
    lamp = Lighting.directional((0.0, 3.0, 0.0), (1.0, 0.5, 0.25))
    up, down = (sh_basis(torch.tensor([0.0, s, 0.0])) @ lamp.irradiance_sh for s in (1.0, -1.0))
    # One sixteenth above the colour where it faces the lamp, one sixteenth at the far pole.
    torch.testing.assert_close(up, 1.0625 * torch.tensor([1.0, 0.5, 0.25]))
    torch.testing.assert_close(down, 0.0625 * torch.tensor([1.0, 0.5, 0.25]))


def test_lights_add_up_and_scale() -> None:
    a, b = Lighting.ambient_white(0.3), Lighting.directional((1.0, 0.0, 1.0))
    expected = a.irradiance_sh + 2 * b.irradiance_sh
    torch.testing.assert_close((a + 2.0 * b).irradiance_sh, expected)


def test_white_light_is_the_same_in_every_colour() -> None:
    light = Lighting.white(torch.arange(9.0))
    assert (light.irradiance_sh == torch.arange(9.0)[:, None]).all()


def coefficients(*batch: int) -> Coefficients:
    return Coefficients(*(torch.zeros(*batch, n) for n in (3, 2, 4, 2)))


def test_parts_of_a_scene_broadcast() -> None:
    scene = Scene.portrait(coefficients(5), 200, 300)
    assert scene.batch_shape == (5,)
    assert scene.pose.rotation_rad.shape == (3,)


def test_parts_that_do_not_fit_are_an_error() -> None:
    scene = Scene.portrait(coefficients(5), 200, 300)
    with pytest.raises(ValueError, match="broadcast"):
        scene.replace(pose=Pose(torch.zeros(2, 3), torch.zeros(2, 3))).batch_shape  # noqa: B018


def test_a_portrait_takes_the_type_of_its_coefficients() -> None:
    scene = Scene.portrait(coefficients().to(dtype=torch.float64), 224, 224)
    assert scene.camera.focal_px.dtype == torch.float64
    assert math.isclose(float(scene.camera.focal_px) * 230 / 600, 0.8 * 224, rel_tol=1e-6)
