"""Fringes: found again in drawings of them, and what they may never do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.colour import linear_of_bytes
from fit3dmm.export.avatar import make_avatar
from fit3dmm.export.drawing import sight
from fit3dmm.export.hair_fringe import Fringe
from fit3dmm.export.hair_fringe_settings import FringeSettings
from fit3dmm.export.hair_front import Front, front
from fit3dmm.export.hair_hanging import HANGING, OUTER, HairShape, HangingHair
from fit3dmm.export.texture import Shown, bake
from fit3dmm.export.texture_layer import seen_by
from fit3dmm.export.texture_settings import TextureSettings
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import HAIR, OTHER, SKIN
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.heads import COLOURS, LIGHT, SIDE_PX, Sitting, fringe_by, long_hair, told

SETTINGS = FringeSettings()
SWEPT = [30.0, 12.0, 4.0]


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


@pytest.fixture(scope="module")
def long(model) -> HairShape:
    return long_hair(model)


@pytest.fixture(scope="module")
def scene(model) -> Scene:
    pose = Pose(torch.zeros(3), torch.tensor([0.0, -10.0, -900.0]))
    camera = Camera.centred(640.0, SIDE_PX, SIDE_PX)
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(LIGHT))


@pytest.fixture(scope="module")
def grid(model) -> Front:
    found = front(model, SETTINGS.front)
    assert found is not None
    return found


def drawn(model, scene, raised_mm, colour, fringe=None) -> Photo:
    sitting = Sitting(model, scene, raised_mm, fringe)
    return sitting.photo(raised_mm > 0, COLOURS[colour])[0]


def found_in(model, scene, photo) -> Fringe | None:
    albedo = model.albedo_linear(scene.coefficients)
    seen = seen_by(model, Shown(scene, photo), albedo, 256, TextureSettings())
    assert seen.hair is not None
    return seen.hair.fringe


@pytest.mark.parametrize("ends_mm", [[28.0, 28.0], SWEPT])
@pytest.mark.parametrize("colour", ["brown", "grey"])
def test_its_lower_edge_is_found_again(model, scene, grid, long, ends_mm, colour):
    fringe = fringe_by(model, long.raised_mm, ends_mm)
    found = found_in(model, scene, drawn(model, scene, long.raised_mm, colour, fringe))
    assert found is not None
    # In the photo's view: from the last row of the sheet to that of the grid.
    n_outer = fringe.points_mm.shape[1] // 2
    true_mm = fringe.points_mm[-1, :n_outer, 1]
    heights = grid.at(model.shape_mm(model.zeros()))[:, 1].reshape(grid.shape).numpy()
    rows = found.end_row.clip(0, grid.shape[0] - 1)
    whole = rows.astype(int)
    found_mm = np.array([heights[row, k] for k, row in enumerate(whole)])
    middle = np.abs(grid.azimuth_deg) < 40
    off = (found_mm - true_mm)[middle]
    assert np.abs(np.median(off)) < 3
    assert np.abs(off).mean() < 4


def test_nobody_else_gets_one(model, scene, long):
    """Neither short hair, nor a bald head, nor shadows on the forehead."""
    none = torch.zeros_like(long.raised_mm)
    photo = drawn(model, scene, long.raised_mm, "brown")
    assert found_in(model, scene, photo) is None
    points = model.shape_mm(model.zeros())
    sitting = Sitting(model, scene)
    shaded = photo.pixels_srgb.clone()
    dark = sitting.mask((points[:, 1] > 60) & (model.regions["scalp"] < 0.5))
    shaded[dark] = (shaded[dark].double() * 0.75).to(shaded.dtype)
    assert found_in(model, scene, replace(photo, pixels_srgb=shaded)) is None
    bald = drawn(model, scene, none, "brown")
    albedo = model.albedo_linear(scene.coefficients)
    seen = seen_by(model, Shown(scene, bald), albedo, 256, TextureSettings())
    assert seen.hair is None or seen.hair.fringe is None


def test_a_cap_is_no_fringe(model, scene, long):
    """The network tells one from hair, the photo's colours alone do not."""
    fringe = fringe_by(model, long.raised_mm, [28.0, 28.0])
    photo = drawn(model, scene, long.raised_mm, "brown", fringe)
    # As everywhere, so that it says nothing of where hair ends.
    for other, there in ((0.05, True), (0.4, False)):
        cover = torch.zeros(6, 64, 64)
        cover[HAIR], cover[OTHER], cover[SKIN] = 0.5, other, 0.5 - other
        albedo = model.albedo_linear(scene.coefficients)
        shown = Shown(scene, photo, None, told(cover))
        seen = seen_by(model, shown, albedo, 256, TextureSettings())
        assert seen.hair is not None
        assert (seen.hair.fringe is not None) == there


