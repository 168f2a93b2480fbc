"""What a texture has beyond the photo: clean organs, the person's hair, no folds, no frames."""

import numpy as np
import pytest
import torch

from fit3dmm.export import normal_map as normal_maps
from fit3dmm.export.alignment import AlignmentSettings, offsets_px
from fit3dmm.export.covered import CoverSettings, beard_seen, covered
from fit3dmm.export.delight import DelightSettings, creases, flattened, of_kept_hue
from fit3dmm.export.hair_colour import HairSettings, grown, with_skin_hue
from fit3dmm.export.lids import LidSettings, at_creases, at_lashes, under_lids
from fit3dmm.export.normal_map import face_texel_mm, normal_map
from fit3dmm.export.organs import OrganSettings, with_clean_organs
from fit3dmm.export.resting import usual_rest
from fit3dmm.export.stubble import with_grain
from fit3dmm.export.view import view_of_face
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import photo_from_array
from fit3dmm.observe.predicted import GLASSES, HAIR, SKIN
from fit3dmm.render.depth import posed
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.heads import told

SIDE_PX = 256
SKIN_LINEAR = torch.tensor([0.3, 0.18, 0.12])


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


def frontal(model: MorphableModel) -> Scene:
    pose = Pose(torch.zeros(3), torch.tensor([0.0, 0.0, -700.0]))
    camera = Camera.centred(600.0, SIDE_PX, SIDE_PX)
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(0.9))


def bare_cover() -> torch.Tensor:
    cover = torch.zeros(6, 64, 64)
    cover[SKIN] = 1
    return cover


def test_dark_skin_has_light_eyes_and_teeth(model):
    dark = 0.1 * model.albedo_mean_linear
    iris = torch.zeros(model.n_vertices)
    settings = OrganSettings()
    # Without irises nobody knows what is white; teeth are clean in any case.
    eyes, teeth = model.in_parts("eye_left"), model.in_parts("teeth_upper")
    kept = with_clean_organs(dark, iris, model, settings)
    assert torch.equal(kept[eyes], dark[eyes])
    iris[torch.nonzero(eyes)[0]] = 1
    clean = with_clean_organs(dark, iris, model, settings)
    for part, lightest in ((eyes, settings.eye_white), (teeth, settings.teeth)):
        top = clean[part].quantile(0.95, dim=0)
        torch.testing.assert_close(top, torch.tensor(lightest), rtol=0.1, atol=0.02)
    first = torch.nonzero(eyes)[0]
    torch.testing.assert_close(clean[first], dark[first])
    skin = ~model.in_parts(*(name for name in model.parts if name != "skin"))
    assert torch.equal(clean[skin], dark[skin])


def test_neck_and_ears_have_the_hue_of_the_face(model):
    albedo = with_skin_hue(model.albedo_mean_linear, SKIN_LINEAR, model)
    neck = (model.regions["neck"] > 0.9) & (model.regions["face"] < 0.01)
    share = albedo[neck] / albedo[neck].sum(1, keepdim=True)
    wanted = (SKIN_LINEAR / SKIN_LINEAR.sum()).expand_as(share)
    within = model.regions["skin"][neck] > 0.99
    torch.testing.assert_close(share[within], wanted[within], rtol=0.02, atol=0)
    face = model.regions["face"] > 0.999
    assert torch.equal(albedo[face], model.albedo_mean_linear[face])


def test_frames_are_left_out_and_what_looks_like_skin_beside_them_is_not(model):
    scene = frontal(model)
    points_px = scene.camera.project(posed(model, scene))
    cover = bare_cover()
    cover[:, 28:31] = 0.5 * cover[:, 28:31]
    cover[GLASSES, 28:31] = 0.5
    lightness, edges = torch.zeros(model.n_vertices), model.surface.topology.edges
    hidden = covered(told(cover), points_px, lightness, model, edges, CoverSettings())
    row = points_px[:, 1] * 64 / SIDE_PX
    assert hidden[(row - 29.5).abs() < 1].min() > 0.9
    far = (row > 36) & (row < 60)
    assert hidden[far].max() < 0.1
    # A thin frame, of which the map says little, is told by its colour.
    cover[GLASSES, 28:31] = 0.08
    cover[SKIN, 28:31] = 0.92
    line = (row - 29.5).abs() < 1
    lightness[line] = -1.0
    hidden = covered(told(cover), points_px, lightness, model, edges, CoverSettings())
    on_skin = line & (model.regions["brows"] < 0.1) & (model.regions["lips"] < 0.1)
    assert hidden[on_skin].median() > 0.5


