"""Hair: where a photo shows it, what colour it has, where it grows beyond, and what it hides."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation

from fit3dmm.colour import luminance
from fit3dmm.export.beard import BeardSettings, beard_zone, white_beard
from fit3dmm.export.hair_colour import Hair, HairSettings, hair_colour, warm, with_hair
from fit3dmm.export.hair_cover import HairCoverSettings, Sight, hair_cover
from fit3dmm.export.hair_layer import (
    HairLayerSettings,
    forehead_zone,
    hair_factor,
    hair_thickness_mm,
    hidden_by_hair,
    shown_hair,
)
from fit3dmm.export.hair_light import HairLightSettings, light_on_hair
from fit3dmm.export.hair_map import hair_map
from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.regions import to_region_mm
from fit3dmm.export.stubble import grain_strength
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.heads import COLOURS, LIGHT, SIDE_PX, SKIN_LINEAR, Sitting


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


@pytest.fixture(scope="module")
def scene(model) -> Scene:
    pose = Pose(torch.zeros(3), torch.tensor([0.0, -20.0, -900.0]))
    camera = Camera.centred(600.0, SIDE_PX, SIDE_PX)
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(LIGHT))


@pytest.fixture(scope="module")
def sitting(model, scene) -> Sitting:
    return Sitting(model, scene)


def scalp(model: MorphableModel) -> torch.Tensor:
    return model.regions["scalp"] > 0.5


def lab(linear: torch.Tensor) -> np.ndarray:
    """CIE L*a*b* of linear RGB under D65."""
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    t = (linear.double().numpy() @ to_xyz.T) / [0.9505, 1.0, 1.089]
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("name", COLOURS)
def test_hair_of_any_colour_is_found_without_a_network_and_its_colour_told(model, sitting, name):
    photo, there = sitting.photo(scalp(model), COLOURS[name], thick_px=12)
    found = sitting.map(photo)
    row, column = np.nonzero(np.ones_like(there))
    at = torch.from_numpy(np.stack([column, row], 1) + 0.5).float()
    hair = found.at(at)[:, 0].reshape(there.shape).numpy() > 0.5
    face = sitting.mask((model.regions["face"] > 0.9) & (to_region_mm(model, "scalp") > 10))
    assert hair[there].mean() > 0.8
    assert hair[face].mean() < 0.04
    wall = (sitting.triangle < 0) & ~np.asarray(binary_dilation(there, iterations=6))
    assert hair[wall].mean() < 0.03
    colour = hair_colour(found, torch.full((model.n_vertices, 3), LIGHT), HairSettings())
    assert colour is not None
    assert np.linalg.norm(lab(colour) - lab(torch.tensor(COLOURS[name]))) < 6


def test_hair_in_more_light_than_the_face_is_no_lighter_for_it(model, sitting):
    settings, truth = HairSettings(light=HairLightSettings(1.0, 1.0, 1.0)), COLOURS["blond"]
    side = torch.nn.functional.normalize(torch.tensor([0.3, 1.0, 0.2]), dim=0)
    lit = 0.25 + 0.75 * (sitting.normals @ side).clamp_min(0)[:, None].expand(-1, 3)
    photo, _ = sitting.photo(scalp(model), truth)
    found = sitting.map(photo)
    shaded = replace(found, image_linear=found.image_linear / LIGHT * lit[found.vertex])
    on_hair = light_on_hair(lit, torch.full((3,), 0.6), settings.light)
    colour = hair_colour(shaded, on_hair, settings)
    assert colour is not None
    assert np.linalg.norm(lab(colour) - lab(torch.tensor(truth))) < 6
    # By the face's light alone it is another one.
    on_face = lit[model.regions["face"] > 0.5].median(0).values
    flat = hair_colour(shaded, on_face.expand_as(lit), settings)
    assert flat is not None
    assert lab(flat)[0] > lab(torch.tensor(truth))[0] + 8


def test_light_on_hair_lies_between_the_fitted_light_and_the_faces():
    fitted, face = torch.tensor([[0.3] * 3, [0.8] * 3, [1.6] * 3]), torch.full((3,), 0.8)
    settings = HairLightSettings(above=1.0)
    dark, same, bright = light_on_hair(fitted, face, settings)
    torch.testing.assert_close(same, face)
    assert (dark > 0.3).all()
    assert (dark < 0.8).all()
    assert (bright > 0.8).all()
    assert (bright < 1.6).all()
    warm_light = torch.tensor([1.2, 0.9, 0.6])
    by_itself = light_on_hair(warm_light, warm_light, HairLightSettings(above=1.0))
    torch.testing.assert_close(luminance(by_itself), luminance(warm_light), rtol=0.03, atol=0.0)
    assert 1 < by_itself[0] / by_itself[2] < 1.5


def test_a_bald_head_has_no_hair_and_no_colour_of_it(model, sitting):
    photo, _ = sitting.photo(torch.zeros(model.n_vertices, dtype=torch.bool), (0.1, 0.1, 0.1))
    sight = sitting.sight(photo)
    cover = hair_cover([sight], model, HairCoverSettings())
    assert cover[scalp(model)].mean() < 0.05
    light = torch.full((model.n_vertices, 3), LIGHT)
    assert hair_colour(sitting.map(photo), light, HairSettings()) is None
    hidden = hidden_by_hair(sight, model, HairLayerSettings())
    face = (model.regions["face"] > 0.9) & (to_region_mm(model, "scalp") > 25)
    assert hidden[face].mean() < 0.01


def test_a_wreath_of_hair_goes_around_the_back_and_leaves_the_crown_bare(model, sitting):
    points = model.shape_mm(model.zeros())
    top = float(points[:, 1].max())
    wreath = scalp(model) & (points[:, 1] < top - 45)
    photo, _ = sitting.photo(wreath, COLOURS["brown"])
    cover = hair_cover([sitting.sight(photo)], model, HairCoverSettings())
    within = model.regions["scalp"] > 0.95
    crown = within & (points[:, 1] > top - 15)
    behind = within & (points[:, 2] < points[within][:, 2].quantile(0.15))
    low = behind & (points[:, 1] < top - 75) & (points[:, 1] > top - 110)
    assert cover[crown].mean() < 0.2
    assert cover[low].mean() > 0.6


def test_what_one_side_shows_the_other_has(model):
    points = model.shape_mm(model.zeros())
    left = (points[:, 0] > 5).float()
    sight = Sight(hair=torch.ones(len(points)), weight=left)
    cover = hair_cover([sight], model, HairCoverSettings())
    right = (points[:, 0] < -5) & (model.regions["scalp"] > 0.95)
    assert cover[right].min() > 0.9
    nothing = Sight(sight.hair, 0 * left)
    unseen = hair_cover([nothing], model, HairCoverSettings())
    assert (unseen == HairCoverSettings().unseen).all()


def test_of_two_photos_the_one_that_sees_a_place_decides(model):
    n = model.n_vertices
    sees = Sight(torch.ones(n), torch.ones(n))
    blind = Sight(torch.zeros(n), torch.zeros(n))
    cover = hair_cover([blind, sees], model, HairCoverSettings())
    torch.testing.assert_close(cover, torch.ones(n))


def test_hair_that_stands_off_the_scalp_is_seen_beyond_it(model, sitting):
    settings = HairLayerSettings()
    points = model.shape_mm(model.zeros())
    # Only beyond the outline: the forehead is high, as on a head that is fitted too low.
    none = torch.zeros(model.n_vertices, dtype=torch.bool)
    top = scalp(model) & (points[:, 1] > points[:, 1].max() - 14)

    def thickness(hair: torch.Tensor, thick_px: int) -> torch.Tensor:
        photo, _ = sitting.photo(hair, COLOURS["white"], thick_px)
        how = (sitting.points_mm, sitting.normals, sitting.scene.camera, model, settings)
        return hair_thickness_mm(sitting.map(photo), *how)

    assert thickness(top, 20).max() > 5
    assert (thickness(none, 0) == 0).all()
    assert (
        hair_thickness_mm(
            None, sitting.points_mm, sitting.normals, sitting.scene.camera, model, settings
        )
        .abs()
        .max()
        == 0
    )


def test_a_fringe_hides_the_whole_forehead_and_a_low_hairline_does_not(model, sitting):
    settings, edges = HairLayerSettings(), model.surface.topology.edges
    zone = forehead_zone(model, settings)
    fringe = scalp(model) | ((zone > 0.3) & (to_region_mm(model, "scalp") < 45))
    low = scalp(model) | ((to_region_mm(model, "scalp") < 8) & (model.regions["face"] > 0))
    sights = [sitting.sight(sitting.photo(one, COLOURS["brown"], 8)[0]) for one in (fringe, low)]
    hidden = [hidden_by_hair(one, model, settings) for one in sights]
    bare = (zone > 0.9) & (to_region_mm(model, "scalp") > 48)
    assert hidden[0][bare].min() > 0.9
    assert hidden[1][bare].max() < 0.1
    shown = shown_hair(sights[0], model, edges, settings)
    ears = model.regions["ears"] > 0.5
    assert shown[bare].max() == 0
    assert shown[ears].max() < 0.01
    assert shown[scalp(model) & (sitting.facing > 0.4)].mean() > 0.5


def test_hair_is_evenly_light_and_keeps_its_strands(model, sitting):
    settings = HairLayerSettings()
    height = sitting.points_mm[:, 1]
    slope = 0.01 * (height - height.median())
    draw = torch.Generator().manual_seed(0)
    strands = 0.3 * torch.randn(len(height), generator=draw)
    colour = 0.2 * (slope + strands).exp()[:, None].expand(-1, 3)
    share = scalp(model).float()
    white, blond = torch.ones(len(height), 3), torch.tensor(COLOURS["blond"])
    factor = hair_factor(colour, white, share, None, model, settings)
    even = (colour.log() + factor)[:, 0]
    inner = model.regions["scalp"] > 0.99
    # The same pattern in the colour of all the hair, whatever of it lies on the scalp.
    lifted = hair_factor(colour, white, share, blond, model, settings)
    middle = (colour * lifted.exp())[inner].median(0).values
    torch.testing.assert_close(middle, blond, rtol=0.1, atol=0.0)
    assert (lifted - factor)[inner].std(0).max() < 0.05
    assert np.corrcoef(even[inner], strands[inner])[0, 1] > 0.9
    left = np.polyfit(height[inner], even[inner], 1)[0]
    assert abs(left) < 0.4 * 0.01


def test_white_hair_stays_white_and_black_hair_is_warm():
    settings = HairSettings()
    white = torch.tensor([0.6, 0.6, 0.58])
    torch.testing.assert_close(warm(white, settings), white, rtol=0.02, atol=0)
    blueish = torch.tensor([0.015, 0.016, 0.02])
    black = warm(blueish, settings)
    assert black[0] > black[1] > black[2]
    torch.testing.assert_close(luminance(black), luminance(blueish))
    brown = torch.tensor([0.08, 0.045, 0.02])
    torch.testing.assert_close(warm(brown, settings), brown)


def test_a_scalp_has_the_hairs_own_colour_and_a_grain_whatever_that_is(model):
    settings, inner = HairSettings(), model.regions["scalp"] > 0.999
    for name in ("white", "grey", "brown"):
        colour = torch.tensor(COLOURS[name])
        full = Hair(colour, torch.ones(model.n_vertices))
        head = with_hair(model.albedo_mean_linear, full, model, SKIN_LINEAR, settings)
        middle = head[inner].median(0).values
        assert np.linalg.norm(lab(middle) - lab(colour)) < 6
        grain = grain_strength(head, full.cover, SKIN_LINEAR, model, settings)
        assert grain[inner].min() > 0.05
        assert (grain[model.regions["lips"] > 0.5] == 0).all()
    bald = Hair(colour, torch.zeros(model.n_vertices))
    head = with_hair(model.albedo_mean_linear, bald, model, SKIN_LINEAR, settings)
    torch.testing.assert_close(head[inner].mean(0), SKIN_LINEAR, rtol=0.15, atol=0.0)
    unknown = Hair(None, torch.ones(model.n_vertices))
    head = with_hair(model.albedo_mean_linear, unknown, model, SKIN_LINEAR, settings)
    assert (head[inner].mean(0) < SKIN_LINEAR).all()


def test_a_white_beard_is_kept_and_shine_on_a_chin_is_none(model):
    settings = BeardSettings()
    zone, seen = beard_zone(model, settings), torch.ones(model.n_vertices)
    points = model.shape_mm(model.zeros())
    chin = model.landmarks["ibug68"].locate(points, model.surface.triangles)[8]
    white = torch.tensor([0.5, 0.49, 0.47])

    def found(where: torch.Tensor, colour: torch.Tensor, how_well: torch.Tensor = seen):
        reflectance = torch.where(where[:, None], colour, SKIN_LINEAR)
        log_ratio = (reflectance / SKIN_LINEAR).log()
        return white_beard(log_ratio, reflectance, how_well, model, settings)

    beard = found(zone > 0.5, white)
    assert beard is not None
    torch.testing.assert_close(beard.colour_linear, white)
    assert beard.cover[zone > 0.99].min() > 0.9
    assert beard.cover[points[:, 1] > chin[1] + 110].max() == 0
    # The other side is turned away.
    half = found(zone > 0.5, white, (points[:, 0] > 0).float())
    assert half is not None
    other = (zone > 0.99) & (points[:, 0] < -15)
    assert half.beyond[other].mean() > 0.4
    shine = (points - chin - torch.tensor([0.0, 8.0, 0.0])).norm(dim=1) < 6
    assert found(shine, white) is None
    # A smile's cheek in the light is lighter and a little paler, and still of the skin's hue.
    assert found(zone > 0.5, 1.4 * SKIN_LINEAR * torch.tensor([1.0, 1.15, 1.2])) is None
    grey = found(zone > 0.5, torch.tensor([0.6, 0.5, 0.43]))
    assert grey is not None
    assert grey.cover[zone > 0.99].min() > 0.9
    # Light on the skin makes it lighter and leaves its hue.
    assert found(zone > 0.5, 1.6 * SKIN_LINEAR) is None
    assert found(zone > 0.5, 0.3 * SKIN_LINEAR) is None


def test_without_a_scalp_there_is_no_map(model, sitting):
    bare = model.replace(
        regions={name: one for name, one in model.regions.items() if name != "scalp"}
    )
    photo, _ = sitting.photo(scalp(model), COLOURS["brown"])
    how = (sitting.px, sitting.facing, 1.5, HairMapSettings())
    assert hair_map(photo, None, bare, *how) is None
