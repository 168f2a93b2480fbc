"""What the measurement of fringes compares."""

import numpy as np
import torch

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export.drawing import draw, sight
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.texture import Baked
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.scene import Lighting, Pose, Scene
from measure_fringe import differences
from tests.export.heads import fringe_by, long_hair


def test_a_photo_of_the_avatar_itself_is_like_it():
    model = load_model(level=1)
    hair = long_hair(model)
    shape = HairShape(hair.raised_mm, None, fringe_by(model, hair.raised_mm, [28.0, 28.0]))
    pose = Pose(torch.zeros(3), torch.tensor([0.0, -10.0, -900.0]))
    scene = Scene(model.zeros(), pose, Camera.centred(640.0, 256, 256), Lighting.ambient_white(0.8))
    baked = Baked(np.full((64, 64, 3), 200, np.uint8), shape)
    drawn = draw(model, scene, baked.srgb, sight(model, scene, shape)).over(torch.zeros(3))
    photo = photo_from_array((255 * linear_to_srgb(drawn)).round().byte().numpy(), name="drawn")
    without, with_it = differences(model, scene, photo, baked, shape)
    assert with_it < 2
    assert without > 30