def test_tint_keeps_its_middle_and_a_share_of_the_rest():
    tint = torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    settings = DelightSettings(tint_kept=0.25)
    flat = flattened(tint, torch.ones(100), settings)
    middle = tint.median(0).values
    torch.testing.assert_close(flat - middle, 0.25 * (tint - middle))


def test_hue_goes_and_lightness_stays():
    draw = torch.Generator().manual_seed(1)
    colour, base = (torch.rand(50, 3, generator=draw) + 0.05 for _ in range(2))
    weights = torch.tensor([0.2126, 0.7152, 0.0722])
    for kept in (0.0, 0.5, 1.0):
        made = of_kept_hue(colour, base, torch.full((50, 1), kept))
        torch.testing.assert_close(made @ weights, colour @ weights)
        if kept == 0:
            same = base * ((colour @ weights) / (base @ weights))[:, None]
            torch.testing.assert_close(made, same)
        if kept == 1:
            torch.testing.assert_close(made, colour)


def test_folds_go_where_the_expression_made_them(model):
    scene = frontal(model)
    smile = model.zeros()
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        smile.expression[model.expression_names.index(name)] = 1.0
    points = model.shape_mm(model.zeros())
    marks = model.landmarks["ibug68"].locate(points, model.surface.triangles)
    # A dark red groove from the wing of the nose to the corner of the mouth.
    along = torch.nn.functional.normalize(marks[48] - marks[31], dim=0)
    away = points - marks[31]
    away_mm = (away - (away @ along)[:, None] * along).norm(dim=1)
    within = (away @ along > 5) & (away @ along < 25)
    groove = ((away_mm < 2) & within).float()
    photo = groove[:, None] * torch.tensor([-0.3, -0.45, -0.5])
    none, edges, settings = (
        torch.zeros(len(points)),
        model.surface.topology.edges,
        DelightSettings(),
    )

    def shade(coefficients, beard):
        at = scene.replace(coefficients=coefficients)
        return creases(photo, 1 - none, beard, model, at, edges, settings)

    folds, deep = shade(smile, none)
    below = points[:, 1] < marks[33, 1] - 4
    there = (groove > 0) & (model.regions["lips"] < 0.01) & below
    left = (photo - folds)[there].mean(0)
    assert (left.abs() < 0.35 * photo[there].mean(0).abs()).all()
    # What lies about the groove stays as it is, and so does the forehead.
    beside = (away_mm > 4) & (away_mm < 8) & within & (model.regions["lips"] < 0.01)
    assert folds[beside].abs().mean() < 0.03
    assert folds[points[:, 1] > marks[19, 1] + 15].abs().max() < 0.02
    assert (deep[~(groove > 0)] == 0).all()
    # At rest a groove is the person's own, and in a beard it is hair.
    rest = model.zeros().replace(expression=usual_rest(model))
    for calm, _ in (shade(rest, none), shade(smile, 1 - none)):
        assert calm.abs().max() < 1e-6


def test_a_beard_is_whole_where_its_rim_is_seen_and_no_stray_strand_makes_one(model):
    scene, edges = frontal(model), model.surface.topology.edges
    at_px = scene.camera.project(posed(model, scene))
    chin = model.landmarks["ibug68"].locate(posed(model, scene), model.surface.triangles)[8]
    column, row = (scene.camera.project(chin[None])[0] * 64 / SIDE_PX).long().tolist()
    seen, cover = torch.ones(model.n_vertices), bare_cover()
    assert beard_seen(told(cover), at_px, seen, model, edges, CoverSettings()).max() < 0.01
    points = model.shape_mm(model.zeros())
    mouth = (points - model.landmarks["ibug68"].locate(points, model.surface.triangles)[57]).norm(
        dim=1
    ) < 8
    for width, least, most in ((20, 0.95, 1.0), (0, 0.0, 0.06)):
        cover = bare_cover()
        rim = (
            slice(row - 6, row + 2) if width else slice(row, row + 1),
            slice(column - width, column + width + 1),
        )
        cover[SKIN][rim], cover[HAIR][rim] = 0.0, 1.0
        found = beard_seen(told(cover), at_px, seen, model, edges, CoverSettings())[mouth]
        assert least <= found.min()
        assert found.max() <= most


