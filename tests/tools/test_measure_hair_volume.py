"""What the measurement of avatars' outlines takes for a person."""

import numpy as np
import torch

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export.drawing import draw, sight
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.scene import Lighting, Pose, Scene
from measure_hair_volume import before_wall, overlaps
from tests.export.heads import long_hair


def test_a_person_before_a_wall_in_a_frame_is_found():
    size = 160
    y, x = np.mgrid[0:size, 0:size]
    wall = np.array([80, 120, 150]) * (0.7 + 0.5 * y / size)[..., None]
    person = np.hypot(x - 80, y - 90) < 40
    picture = np.where(person[..., None], [190, 140, 110], wall)
    picture += np.random.default_rng(0).normal(0, 2, picture.shape)
    framed = np.zeros((size + 20, size + 12, 3))
    framed[10:-10, 6:-6] = picture
    found, counts = before_wall(framed.clip(0, 255).astype(np.uint8))
    inner = np.s_[10:-10, 6:-6]
    assert (found[inner] == person).mean() > 0.99
    assert counts[inner].mean() > 0.9
    assert not counts[:10].any()
    assert not found[:10].any()


def test_an_avatar_covers_the_photo_that_is_drawn_of_it():
    model = load_model(level=1)
    hair = long_hair(model)
    pose = Pose(torch.zeros(3), torch.tensor([0.0, -10.0, -900.0]))
    scene = Scene(model.zeros(), pose, Camera.centred(480.0, 240, 240), Lighting.ambient_white(0.8))
    skin = np.full((64, 64, 3), 200, np.uint8)
    shade = torch.linspace(1.0, 0.5, 240)[:, None, None] * torch.linspace(0.7, 1.0, 240)[:, None]
    wall = shade * torch.tensor([0.1, 0.3, 0.5])
    drawn = draw(model, scene, skin, sight(model, scene, hair)).over(wall)
    table = overlaps(scene, model, (255 * linear_to_srgb(drawn)).round().byte().numpy(), hair)
    painted, raised, hanging = table[1]  # above the chin
    assert painted < raised < hanging
    assert hanging > 0.97
    assert table[0, 1] > 0.97  # above the brows nothing hangs
