"""Hair that hangs below the ears: found again in drawings of it, and what it may never do."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial import KDTree

from fit3dmm._errors import InputError
from fit3dmm.colour import linear_of_bytes
from fit3dmm.export.avatar import make_avatar
from fit3dmm.export.drawing import draw, sight
from fit3dmm.export.hair_below import HairBelowSettings
from fit3dmm.export.hair_beside import HairBesideSettings, hair_beside
from fit3dmm.export.hair_hanging import HANGING, OUTER, HairShape, HangingHair
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.texture import Shown, bake
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.heads import COLOURS, LIGHT, SIDE_PX, Sitting, long_hair, long_lines

SETTINGS = HairBelowSettings()


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


@pytest.fixture(scope="module")
def hair(model) -> HairShape:
    return long_hair(model)


@pytest.fixture(scope="module")
def skin_mm(model) -> np.ndarray:
    return model.shape_mm(model.zeros())[model.in_parts("skin")].numpy()


@pytest.fixture(scope="module")
def ears_mm(model) -> np.ndarray:
    return model.shape_mm(model.zeros())[model.regions["ears"] > 0.5].numpy()


@pytest.fixture(scope="module")
def raised_mm(hair) -> torch.Tensor:
    return hair.raised_mm


@pytest.fixture(scope="module")
def hanging(hair) -> HangingHair:
    return hair.hanging


@pytest.fixture(scope="module")
def scene(model) -> Scene:
    pose = Pose(torch.zeros(3), torch.tensor([0.0, -10.0, -900.0]))
    camera = Camera.centred(520.0, SIDE_PX, SIDE_PX)
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(LIGHT))


@pytest.fixture(scope="module")
def sitting(model, scene, raised_mm, hanging) -> Sitting:
    return Sitting(model, scene, raised_mm, hanging)


@pytest.fixture(scope="module")
def photo(sitting, raised_mm) -> Photo:
    return sitting.photo(raised_mm > 0, COLOURS["brown"])[0]


def test_lines_and_ends_are_found_again(sitting, photo, scene, skin_mm, ears_mm):
    known = long_lines()
    found = hair_beside(sitting.map(photo), None, scene, skin_mm, ears_mm, SETTINGS.beside)
    assert found is not None
    assert found.seen.all()
    # Cells of the map are 3 mm wide, and rims are rounded off below.
    np.testing.assert_allclose(found.end_mm, known.end_mm, atol=12)
    rows = (known.heights_mm < 20) & (known.heights_mm > -75)
    for found_mm, true_mm in ((found.inner_mm, known.inner_mm), (found.outer_mm, known.outer_mm)):
        assert np.abs(found_mm - true_mm)[:, rows].mean() < 4


def test_a_beard_does_not_hang(model, scene, skin_mm, ears_mm, raised_mm):
    """Nor one that hangs together with the hair of the temples, down to the throat."""
    shape = model.shape_mm(model.zeros())
    beard = (shape[:, 0].abs() > 40) & (shape[:, 1] > -110) & (shape[:, 2] > -10)
    bearded = Sitting(model, scene, raised_mm)
    photo, drawn = bearded.photo((raised_mm > 0) | beard, COLOURS["brown"])
    assert drawn[SIDE_PX * 5 // 8, :].sum() > 20
    seen = bearded.map(photo)
    assert hair_beside(seen, None, scene, skin_mm, ears_mm, SETTINGS.beside) is None
    there = replace(seen, hair=torch.from_numpy(drawn_in(seen, bearded, drawn)))
    assert hair_beside(there, None, scene, skin_mm, ears_mm, SETTINGS.beside) is None


def drawn_in(seen: HairMap, sitting: Sitting, drawn: np.ndarray) -> np.ndarray:
    """The map, were all hair that was drawn found."""
    n = len(seen.hair)
    grid = torch.stack(torch.meshgrid(torch.arange(n), torch.arange(n), indexing="xy"), -1) + 0.5
    px = (seen.T_map_photo.inverse() @ grid.reshape(-1, 2)).long().clamp(0, SIDE_PX - 1)
    return drawn[px[:, 1], px[:, 0]].reshape(n, n).astype(np.float32)


def test_short_hair_does_not_hang(model, scene, raised_mm, skin_mm, ears_mm):
    short = Sitting(model, scene, raised_mm)
    photo, _ = short.photo(raised_mm > 0, COLOURS["brown"])
    assert hair_beside(short.map(photo), None, scene, skin_mm, ears_mm, SETTINGS.beside) is None


def test_what_hangs_at_one_side_alone_must_be_plain(
    model, scene, raised_mm, hanging, skin_mm, ears_mm
):
    """Then the other is its mirror image: single sides are mostly missed, or are no hair."""
    points = hanging.points_mm.copy()
    points[points[..., 0] < 0] = 0.0  # the right half is within the head
    half = Sitting(model, scene, raised_mm, HangingHair(points, hanging.srgb))
    seen = half.map(half.photo(raised_mm > 0, COLOURS["brown"])[0])
    found = hair_beside(seen, None, scene, skin_mm, ears_mm, SETTINGS.beside)
    assert found is not None
    assert found.seen.tolist() == [True, False]
    np.testing.assert_array_equal(found.outer_mm[0], found.outer_mm[1])
    strict = replace(SETTINGS.beside, alone_mm=60.0)
    assert hair_beside(seen, None, scene, skin_mm, ears_mm, strict) is None


def test_beside_a_bare_ear_nothing_hangs(sitting, photo, scene, skin_mm, ears_mm):
    """What looks like hair there is a wall, or a collar."""
    seen = sitting.map(photo)
    cells = (seen.T_map_photo @ scene.camera.project(
        scene.pose.T_cam_model @ torch.from_numpy(ears_mm).float()
    )).long()  # fmt: skip
    bare = seen.hair.clone()
    bare[cells[:, 1], cells[:, 0]] = 0.0
    there = replace(seen, hair=_least_nearby(bare))
    assert hair_beside(there, None, scene, skin_mm, ears_mm, SETTINGS.beside) is None
    none_known = ears_mm[:0]
    assert hair_beside(there, None, scene, skin_mm, none_known, SETTINGS.beside) is not None


def test_before_a_wall_like_it_nothing_hangs(sitting, photo, scene, skin_mm, ears_mm):
    seen = sitting.map(photo)
    how = (None, scene, skin_mm, ears_mm, SETTINGS.beside)
    assert hair_beside(replace(seen, hair=seen.hair.clamp(min=0.9)), *how) is None
    one_colour = torch.full_like(seen.image_linear, 0.1)
    assert hair_beside(replace(seen, image_linear=one_colour), *how) is None


def _least_nearby(cells: torch.Tensor) -> torch.Tensor:
    return -torch.nn.functional.max_pool2d(-cells[None, None], 3, 1, 1)[0, 0]


def test_it_is_a_closed_sheet(hanging):
    vertices, triangles = hanging.vertices_mm.double(), hanging.topology.triangles.long()
    a, b, c = vertices[triangles].unbind(1)
    # Counter-clockwise from outside: what it encloses is positive. It is open above and below,
    # where it lies within the hair, and where it is a millimetre thin.
    assert float((a * torch.linalg.cross(b, c)).sum()) / 6 > 1e5
    lengths = hanging.normals.norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones_like(lengths))
    # Both sides of the cut are the same places, with the same normals.
    rows, columns = hanging.points_mm.shape[:2]
    for values in (vertices, hanging.normals):
        grid = values.reshape(rows, columns + 1, 3)
        torch.testing.assert_close(grid[:, 0], grid[:, -1])
    assert 0 < float(hanging.uv.min()) < float(hanging.uv.max()) < 1


def test_ears_and_nape_lie_within_and_the_throat_is_free(model, scene, hair, hanging):
    bare = sight(model, scene)
    full = sight(model, scene, hair)
    assert int(full.hanging.sum()) > 0
    assert not bare.hanging.any()
    fine = torch.zeros(full.fine_size, dtype=torch.bool)
    fine.view(-1)[full.covered] = full.hanging

    def hidden(points: torch.Tensor) -> float:
        px = 2 * scene.camera.project(scene.pose.T_cam_model @ points)
        column, row = px.long().unbind(-1)
        return float(fine[row, column].double().mean())

    shape = model.shape_mm(model.zeros())
    ears = (model.regions["ears"] > 0.9) & (shape[:, 0].abs() > 72)
    face = (model.regions["face"] > 0.5) & (shape[:, 0].abs() < 45)
    throat = (model.regions["neck"] > 0.9) & (shape[:, 2] > 30) & (shape[:, 0].abs() < 40)
    assert hidden(shape[ears]) > 0.99
    assert hidden(shape[face]) == 0
    assert hidden(shape[throat]) < 0.01
    # From behind, nothing of the nape comes out.
    n_outer = hanging.points_mm.shape[1] // 2
    sheet = hanging.points_mm[:, :n_outer].reshape(-1, 3)
    nape = shape[(model.regions["neck"] > 0.9) & (shape[:, 2] < -40) & (shape[:, 1] > -80)]
    behind = sheet[sheet[:, 2] < -30]
    nearest = behind[KDTree(behind[:, :2]).query(nape[:, :2].numpy())[1]]
    assert (nearest[:, 2] < nape[:, 2].numpy() + 1).all()


def test_baked_of_a_photo_it_has_the_colours_of_the_photo(model, scene, photo):
    shape = bake(model, [Shown(scene, photo)], 64).hair_shape
    assert shape is not None
    assert shape.hanging is not None
    picture = np.log(linear_of_bytes(shape.hanging.srgb).clip(1e-3))
    # Khronos' validator has a hint for what is no power of two.
    assert all(side & (side - 1) == 0 for side in shape.hanging.srgb.shape[:2])
    columns = picture.shape[1]
    outer = picture[20:-20, : round(OUTER * columns)]
    true = np.log(np.array(COLOURS["brown"]))
    # The sides that are seen, and the back that is not; strands were drawn with a spread of 0.35.
    for part in (outer[:, : columns // 12], outer[:, columns // 3 : columns // 2]):
        assert np.abs(np.median(part, (0, 1)) - true).max() < 0.35
        assert 0.02 < part.mean(-1).std() < 0.5


def test_of_several_photos_the_one_that_shows_it_tells(model, scene, photo, raised_mm):
    short = Sitting(model, scene, raised_mm).photo(raised_mm > 0, COLOURS["brown"])[0]
    both = bake(model, [Shown(scene, short), Shown(scene, photo)], 64).hair_shape
    alone = bake(model, [Shown(scene, short)], 64).hair_shape
    assert alone is not None
    assert alone.hanging is None
    assert both is not None
    assert both.hanging is not None


def test_an_avatar_has_it_as_a_part_of_its_own(model, hair):
    avatar = make_avatar(model, model.zeros(), hair_shape=hair)
    without = make_avatar(model, model.zeros(), hair_shape=HairShape(hair.raised_mm))
    names = [part.name for part in avatar.parts]
    assert names == [*(part.name for part in without.parts), HANGING]
    assert avatar.hair_png is not None
    assert without.hair_png is None
    part = avatar.parts[-1]
    bones = [bone.name for bone in avatar.bones]
    assert (part.bone_weights[:, bones.index("head")] == 1).all()
    assert part.targets == ()
    for before, after in zip(without.parts, avatar.parts, strict=False):
        np.testing.assert_array_equal(before.positions_mm, after.positions_mm)


def test_it_is_drawn_in_its_own_colours(model, scene, hair):
    seen = sight(model, scene, hair)
    white = np.full((64, 64, 3), 255, np.uint8)
    drawn = draw(model, scene, white, seen)
    dark = (drawn.rgb_linear[..., 0] < 0.3) & (drawn.coverage[..., 0] == 1)
    middle = SIDE_PX // 2
    assert int(dark[middle:].sum()) > 500
    clay = draw(model, scene, None)
    assert not ((clay.rgb_linear[..., 0] < 0.3) & (clay.coverage[..., 0] == 1))[middle].any()


def test_settings_say_what_is_out_of_range():
    with pytest.raises(InputError, match="row_mm"):
        HairBesideSettings(row_mm=0.0)