def hanging_seen(model, scene, fringe, raised_mm, points) -> np.ndarray:
    """Whether the fringe is seen where these points of the head are."""
    seen = sight(model, scene, HairShape(raised_mm, None, fringe))
    fine = torch.zeros(seen.fine_size, dtype=torch.bool)
    fine.view(-1)[seen.covered] = seen.hanging
    column, row = (2 * scene.camera.project(scene.pose.T_cam_model @ points)).long().unbind(-1)
    return fine[row, column].numpy()


def test_it_hangs_before_the_skin_and_leaves_the_eyes_free(model, scene, long):
    fringe = fringe_by(model, long.raised_mm, [40.0, 40.0])
    points = model.shape_mm(model.zeros())
    bare = model.in_parts("skin") & (long.raised_mm == 0) & (points[:, 2] > 50)
    bare = bare & (points[:, 0].abs() < 35)
    eyes = model.regions["eyes"] > 0.5
    for there, expected in ((bare & (points[:, 1] > 62), True), (eyes, False)):
        shown = hanging_seen(model, scene, fringe, long.raised_mm, points[there])
        assert len(shown) > 20
        assert (shown == expected).all()
    below = points[bare & (points[:, 1] < 25)]
    assert not hanging_seen(model, scene, fringe, long.raised_mm, below).any()


def test_where_hair_is_parted_nothing_comes_out_of_the_head(model, scene, long):
    points = model.shape_mm(model.zeros())
    there = model.in_parts("skin") & (points[:, 1] > 20) & (points[:, 2] > 40)
    parted = fringe_by(model, long.raised_mm, [40.0, 40.0, -20.0, 40.0, 40.0])
    middle = points[there & (points[:, 0].abs() < 4)]
    aside = points[there & (points[:, 0].abs() > 30) & (points[:, 1] > 55) & (points[:, 1] < 65)]
    assert not hanging_seen(model, scene, parted, long.raised_mm, middle).any()
    assert hanging_seen(model, scene, parted, long.raised_mm, aside).mean() > 0.6


def test_baked_of_a_photo_it_has_the_colours_of_the_photo(model, scene, long):
    fringe = fringe_by(model, long.raised_mm, [28.0, 28.0])
    photo = drawn(model, scene, long.raised_mm, "brown", fringe)
    shape = bake(model, [Shown(scene, photo)], 64).hair_shape
    assert shape is not None
    assert shape.fringe is not None
    picture = np.log(linear_of_bytes(shape.fringe.srgb).clip(1e-3))
    outer = round(OUTER * picture.shape[1])
    part = picture[60:-60, outer // 3 : -outer // 3]
    assert np.abs(np.median(part, (0, 1)) - np.log(COLOURS["brown"])).max() < 0.35
    short = drawn(model, scene, long.raised_mm, "brown")
    both = bake(model, [Shown(scene, short), Shown(scene, photo)], 64).hair_shape
    assert both is not None
    assert both.fringe is not None


def test_all_sheets_are_one_mesh_with_one_picture(model, long):
    fringe = fringe_by(model, long.raised_mm, [28.0, 28.0])
    dark = HangingHair(fringe.points_mm, np.full((16, 32, 3), 10, np.uint8))
    both = HairShape(long.raised_mm, long.hanging, dark)
    mesh = both.mesh
    assert mesh is not None
    n = len(long.hanging.vertices_mm)
    torch.testing.assert_close(mesh.vertices_mm[:n], long.hanging.vertices_mm)
    torch.testing.assert_close(mesh.vertices_mm[n:], fringe.vertices_mm)
    height, width = mesh.srgb.shape[:2]
    column, row = (mesh.uv * torch.tensor([width, -height]) + torch.tensor([0, height])).unbind(1)
    shown = mesh.srgb[row.long().clamp_max(height - 1), column.long().clamp_max(width - 1), 0]
    assert (shown[:n] == 90).all()
    assert (shown[n:] == 10).all()
    assert int(mesh.topology.triangles[len(long.hanging.topology.triangles) :].min()) >= n
    alone = HairShape(long.raised_mm, None, fringe).mesh
    assert alone is not None
    torch.testing.assert_close(alone.uv, fringe.uv)
    assert HairShape(long.raised_mm).mesh is None
    avatar = make_avatar(model, model.zeros(), hair_shape=both)
    part = avatar.parts[-1]
    assert part.name == HANGING
    assert len(part.positions_mm) == len(mesh.vertices_mm)


def test_settings_say_what_is_out_of_range():
    with pytest.raises(InputError, match="least_cm2"):
        FringeSettings(least_cm2=-1.0)
