"""Lines that go on from what hides a face are followed, others stay; what is cut out is filled;
shadows go."""

import pytest
import torch
from torch import Tensor

from fit3dmm.export.infill import InfillSettings, surroundings
from fit3dmm.export.one_sided import ShadowSettings, shadow
from fit3dmm.export.traced import TraceSettings, rims, strands
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import GLASSES, SKIN
from fit3dmm.render.depth import posed
from tests.export.test_person_colours import bare_cover, frontal, told

HAIR_LIGHT, STRAND_LIGHT = -1.2, -0.7


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model()


def marks(model: MorphableModel, name: str) -> Tensor:
    return model.landmarks[name].locate(model.shape_mm(model.zeros()), model.surface.triangles)


def grey(light: Tensor) -> Tensor:
    return light[:, None].expand(-1, 3)


def followed(model: MorphableModel, light: Tensor, hidden: Tensor) -> Tensor:
    points = model.shape_mm(model.zeros())
    seen = (points[:, 2] > 30).float()
    albedo = torch.full((model.n_vertices, 3), 0.3)
    edges = model.surface.topology.edges
    return strands(grey(light), albedo.log(), seen, hidden, model, edges, TraceSettings())


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_strand_is_followed_and_a_wrinkle_and_a_brow_are_not(model, sign):
    points, at = model.shape_mm(model.zeros()), marks(model, "ibug68")
    x, y, z = points.unbind(-1)
    brow_y = float(at[17:27, 1].mean())
    above, front = y - brow_y, z > 30
    hidden = (front & (above > 40)).float()
    strand = front & ((x - 6).abs() < 1.2) & (above > 14) & (above <= 41)
    wrinkle = front & ((above - 20).abs() < 1.2) & (x < -8) & (x > -30)
    # As dark as hair, and the strand ends in it.
    brow = front & (model.regions["brows"] > 0.5)
    into_brow = front & ((x - float(at[24, 0])).abs() < 1.2) & (above > 0) & (above <= 41)
    light = torch.zeros(len(x))
    light[strand | wrinkle | into_brow] = sign * STRAND_LIGHT
    light[brow | (hidden > 0)] = sign * HAIR_LIGHT
    found = followed(model, light, hidden)
    assert found[strand & (hidden == 0)].min() > 0.9
    assert found[wrinkle].max() < 0.01
    assert found[brow & ((y - at[17:27, 1].max()) < 0)].max() < 0.1
    assert found[front & (above < -20)].max() == 0
    # Hair of the skin's own lightness says nothing of what is dark.
    light[hidden > 0] = 0.0
    assert followed(model, light, hidden).max() == 0


def test_nothing_hangs_over_a_forehead_without_hair(model):
    draw = torch.Generator().manual_seed(0)
    light = 0.3 * torch.randn(model.n_vertices, generator=draw)
    assert followed(model, light, torch.zeros(model.n_vertices)).max() == 0


def test_rims_are_followed_where_glasses_are_worn(model):
    scene = frontal(model)
    at_px = scene.camera.project(posed(model, scene))
    points = model.shape_mm(model.zeros())
    iris = marks(model, "mediapipe478")[473]
    radius = (points[:, :2] - iris[:2]).norm(dim=1)
    ring = ((radius - 23).abs() < 1.0) & (points[:, 2] > 50)
    below = ring & (points[:, 1] < iris[1] - 5) & (model.regions["nose"] < 0.1)
    mole = ((points - iris - torch.tensor([0.0, -29.0, 0.0]))[:, :2].norm(dim=1) < 1.5) & (
        points[:, 2] > 50
    )
    light = torch.zeros(model.n_vertices)
    light[ring], light[mole] = 0.25, -0.4
    hidden = (ring & (points[:, 1] > iris[1] + 2)).float()
    seen, edges = (points[:, 2] > 30).float(), model.surface.topology.edges
    for cover, least, most in ((0.1, 0.9, 1.0), (0.01, 0.0, 0.0)):
        map_ = bare_cover()
        map_[SKIN], map_[GLASSES] = 1 - cover, cover
        found = rims(told(map_), at_px, grey(light), seen, hidden, model, edges, TraceSettings())
        assert least <= found[below].median() <= most
        assert found[mole & ~ring].max() < 0.1


def test_what_is_cut_out_is_as_what_lies_about_it(model):
    points = model.shape_mm(model.zeros())
    cheek = marks(model, "ibug68")[31] + torch.tensor([-25.0, 0.0, 0.0])
    away_mm = (points - cheek)[:, :2].norm(dim=1)
    flushed = (away_mm < 14) & (points[:, 2] > 30)
    line = ((points[:, 1] - cheek[1]).abs() < 1.5) & flushed
    flush = torch.tensor([0.15, -0.1, -0.05])
    detail = flushed[:, None] * flush
    detail = torch.where(line[:, None], torch.full((3,), -2.0), detail)
    seen = ((points[:, 2] > 30) & ~line).float()
    edges, settings = model.surface.topology.edges, InfillSettings()
    around = surroundings(detail, seen, model, edges, settings)
    middle = line & (away_mm < 6) & (model.regions["face"] > 0.9)
    torch.testing.assert_close(around[middle].mean(0), flush, rtol=0.2, atol=0.01)
    # What hides the face says nothing, and where nothing is seen the fitted colour stays.
    none = surroundings(detail, torch.zeros(len(points)), model, edges, settings)
    assert none.abs().max() == 0
    assert around[points[:, 2] < -40].abs().max() == 0
    assert surroundings(9 * detail, seen, model, edges, settings).abs().max() <= settings.most


def test_a_shadow_on_one_side_goes_and_marks_and_what_both_sides_have_stay(model):
    points = model.shape_mm(model.zeros())
    beside = marks(model, "ibug68")[31] + torch.tensor([-14.0, -4.0, 0.0])
    front = points[:, 2] > 60
    away_mm = (points - beside)[:, :2].norm(dim=1)
    patch, mole = front & (away_mm < 12), front & (away_mm < 1.5)
    mirror, edges = model.surface.mirror.long(), model.surface.topology.edges
    seen = front.float()

    def found(dark: Tensor, seen: Tensor = seen) -> Tensor:
        light = grey(-0.7 * dark.float())
        return shadow(light, seen, model, edges, ShadowSettings())

    middle = patch & (away_mm < 5)
    cast = found(patch)
    assert cast[middle].mean() < -0.4
    assert cast.max() < 1e-6
    assert cast[mirror][middle].abs().max() < 0.01
    assert cast[away_mm > 30].abs().max() < 0.01
    # Its redness goes with it.
    red = torch.tensor([0.1, 0.0, -0.1]) - 0.7
    of_red = shadow(patch[:, None] * red, seen, model, edges, ShadowSettings())[middle].mean(0)
    torch.testing.assert_close(of_red / of_red.mean(), red / red.mean(), rtol=0.02, atol=0)
    # Both cheeks, a mole, and what nobody knows the other side of.
    assert found(patch | patch[mirror])[middle].abs().max() < 0.05
    assert found(mole)[mole].abs().max() < 0.05
    other = seen * (points[:, 0] < 0).float()
    assert found(patch, other)[middle].abs().max() == 0
    # No less light is made of what shines on the other side.
    assert (
        shadow(grey(0.7 * patch.float()), seen, model, edges, ShadowSettings()).abs().max() < 0.01
    )
