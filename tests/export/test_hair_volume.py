"""Hair that stands off: how far, by photos of known hair, and what it may never do."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.export.avatar import avatar_vertices, make_avatar
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.hair_outline import (
    HairOutline,
    HairOutlineSettings,
    hair_outline,
    within_outline_mm,
)
from fit3dmm.export.hair_raised import outward, raised, skull
from fit3dmm.export.hair_volume import HairVolumeSettings, hair_volume_mm, standing
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import triangle_normals
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Lighting, Pose, Scene
from tests.export.heads import COLOURS, LIGHT, SIDE_PX, Sitting

SETTINGS = HairVolumeSettings()


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


@pytest.fixture(scope="module")
def share(model) -> torch.Tensor:
    return standing(model.regions["scalp"], model, SETTINGS)


def seen_from(model: MorphableModel, yaw_rad: float = 0.0) -> Scene:
    pose = Pose(torch.tensor([0.0, yaw_rad, 0.0]), torch.tensor([0.0, -20.0, -900.0]))
    camera = Camera.centred(600.0, SIDE_PX, SIDE_PX)
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(LIGHT))


def outline_of(
    model: MorphableModel, share: torch.Tensor, thick_mm: torch.Tensor, yaw_rad: float = 0.0
) -> HairOutline:
    """Of a picture of brown hair of a known thickness."""
    scene = seen_from(model, yaw_rad)
    sitting = Sitting(model, scene, thick_mm * share)
    photo, _ = sitting.photo(share > 0, COLOURS["brown"])
    return hair_outline(
        *(sitting.map(photo), None, scene, sitting.points_mm, share > 0, model, SETTINGS.outline)
    )


def volume_mm(
    outlines: list[HairOutline], share: torch.Tensor, model: MorphableModel
) -> torch.Tensor:
    found = hair_volume_mm(outlines, share, model, SETTINGS)
    assert found is not None
    return found


def even(share: torch.Tensor, thick_mm: float) -> torch.Tensor:
    return torch.full_like(share, thick_mm)


@pytest.fixture(scope="module")
def outline(model, share) -> HairOutline:
    return outline_of(model, share, even(share, 25.0))


@pytest.mark.parametrize("thick_mm", [8.0, 25.0, 45.0])
def test_a_shell_of_known_thickness_is_found_again(model, share, thick_mm):
    told = outline_of(model, share, even(share, thick_mm))
    found = volume_mm([told], share, model)
    # Cells of the map are 3 mm wide.
    full = share > 0.95
    x = model.shape_mm(model.zeros())[:, 0]
    beside = full & (x.abs() > 50) & (outward(model)[:, 0].abs() > 0.8)
    assert float((found[beside] - thick_mm).abs().mean()) < 3
    assert float((found[full] - thick_mm).abs().mean()) < 2 + 0.25 * thick_mm


def test_a_profile_tells_of_the_back(model, share):
    """Of which a frontal photo says nothing."""
    z = model.shape_mm(model.zeros())[:, 2]
    true_mm = torch.where(z < -40, 30.0, 10.0)
    front = outline_of(model, share, true_mm)
    side = outline_of(model, share, true_mm, yaw_rad=1.5)
    back = (share > 0.95) & (outward(model)[:, 2] < -0.8)
    alone = volume_mm([front], share, model)
    both = volume_mm([front, side], share, model)
    assert float((both[back] - 30).abs().mean()) < 5
    assert float((alone[back] - 30).abs().mean()) > 10


def test_it_never_points_inwards_and_leaves_the_face_alone(model, share, outline):
    found = volume_mm([outline], share, model)
    assert 0 <= float(found.min()) <= float(found.max()) <= SETTINGS.most_mm
    assert not found[share == 0].any()
    face = (model.regions["face"] > 0.5) & (model.regions["scalp"] < 0.01)
    assert not found[face].any()
    from_middle = model.shape_mm(model.zeros()) - skull(model)[0]
    along = (from_middle * outward(model)).sum(1)
    assert float(along[share > 0].min()) > 0


def test_the_thickest_hair_does_not_fold_over(model, share):
    flat_mm = model.shape_mm(model.zeros())
    thick_mm = raised(model, flat_mm, torch.full_like(share, SETTINGS.most_mm))
    on_scalp = (share > 0.95)[model.surface.triangles].all(1)
    before, after = (
        triangle_normals(points, model.surface.triangles)[on_scalp]
        for points in (flat_mm, thick_mm)
    )
    assert float((before * after).sum(1).min()) > 0


def test_no_hair_no_volume(model, share):
    scene = seen_from(model)
    bald = Sitting(model, scene)
    photo, _ = bald.photo(torch.zeros_like(share, dtype=torch.bool), COLOURS["brown"])
    told = hair_outline(
        *(bald.map(photo), None, scene, bald.points_mm, share > 0, model, SETTINGS.outline)
    )
    assert hair_volume_mm([told], share, model, SETTINGS) is None
    # Nor where none grows, whatever is behind the head, nor where no photo tells anything.
    bare = standing(torch.zeros_like(share), model, SETTINGS)
    full = replace(told, end_px=told.end_px + 50, tells=np.ones_like(told.tells))
    assert hair_volume_mm([full], bare, model, SETTINGS) is None
    assert hair_volume_mm([], share, model, SETTINGS) is None


def test_walls_that_look_like_hair_end_at_an_edge(model, share):
    """The map takes them for hair on one side of the head; the picture has an edge before them."""
    scene = seen_from(model)
    sitting = Sitting(model, scene, 12 * share)
    photo, _ = sitting.photo(share > 0, COLOURS["brown"])
    seen = sitting.map(photo)
    hair = seen.hair.clone()
    wall = (seen.away_mm > 0) & (seen.away_mm < 45)
    wall[:, len(hair) // 2 :] = False
    hair[wall] = 0.95
    told = hair_outline(
        *(replace(seen, hair=hair), None, scene, sitting.points_mm, share > 0, model),
        SETTINGS.outline,
    )
    found = volume_mm([told], share, model)
    full = share > 0.95
    assert float((found[full] - 12).abs().mean()) < 6
    careless = replace(SETTINGS.outline, edge=0.0, hair_per_mm=1.0)
    told = hair_outline(
        *(replace(seen, hair=hair), None, scene, sitting.points_mm, share > 0, model), careless
    )
    without = volume_mm([told], share, model)
    assert float(without.max()) > 40


def test_the_outline_lies_where_the_hair_ends(model, share, outline):
    """Points of the shell that was drawn lie within it, and its rim on it."""
    shell_mm = raised(model, model.shape_mm(model.zeros()), 25 * share)
    within = within_outline_mm(outline, seen_from(model).pose.T_cam_model @ shell_mm)
    beside = torch.isfinite(within) & (share > 0.95)
    rim = within[beside].sort().values[:100]
    assert float(rim[0]) > -2.5
    assert float(rim.mean()) < 1
    middle = (share > 0.95) & (outward(model)[:, 2] < -0.9)
    assert float(within[middle].min()) > 40


def test_some_odd_rays_change_little(model, share, outline):
    good = volume_mm([outline], share, model)
    end_px = outline.end_px.copy()
    (rays,) = np.nonzero(outline.tells)
    end_px[rays[len(rays) // 2 : len(rays) // 2 + 4]] += 30
    odd = volume_mm([replace(outline, end_px=end_px)], share, model)
    assert float((good - odd).abs().max()) < 4


def test_hair_that_the_photo_cuts_off_is_no_thinner_for_it(model, share, outline):
    (rays,) = np.nonzero(outline.tells)
    top = rays[len(rays) // 3 : 2 * len(rays) // 3]
    end_px, cut = outline.end_px.copy(), outline.cut.copy()
    end_px[top] -= 12  # of 25 mm 18 are gone
    short = volume_mm([replace(outline, end_px=end_px)], share, model)
    cut[top] = True
    found = volume_mm([replace(outline, end_px=end_px, cut=cut)], share, model)
    crown = (share > 0.95) & (outward(model)[:, 1] > 0.9)
    assert float(short[crown].mean()) < 17
    assert float(found[crown].mean()) > 19


def test_an_avatar_has_it_in_its_skin_alone_and_normals_follow(model, share):
    hair_mm = 20 * share
    flat, full = (
        make_avatar(model, model.zeros()),
        make_avatar(model, model.zeros(), None, None, HairShape(hair_mm)),
    )
    vertices = avatar_vertices(model)
    for before, after in zip(flat.parts, full.parts, strict=True):
        moved = after.positions_mm - before.positions_mm
        expected = (hair_mm[:, None] * outward(model))[vertices[before.name]].numpy()
        np.testing.assert_allclose(moved, expected, atol=1e-3)
        np.testing.assert_array_equal(before.bone_weights, after.bone_weights)
        for a, b in zip(before.targets, after.targets, strict=True):
            assert (a.name, a.weight) == (b.name, b.weight)
    turned = np.linalg.norm(full.parts[0].normals - flat.parts[0].normals, axis=1)
    still = (share == 0).numpy() & (model.regions["face"] > 0.99).numpy()
    assert turned.max() > 0.5
    assert turned[still[vertices["head_skin"]]].max() < 1e-3


def test_settings_say_what_is_out_of_range():
    with pytest.raises(InputError, match="most_mm"):
        HairVolumeSettings(most_mm=-1.0)
    with pytest.raises(InputError, match="rays"):
        HairOutlineSettings(rays=1)