def test_the_dark_of_a_deep_fold_is_no_skin(model):
    scene, edges = frontal(model), model.surface.topology.edges
    smile = model.zeros()
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        smile.expression[model.expression_names.index(name)] = 1.0
    points = model.shape_mm(model.zeros())
    corner = model.landmarks["ibug68"].locate(points, model.surface.triangles)[48]
    beside = corner - torch.tensor([7.0, 0.0, 0.0])
    spot = ((points - beside).norm(dim=1) < 5).float()
    none = torch.zeros(len(points))
    at = scene.replace(coefficients=smile)
    photo = -1.2 * spot[:, None].expand(-1, 3)
    _, deep = creases(photo, 1 - none, none, model, at, edges, DelightSettings())
    skin = (spot > 0) & (model.regions["lips"] < 0.01)
    assert skin.any()
    assert deep[skin].mean() > 0.7


def test_the_dark_in_the_corner_of_a_broad_mouth_is_no_lip(model):
    scene, edges = frontal(model), model.surface.topology.edges
    smile = model.zeros()
    for name in ("mouthSmileLeft", "mouthSmileRight"):
        smile.expression[model.expression_names.index(name)] = 1.0
    points = model.shape_mm(model.zeros())
    marks = model.landmarks["ibug68"].locate(points, model.surface.triangles)
    outside = model.regions["mouth_interior"] < 0.1
    corners = (torch.cdist(points, marks[[48, 54]]).amin(1) < 3.5) & outside
    lip = ((points - marks[57]).norm(dim=1) < 4) & (model.regions["lips"] > 0.99)
    photo = -1.2 * (corners | lip).float()[:, None].expand(-1, 3)
    none = torch.zeros(len(points))

    def dark(coefficients):
        at = scene.replace(coefficients=coefficients)
        return creases(photo, 1 - none, none, model, at, edges, DelightSettings())[1]

    on_lips = corners & (model.regions["lips"] > 0.5)
    assert on_lips.any()
    found = dark(smile)
    assert found[on_lips].mean() > 0.5
    # A dark lip is a lip, and at rest so are its ends.
    assert found[lip].max() == 0
    assert dark(model.zeros().replace(expression=usual_rest(model)))[on_lips].max() < 0.01


def test_the_hairline_is_soft(model):
    hair = grown(model, HairSettings())
    edges = model.surface.topology.edges.long()
    steps = (hair[edges[:, 0]] - hair[edges[:, 1]]).abs()
    hard = model.regions["scalp"]
    assert steps.max() < 0.5 * (hard[edges[:, 0]] - hard[edges[:, 1]]).abs().max()
    assert hair.amax() > 0.95
    assert hair[model.regions["lips"] > 0.5].max() == 0


def test_grain_is_on_hair_alone_and_the_same_in_bands():
    colours = torch.full((64, 64, 3), 0.2)
    strength = torch.zeros(64, 64)
    strength[:, 32:] = 0.2
    whole = with_grain(colours.clone(), strength, slice(0, 64))
    assert torch.equal(whole[:, :32], colours[:, :32])
    spread = (whole[:, 32:, 0] / 0.2).log().std()
    assert 0.1 < spread < 0.4
    band = with_grain(colours[:32].clone(), strength[:32], slice(32, 64))
    torch.testing.assert_close(band, whole[32:])


