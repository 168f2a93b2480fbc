"""Whites of eyes and teeth: found where they are, and what they say of the light."""

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from fit3dmm.fitting import Exposure, FitConfig
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.white_references import EYES, right_of, white_references
from fit3dmm.scene import Lighting, Pose, Scene
from tests.fitting.synthetic import observe_scene

SKIN, WHITE, TEETH = 0.1, 0.3, 0.5
_UPPER = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


def seen(model: MorphableModel, size_px: int = 600, **units: float) -> Observation:
    """A frontal face with grey skin, whites that are white, and light between its lips."""
    coefficients = model.zeros()
    for name, value in units.items():
        coefficients.expression[model.expression_names.index(name)] = value
    pose = Pose(torch.zeros(3), torch.tensor([0.0, 0.0, -700.0]))
    camera = Camera.centred(1.2 * size_px, size_px, size_px)
    scene = Scene(coefficients, pose, camera, Lighting.ambient_white())
    observation = observe_scene(model, scene)
    points = observation.T_crop_photo @ observation.detection().points_px
    image = torch.full((224, 224, 3), SKIN)
    y, x = torch.meshgrid(torch.arange(224) + 0.5, torch.arange(224) + 0.5, indexing="ij")
    at = torch.stack([x, y], -1).reshape(-1, 2)
    for upper, lower, iris in EYES:
        lids = points[list(upper)], points[list(lower)].flip(0)
        inside = right_of(lids[0], at, 0.0) & right_of(lids[1], at, 0.0)
        radius = (points[iris][1:] - points[iris][0]).norm(dim=1).mean()
        white = inside & ((at - points[iris][0]).norm(dim=1) > radius)
        image.view(-1, 3)[white] = WHITE
        image.view(-1, 3)[inside & ~white] = 0.01
    mouth = Image.new("1", (224, 224))
    outline = torch.cat([points[list(_UPPER)], points[list(_LOWER)].flip(0)])
    ImageDraw.Draw(mouth).polygon([tuple(one) for one in outline.tolist()], fill=1)
    image[torch.from_numpy(np.array(mouth))] = TEETH
    return observation.replace(image_linear=image)


def test_whites_and_teeth_are_found_where_they_are(model):
    found = white_references(seen(model, jawOpen=0.5))
    assert found.eyes == pytest.approx(WHITE, rel=0.05)
    assert found.teeth == pytest.approx(TEETH, rel=0.05)


def test_shut_eyes_and_lips_and_small_faces_tell_nothing(model):
    shut = white_references(seen(model, eyeBlinkLeft=1.0, eyeBlinkRight=1.0))
    assert shut.eyes is None
    assert shut.teeth is None
    # An iris of some 2 px.
    small = white_references(seen(model, size_px=130, jawOpen=0.5))
    assert small.eyes is None
    assert small.teeth is None


def test_half_the_light_is_half_the_level(model):
    """As far as they tell it: what is known of cameras stays."""
    sure = Exposure(level_log_sigma=50.0)
    bright = seen(model, jawOpen=0.5)
    dim = bright.replace(image_linear=0.5 * bright.image_linear)
    levels = [sure.level_of(one)[0] for one in (bright, dim)]
    assert levels[0] - levels[1] == pytest.approx(math.log(2), abs=0.02)
    usual = [Exposure().level_of(one)[0] for one in (bright, dim)]
    assert 0.1 < usual[0] - usual[1] < math.log(2)


def test_bright_teeth_say_more_than_dark_ones(model):
    """Teeth may lie in the shade of lips, but nothing makes them lighter than the light."""
    exposure = Exposure(eyes_clear=0.0)
    observation = seen(model, jawOpen=0.5)

    def level(teeth: float) -> float:
        image = observation.image_linear * (teeth / TEETH)
        return exposure.level_of(observation.replace(image_linear=image))[0]

    usual = math.log(exposure.level)
    expected = exposure.level * exposure.teeth
    assert level(expected) == pytest.approx(usual, abs=0.06)
    brighter, darker = level(4 * expected) - usual, usual - level(expected / 4)
    assert brighter > 0.4
    assert darker < 0.2 < brighter
    deaf = Exposure(eyes_clear=0.0, teeth_clear=0.0)
    assert deaf.level_of(observation) == (math.log(deaf.level), deaf.level_log_sigma)
    assert FitConfig().exposure == Exposure()
