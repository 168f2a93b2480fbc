"""Irises take the photo's colour where it shows them well, and the model's elsewhere."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fit3dmm._threads import torch_threads
from fit3dmm.colour import srgb_to_linear
from fit3dmm.export.texels import in_texels, texel_fragments
from fit3dmm.export.texture import bake_texture
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.faces import photo_of

SIZE_PX = 512
COLOURS = {
    "brown": (0.062, 0.031, 0.016),
    "green": (0.120, 0.130, 0.058),
    "blue": (0.095, 0.130, 0.200),
    "grey": (0.150, 0.158, 0.152),
}


@dataclass(frozen=True)
class Eyes:
    """Commons and where its irises are."""

    model: MorphableModel
    radius: Tensor
    """(vertices,) distance from the nearer iris' centre, 1 at its rim; large off the eyes."""

    @property
    def ring(self) -> Tensor:
        return (self.radius > 0.5) & (self.radius < 0.8)

    def colour(self, albedo: Tensor) -> Tensor:
        """Of the ring, where no lid shades it."""
        return albedo[self.ring].quantile(0.8, dim=0)

    def painted(self, colour: tuple[float, ...]) -> MorphableModel:
        """Irises of the colour, and a black pupil."""
        albedo = self.model.albedo_mean_linear
        share = torch.tensor(colour) / self.colour(albedo)
        iris = (self.radius < 1)[:, None]
        return self.model.replace(albedo_mean_linear=torch.where(iris, albedo * share, albedo))

    def in_texture(self, texture: Tensor) -> Tensor:
        """The colour of the ring as `bake_texture` wrote it."""
        surface = self.model.surface
        fragments = texel_fragments(surface, SIZE_PX)
        share = in_texels(self.ring.float()[:, None], surface, fragments)[..., 0]
        linear = srgb_to_linear(texture.float() / 255)
        return linear[fragments.covered[0] & (share > 0.9)].quantile(0.8, dim=0)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    model = load_model("commons")
    points = model.shape_mm(model.zeros())
    marks = model.landmarks_mm("mediapipe478", model.zeros())
    radius = torch.full((model.n_vertices,), 9.0)
    for name, first in (("eye_right", 468), ("eye_left", 473)):
        rows = torch.nonzero(model.regions[name] > 0.5)[:, 0]
        centre, rim = marks[first], marks[first + 1]
        radius[rows] = (points[rows] - centre).norm(dim=1) / (rim - centre).norm()
    return Eyes(model, radius)


def seen(model: MorphableModel, focal_px: float = 1100.0, blink: float = 0.0) -> Scene:
    """A head under light from one side; its irises have 18 px at the default focal length."""
    face = model.zeros()
    names = model.expression_names
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        face.expression[names.index(name)] = blink
    light = Lighting.ambient_white(0.5) + 0.6 * Lighting.directional((0.5, 0.4, 1.0))
    pose = Pose(torch.tensor([0.0, 0.15, 0.0]), torch.tensor([0.0, 0.0, -700.0]))
    return Scene(face, pose, Camera.centred(focal_px, 420, 480), light)


def baked(eyes: Eyes, painted: MorphableModel, scene: Scene) -> Tensor:
    """The ring's colour after a fit that knows all but the irises."""
    points = scene.pose.T_cam_model @ painted.landmarks_mm("mediapipe478", scene.coefficients)
    found_px = scene.camera.project(points)
    with torch.no_grad(), torch_threads(1):
        photo = photo_of(painted, scene)
        texture = bake_texture(eyes.model, scene, photo, SIZE_PX, found_px)
        return eyes.in_texture(torch.from_numpy(texture))


@pytest.mark.parametrize("name", COLOURS)
def test_irises_take_the_colour_of_the_photo(eyes, name):
    painted = eyes.painted(COLOURS[name])
    found = baked(eyes, painted, seen(painted))
    # Pixels of the ring mix with the pupil and with neighbours; bytes of dark colours are coarse.
    torch.testing.assert_close(found, torch.tensor(COLOURS[name]), rtol=0.2, atol=0.005)


@pytest.mark.parametrize(
    ("change", "why"), [({"focal_px": 420.0}, "too small"), ({"blink": 1.0}, "closed")]
)
def test_eyes_that_show_no_iris_keep_the_models(eyes, change, why):
    painted = eyes.painted(COLOURS["blue"])
    found = baked(eyes, painted, seen(painted, **change))
    own = eyes.colour(eyes.model.albedo_mean_linear)
    torch.testing.assert_close(found, own, rtol=0.1, atol=0.005, msg=why)


def test_the_shadow_of_the_brow_is_no_colour_of_the_iris(eyes):
    painted = eyes.painted(COLOURS["brown"])
    in_shadow = torch.where((eyes.radius < 9)[:, None], 0.4, 1.0) * painted.albedo_mean_linear
    found = baked(eyes, painted.replace(albedo_mean_linear=in_shadow), seen(painted))
    torch.testing.assert_close(found, torch.tensor(COLOURS["brown"]), rtol=0.3, atol=0.005)


def test_a_window_in_the_eye_is_no_colour_of_the_iris(eyes):
    painted = eyes.painted(COLOURS["brown"])
    height = painted.shape_mm(painted.zeros())[:, 1]
    upper = (eyes.radius < 1) & (height > height[eyes.radius < 1].median())
    mirrored = painted.albedo_mean_linear + upper[:, None] * torch.tensor([0.3, 0.4, 0.5])
    found = baked(eyes, painted.replace(albedo_mean_linear=mirrored), seen(painted))
    # Half of the iris mirrors the sky, and the other half is seen with what it lends its borders.
    torch.testing.assert_close(found, torch.tensor(COLOURS["brown"]), rtol=0.3, atol=0.01)