def test_lids_shade_the_eyes_and_lashes_line_them(model):
    settings = LidSettings()
    light, lashes = under_lids(model, settings), at_lashes(model, settings)
    points = model.shape_mm(model.zeros())
    marks = model.landmarks["mediapipe478"].locate(points, model.surface.triangles)
    ball = model.regions["eye_left"] > 0.5
    above = ball & (points[:, 1] > marks[473, 1] + 5) & (points[:, 2] > marks[473, 2] - 4)
    below = ball & (points[:, 1] < marks[473, 1] - 1) & ((points[:, 0] - marks[473, 0]).abs() < 4)
    assert light[above].max() < 0.75
    assert light[below].min() > 0.95
    skin = ~ball & (model.regions["eye_right"] < 0.5)
    assert (light[skin] == 1).all()
    upper = (points - marks[386]).norm(dim=1) < 0.6
    assert lashes[upper & skin].max() < 0.5
    far = ((points - marks[386]).norm(dim=1) > 25) & (points[:, 0] > 0)
    assert (lashes[far] == 1).all()
    dropped = at_lashes(model, LidSettings(upper_lashes=0.0, lower_lashes=0.0))
    assert (dropped == 1).all()


def test_a_shut_lid_has_a_crease_and_the_rest_of_the_face_has_none(model):
    light = at_creases(model, LidSettings())
    shut = model.zeros()
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        shut.expression[model.expression_names.index(name)] = 1.0
    points = model.shape_mm(shut)
    marks = model.landmarks["mediapipe478"].locate(points, model.surface.triangles)
    brow = model.landmarks["ibug68"].locate(points, model.surface.triangles)[24]
    creased = light < 0.9
    for edge in (159, 386):
        near = (points - marks[edge])[:, 0].abs() < 3
        lid = creased & near & (points[:, 0] * marks[edge, 0] > 0)
        assert lid.any()
        assert points[lid, 1].min() > marks[edge, 1] + 4
        assert points[lid, 1].max() < brow[1] - 4
    # On both sides alike, and nowhere else.
    torch.testing.assert_close(light, light[model.surface.mirror], rtol=0, atol=0.1)
    below = (points[:, 1] < marks[386, 1]) | (points[:, 1] > brow[1])
    assert light[below].min() > 0.97
    assert (at_creases(model, LidSettings(crease=0.0)) == 1).all()


def test_lips_are_looked_up_where_they_were_found(model):
    scene = frontal(model)
    photo = photo_from_array(np.full((SIDE_PX, SIDE_PX, 3), 128, np.uint8), name="grey")
    points = posed(model, scene)
    view = view_of_face(model, scene, photo, points, SIDE_PX)
    marks = model.landmarks["mediapipe478"].locate(points, model.surface.triangles)
    found_px = scene.camera.project(marks)
    settings = AlignmentSettings()
    none = offsets_px(model, view, found_px, points, settings)
    assert none.abs().max() < 0.01
    moved = found_px + torch.tensor([0.0, 1.0])
    offset = offsets_px(model, view, moved, points, settings) / view.T_view_photo.scale
    lips = (points - marks[13]).norm(dim=1) < 6
    torch.testing.assert_close(offset[lips, 1].median(), torch.tensor(1.0), rtol=0.15, atol=0)
    assert offset[(points - marks[10]).norm(dim=1) < 10].abs().max() < 0.05


def test_a_dark_line_is_a_groove(model):
    """Across it the normals lean towards each other; elsewhere they stand up."""
    size = 1024
    texture = np.full((size, size, 3), 170, np.uint8)
    points = model.shape_mm(model.zeros())
    texel_mm = face_texel_mm(model, points, size)
    assert 0.1 < texel_mm < 0.3
    # A horizontal line on the forehead of the UV map, three texels wide.
    row, column = 230, 430
    texture[row - 1 : row + 2, column - 60 : column + 60] = 120
    normals = normal_map(texture, model, points).astype(float) / 127.5 - 1
    above, below = normals[row - 3, column], normals[row + 3, column]
    # Green is up: above a groove the surface falls towards it, downwards.
    assert above[1] < -0.05 < 0.05 < below[1]
    assert np.abs(normals[row + 100, column, :2]).max() < 0.02
    assert normals[..., 2].min() > 0


def test_relief_is_worked_out_about_the_face_and_is_that_of_the_whole_texture(model, monkeypatch):
    points = model.shape_mm(model.zeros())
    texture = np.random.default_rng(0).integers(60, 200, (512, 512, 3)).astype(np.uint8)
    found = normal_map(texture, model, points)
    monkeypatch.setattr(normal_maps, "_around", lambda *_: (slice(None), slice(None)))
    np.testing.assert_array_equal(found, normal_map(texture, model, points))
