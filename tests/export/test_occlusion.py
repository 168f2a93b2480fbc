"""Hair is told from skin by what the scalp shows, whatever its colour."""

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from fit3dmm.export.occlusion import OcclusionSettings, beside_lips, occluded
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from tests.toy import toy_model

# Logarithms of linear RGB over the skin's: dark, and as bright as skin but yellower or greyer.
HAIR = {"black": (-2.0, -1.7, -1.5), "blond": (0.1, 0.15, -0.5), "grey": (-0.3, 0.1, 0.3)}


@dataclass(frozen=True)
class Head:
    """The toy with a scalp, and places on it."""

    model: MorphableModel
    scalp: Tensor
    fringe: Tensor
    """A patch of the forehead below the scalp."""
    chin: Tensor
    cheeks: Tensor
    """Skin that nothing covers in any test."""

    def occlusion(self, log_ratio: Tensor) -> Tensor:
        edges = self.model.surface.topology.edges
        log_albedo = self.model.albedo_mean_linear.clamp_min(0.01).log()
        seen = (self.model.shape_mm(self.model.zeros())[:, 2] > 10).float()
        return occluded(log_ratio, log_albedo, seen, self.model, edges, OcclusionSettings())


@pytest.fixture(scope="module")
def head() -> Head:
    model = toy_model(level=2)
    x, y, z = model.shape_mm(model.zeros()).unbind(-1)
    front = z > 10
    model = model.replace(regions=model.regions | {"scalp": (y > 80).float()})
    return Head(
        model,
        scalp=front & (y > 80),
        fringe=(y > 50) & (y < 80) & (x.abs() < 30) & (z > 30),
        chin=front & (y < -60) & (z > 30),
        cheeks=front & (y.abs() < 25) & (x.abs() > 35) & (z > 40),
    )


def skin_like(head: Head) -> Tensor:
    """Skin everywhere, with the noise of a photo."""
    generator = torch.Generator().manual_seed(0)
    return 0.05 * torch.randn(head.model.n_vertices, 3, generator=generator)


@pytest.mark.parametrize("colour", HAIR)
def test_a_fringe_of_any_colour_is_found_and_the_cheeks_are_not(head, colour):
    photo = skin_like(head)
    photo[head.scalp | head.fringe] += torch.tensor(HAIR[colour])
    occlusion = head.occlusion(photo)
    assert occlusion[head.fringe].median() > 0.99
    assert occlusion[head.cheeks].max() < 0.01


def test_a_bald_head_keeps_its_forehead(head):
    occlusion = head.occlusion(skin_like(head))
    assert occlusion[head.fringe | head.cheeks | head.chin].max() < 0.2


def test_a_beard_is_the_faces_own(head):
    photo = skin_like(head)
    photo[head.scalp | head.chin] += torch.tensor(HAIR["black"])
    assert head.occlusion(photo)[head.chin].median() < 0.1


def test_a_blue_thing_before_the_chin_is_not(head):
    photo = skin_like(head)
    photo[head.chin] += torch.tensor([-0.8, -0.2, 0.9])
    assert head.occlusion(photo)[head.chin].median() > 0.9


def test_a_face_that_is_hardly_seen_is_not_judged(head):
    edges = head.model.surface.topology.edges
    nothing = torch.zeros(head.model.n_vertices)
    log_albedo = head.model.albedo_mean_linear.clamp_min(0.01).log()
    assert (
        occluded(skin_like(head), log_albedo, nothing, head.model, edges, OcclusionSettings()).max()
        == 0
    )


def test_teeth_on_a_fitted_lip_are_found_and_lipstick_is_not():
    model = load_model("commons")
    edges = model.surface.topology.edges
    points = model.shape_mm(model.zeros())
    lips = (model.regions["lips"] > 0.9) & (model.regions["mouth_interior"] < 0.1)
    generator = torch.Generator().manual_seed(0)
    photo = 0.05 * torch.randn(model.n_vertices, 3, generator=generator)
    photo[model.regions["lips"] > 0] += torch.tensor([0.3, -0.4, -0.2])
    # The fitted lower lip reaches 2 mm too high over a smile of 3 cm.
    opening = model.landmarks_mm("mediapipe478", model.zeros())[14]
    smile = (points[:, 0].abs() < 15) & (points[:, 1] < opening[1]) & (points[:, 2] > 85)
    teeth = lips & smile & (points[:, 1] > opening[1] - 2)
    photo[teeth] = torch.tensor([0.8, 0.9, 0.9])
    found = beside_lips(photo, (points[:, 2] > 10).float(), model, edges, OcclusionSettings())
    assert found[teeth].median() > 0.9
    assert found[lips & (points[:, 1] < opening[1] - 4)].max() < 0.01
    assert found[model.regions["lips"] == 0].max() < 0.01
