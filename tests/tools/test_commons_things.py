"""Eyeballs, teeth, gums, tongue and the texture layout: closed forms, and what the model shows."""

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from scipy.spatial import KDTree

from commons.eyeball import EYE_RADIUS_MM, GAZE, eyeball
from commons.spread_points import COUNTS
from commons.teeth import JAWS, dental_arch, gums
from commons.things import Thing, through
from commons.tongue import tongue
from fit3dmm._files import data_path
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.geometry.subdivision import composed_operator, refine, refine_levels, refine_vertex_map
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.render.backend import choose_backend

IN_THE_MOUTH = ("mouth", "teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")


def smooth_points(thing: Thing) -> np.ndarray:
    n = len(thing.points_mm)
    return composed_operator(refine_levels(thing.quads, n, 2), n) @ thing.points_mm


def things() -> list[Thing]:
    arches = [make(jaw) for make in (dental_arch, gums) for jaw in JAWS]
    return [eyeball("eye_left"), tongue().thing, *arches]


@pytest.mark.parametrize("thing", things(), ids=lambda thing: thing.part)
def test_things_are_symmetric_with_quads_that_do_not_overlap_in_the_texture(thing):
    mirrored = thing.points_mm[thing.mirror] * [-1, 1, 1]
    np.testing.assert_allclose(mirrored, thing.points_mm, atol=1e-9)
    refine_vertex_map(thing.mirror, refine(thing.quads, len(thing.points_mm)))
    corners = thing.uv[thing.uv_quads]
    sides = np.roll(corners, -1, axis=1) - corners
    after = np.roll(sides, -1, axis=1)
    turn = sides[..., 0] * after[..., 1] - sides[..., 1] * after[..., 0]
    assert (turn > 0).all() or (turn < 0).all()


def test_control_points_are_found_whose_surface_passes_through_points():
    rng = np.random.default_rng(0)
    thing = tongue().thing
    wanted = smooth_points(thing)[: len(thing.points_mm)] + rng.normal(0, 0.2, (1, 3))
    control = through(wanted, thing.quads)
    n = len(wanted)
    found = (composed_operator(refine_levels(thing.quads, n, 2), n) @ control)[:n]
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_an_eyeball_is_a_ball_with_a_cornea():
    points = smooth_points(eyeball("eye_left"))
    radius = np.linalg.norm(points, axis=1)
    angle = np.degrees(np.arccos(np.clip(points @ GAZE / radius, -1, 1)))
    white = (angle > 35) & (angle < 70)
    # Subdivision bridges twelve points a ring.
    np.testing.assert_allclose(radius[white], EYE_RADIUS_MM, atol=0.2)
    # A cornea stands out by a millimetre; the rise begins at the iris' rim.
    assert radius[angle < 4].min() > EYE_RADIUS_MM + 0.7
    assert radius.max() < EYE_RADIUS_MM + 1.1


def test_teeth_are_apart_and_the_upper_ones_bite_over_the_lower_ones():
    for jaw in JAWS:
        thing = dental_arch(jaw)
        n = len(thing.points_mm)
        piece = np.full(n, -1)
        for number, start in enumerate(range(n)):
            if piece[start] < 0:
                inside = {start}
                while True:
                    touched = np.isin(thing.quads, list(inside)).any(axis=1)
                    grown = set(thing.quads[touched].ravel().tolist())
                    if grown <= inside:
                        break
                    inside |= grown
                piece[list(inside)] = number
        assert len(np.unique(piece)) == 12
    upper, lower = (smooth_points(dental_arch(jaw)) for jaw in JAWS)
    front = [points[np.abs(points[:, 0]) < 4] for points in (upper, lower)]
    overbite_mm = front[1][:, 1].max() - front[0][:, 1].min()
    overjet_mm = front[0][:, 2].max() - front[1][:, 2].max()
    assert 0.5 < overbite_mm < 3
    assert 1 < overjet_mm < 4


def gum_edge_mm(gum_mm: np.ndarray, teeth_mm: np.ndarray, x_mm: float) -> float:
    """How far over the edge of the teeth the gum begins, beside the middle of the face."""
    own, others = (p[np.abs(p[:, 0] - x_mm) < 0.4] for p in (gum_mm, teeth_mm))
    heights = np.arange(2.0, 12.0, 0.1)
    fronts = [np.interp(heights, *profile(points[:, 1], points[:, 2])) for points in (own, others)]
    return float(heights[np.argmax(fronts[0] > fronts[1])])


def profile(heights_mm: np.ndarray, depths_mm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The foremost point of each half millimetre of height, from the lowest on."""
    rows = np.round(2 * heights_mm).astype(int)
    found = np.unique(rows)
    return found / 2, np.array([depths_mm[rows == row].max() for row in found])


def densely(thing: Thing) -> np.ndarray:
    n = len(thing.points_mm)
    return composed_operator(refine_levels(thing.quads, n, 4), n) @ thing.points_mm


def test_gums_go_straight_across_the_front_teeth_and_down_between_them():
    gum, teeth = densely(gums("upper")), densely(dental_arch("upper"))
    edges = {x: gum_edge_mm(gum, teeth, x) for x in (0.2, 2.0, 4.25, 6.5, 8.5, 11.8)}
    # Central incisors are 10.5 mm high and 8.5 mm wide, lateral ones 9 mm high.
    assert edges[4.25] == pytest.approx(10.5, abs=1)
    assert edges[11.8] == pytest.approx(9.0, abs=1)
    # Over half the width of a tooth the edge is within 1 mm of its highest place, and between two
    # teeth it comes down by a fifth.
    assert min(edges[2.0], edges[6.5]) > edges[4.25] - 1
    for between in (0.2, 8.5):
        assert 0.7 < edges[between] / edges[4.25] < 0.9
    # Crowns are hardly narrower where they meet the gum.
    crown = teeth[(teeth[:, 0] > 0) & (teeth[:, 0] < 8.4) & (teeth[:, 2] > -4)]
    widths = [np.ptp(crown[np.abs(crown[:, 1] - height) < 0.4, 0]) for height in (4.7, 9.5)]
    assert widths[1] > 0.92 * widths[0]


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    if not data_path("commons.h5").exists():
        pytest.skip("data/commons.h5 is not built yet: python tools/build_commons.py")
    return load_model("commons", level=2)


def with_units(model: MorphableModel, person: Coefficients, **units: float) -> Coefficients:
    expression = torch.zeros(model.n_expression)
    for name, amount in units.items():
        for full in (name, f"{name}Left", f"{name}Right"):
            if full in model.expression_names:
                expression[model.expression_names.index(full)] = amount
    return person.replace(expression=expression)


def moved(model: MorphableModel, **units: float) -> torch.Tensor:
    rest = model.zeros()
    return model.shape_mm(with_units(model, rest, **units)) - model.shape_mm(rest)


def test_each_thing_is_a_part_of_its_own(model):
    eyes = ("eye_left", "eye_right")
    assert set(model.parts) == {"skin", "socket", *eyes, *IN_THE_MOUTH}
    shared = sum(model.in_parts(name).int() for name in model.parts) > 1
    # The rims of lids and lips alone belong to two.
    assert (shared == (model.in_parts("skin") & model.in_parts("mouth", "socket"))).all()
    assert (model.regions["mouth_interior"] > 0.99)[
        model.in_parts("teeth_upper", "teeth_lower", "gums_upper", "gums_lower", "tongue")
    ].all()


def test_the_tongue_comes_out_alone_and_upper_teeth_never_move(model):
    out = moved(model, tongueOut=1.0)
    tongue_alone = model.in_parts("tongue")
    assert out[~tongue_alone].abs().max() < 1e-3
    assert out[tongue_alone][:, 2].max() > 25
    upper = model.in_parts("teeth_upper", "gums_upper")
    every = model.surface.lift(model.expression_basis_mm)
    assert every[:, upper].abs().max() < 1e-3


def test_lower_teeth_turn_with_the_jaw_about_its_joint(model):
    rest = model.shape_mm(model.zeros())
    teeth = model.in_parts("teeth_lower")
    opened = rest + moved(model, jawOpen=1.0)
    hinge = model.joint_mm("jaw", model.zeros())
    sideways = torch.tensor([0.0, 1.0, 1.0])
    before, after = (((points - hinge) * sideways)[teeth].norm(dim=1) for points in (rest, opened))
    # The artists' jaw turns by 21 degrees about a point that we find by least squares.
    assert (after / before - 1).abs().max() < 0.03
    assert hinge[0].abs() < 0.01
    assert (hinge[1:]).norm() < 45, "the hinge lies below and before the ears' openings"
    assert hinge[1] < 0 < hinge[2]


@pytest.mark.parametrize(
    ("unit", "axis", "signs"),
    [("eyeLookUp", 1, (1, 1)), ("eyeLookDown", 1, (-1, -1)),
     ("eyeLookOut", 0, (1, -1)), ("eyeLookIn", 0, (-1, 1))],
)  # fmt: skip
def test_eyes_turn_about_their_joints(model, unit, axis, signs):
    marks = model.landmarks["mediapipe478"]
    for side, pupil, sign in (("left", 473, signs[0]), ("right", 468, signs[1])):
        centre = model.joint_mm(f"eye_{side}", model.zeros())
        name = unit + side.title()
        shapes = [
            model.shape_mm(with_units(model, model.zeros(), **{name: amount}))
            for amount in (0.0, 0.5, 1.0)
        ]
        at = torch.stack([marks.locate(s, model.surface.triangles)[pupil] for s in shapes]) - centre
        assert sign * (at[2] - at[0])[axis] > 5
        angle = torch.rad2deg(
            torch.arccos(torch.cosine_similarity(at[0], at[2], dim=0).clamp(-1, 1))
        )
        assert angle == pytest.approx(25 if axis == 1 else 30, abs=0.5)
        radii = at.norm(dim=1)
        # Straight lines: as far below the ball half-way as above it at the end.
        assert (radii / radii[0] - 1).abs().max() < 0.025


def seen_parts(
    model: MorphableModel, person: Coefficients, yaw_deg: float, pitch_deg: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """(1024, 1024) the triangle in each pixel, -1 for none; and that of those that face us."""
    size = 1024
    axes = torch.eye(3)
    turn = rotation_matrix(math.radians(yaw_deg) * axes[1]) @ rotation_matrix(
        math.radians(pitch_deg) * axes[0]
    )
    points = model.shape_mm(person) @ turn.T + torch.tensor([0.0, 10.0, -700.0])
    camera = Camera.centred(size * 700 / 220, size, size)
    clip = camera.to_clip(points)[None]
    corners = camera.project(points)[model.surface.triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    towards_us = torch.nonzero(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0)[:, 0]
    backend = choose_backend("auto", points.device)
    every = backend.rasterise(clip, model.surface.triangles, size, size).triangle[0].numpy()
    front = backend.rasterise(clip, model.surface.triangles[towards_us].contiguous(), size, size)
    return every, front.triangle[0].numpy()


def pixels_of(model: MorphableModel, triangles: np.ndarray, *parts: str) -> int:
    mask = torch.stack([model.parts[part] for part in parts]).any(dim=0).numpy()
    return int(mask[triangles[triangles >= 0]].sum())


def test_resting_lips_hide_the_mouth_and_closed_lids_the_eyes(model):
    drawn = model.sample(3, generator=torch.Generator().manual_seed(4))
    people = [model.zeros(), *(drawn.map(lambda v, k=k: v[k]) for k in range(3))]
    for person in people:
        for yaw in (0.0, 35.0):
            # Some people's lips part by a pixel's breadth.
            seen, _ = seen_parts(model, person, yaw)
            assert pixels_of(model, seen, *IN_THE_MOUTH[1:]) < 12
    for yaw in (0.0, 35.0):
        seen, _ = seen_parts(model, with_units(model, model.zeros(), eyeBlink=1.0), yaw)
        assert pixels_of(model, seen, "eye_left", "eye_right") == 0


def test_a_smile_shows_teeth_and_little_gum(model):
    drawn = model.sample(3, generator=torch.Generator().manual_seed(4))
    people = [model.zeros(), *(drawn.map(lambda v, k=k: v[k]) for k in range(3))]
    smile = {"mouthSmile": 0.8, "jawOpen": 0.15}
    laugh = {"mouthSmile": 0.9, "mouthUpperUp": 0.4, "jawOpen": 0.35, "mouthLowerDown": 0.2}
    for units, most in ((smile, 0.22), (laugh, 0.37)):
        for person in people:
            seen, _ = seen_parts(model, with_units(model, person, **units), 0.0)
            teeth, gum = (pixels_of(model, seen, f"{thing}_upper") for thing in ("teeth", "gums"))
            assert teeth > 1500
            assert gum < most * (teeth + gum)


def test_no_view_shows_a_hole(model):
    """Where back faces are not drawn, as in most viewers, every line of sight ends on a front."""
    drawn = model.sample(2, generator=torch.Generator().manual_seed(5))
    one, other = (drawn.map(lambda v, k=k: v[k]) for k in range(2))
    cases = [
        (with_units(model, model.zeros(), eyeLookOutLeft=1.0, eyeLookInRight=1.0), -50.0, 0.0),
        (with_units(model, one, mouthSmile=0.8, jawOpen=0.4), 20.0, 0.0),
        (with_units(model, other, eyeBlink=0.5), 0.0, 15.0),
        (with_units(model, model.zeros(), eyeLookDown=1.0), 0.0, 0.0),
        (with_units(model, one, eyeWide=1.0), 30.0, -15.0),
    ]
    for person, yaw, pitch in cases:
        _, front = seen_parts(model, person, yaw, pitch)
        holes, n = ndimage.label(front < 0)
        outside = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
        assert set(range(1, n + 1)) <= set(outside.tolist())


def stretches(coarse: MorphableModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each triangle: largest over smallest stretch, UV length per mm, and area."""
    surface, shape = coarse.surface, coarse.shape_mm(coarse.zeros()).double()
    corners, uv = shape[surface.triangles], surface.uv.double()[surface.uv_triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    along = torch.nn.functional.normalize(a, dim=1)
    flat = torch.zeros(len(a), 2, 2, dtype=torch.float64)
    flat[:, 0, 0] = a.norm(dim=1)
    flat[:, 0, 1] = (b * along).sum(1)
    flat[:, 1, 1] = torch.linalg.cross(a, b).norm(dim=1) / flat[:, 0, 0].clamp_min(1e-9)
    flat += 1e-6 * torch.eye(2)
    onto = torch.stack([uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]], 2) @ torch.linalg.inv(flat)
    values = torch.linalg.svdvals(onto).numpy()
    ratio, scale = values[:, 0] / np.maximum(values[:, 1], 1e-12), np.sqrt(values.prod(axis=1))
    return ratio, scale, torch.linalg.cross(a, b).norm(dim=1).numpy()


def quantile(values: np.ndarray, share: float, weight: np.ndarray) -> float:
    order = np.argsort(values)
    reached = weight[order].cumsum() / weight.sum()
    return float(values[order][np.searchsorted(reached, share)])


def test_the_face_has_half_of_the_texture_and_little_distortion():
    base = load_model("commons", level=0)
    surface = base.surface
    uv = surface.uv[surface.uv_triangles]
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2
    face = (base.regions["face"] > 0.5)[surface.triangles].all(dim=1)
    assert area.min() > 0
    assert area[face].sum() > 0.5
    coarse = load_model("commons", level=1)
    fine_face = (coarse.regions["face"] > 0.5)[coarse.surface.triangles].all(dim=1).numpy()
    ratio, scale, weight = stretches(coarse)
    assert quantile(ratio[fine_face], 0.9, weight[fine_face]) < 3
    # By area, texels of nine tenths of the face are of one size to a factor of two.
    low, high = (quantile(scale[fine_face], q, weight[fine_face]) for q in (0.05, 0.95))
    assert high < 2 * low
    assert quantile(ratio[~fine_face], 0.9, weight[~fine_face]) < 40


def test_nothing_overlaps_in_the_texture_and_things_keep_their_distance():
    base = load_model("commons", level=0)
    surface = base.surface
    size = 512
    corners = surface.uv[surface.uv_triangles].double().numpy() * size
    count = np.zeros((size, size), dtype=int)
    for p in corners:
        low = np.maximum(np.floor(p.min(axis=0)).astype(int), 0)
        high = np.ceil(p.max(axis=0)).astype(int)
        x, y = np.meshgrid(np.arange(low[0], high[0]) + 0.5, np.arange(low[1], high[1]) + 0.5)
        inside = np.ones(x.shape, dtype=bool)
        for k in range(3):
            d = p[k - 2] - p[k]
            # Strictly inside, so that a pixel on a common edge belongs to neither.
            inside &= d[0] * (y - p[k, 1]) - d[1] * (x - p[k, 0]) > 1e-9
        count[low[1] : high[1], low[0] : high[0]] += inside
    assert count.max() == 1
    points = {
        name: surface.uv[surface.uv_triangles[mask].unique()].numpy()
        for name, mask in base.parts.items()
    }
    for name, own in points.items():
        others = np.concatenate([p for other, p in points.items() if other != name])
        # Three texels at 512.
        assert KDTree(others).query(own)[0].min() > 3 / 512, name


def test_spread_points_are_symmetric_and_fill_the_head(model):
    points = model.landmarks["spread200"]
    assert len(points) == sum(COUNTS.values()) == 200
    at = points.locate(model.shape_mm(model.zeros()), model.surface.triangles).numpy()
    for k, name in enumerate(points.names):
        if name.endswith("_right"):
            twin = points.index(name.replace("_right", "_left"))[0]
            np.testing.assert_allclose(at[twin], at[k] * [-1, 1, 1], atol=0.01)
    named = np.concatenate(
        [model.landmarks_mm(k, model.zeros()).numpy() for k in ("ibug68", "mediapipe478")]
    )
    assert KDTree(np.concatenate([at, named])).query(at, 2)[0][:, 1].min() > 4
    front = (model.regions["face"] > 0.9).numpy()
    shape = model.shape_mm(model.zeros()).numpy()
    # No place on the face is further from a point than a thumb is wide.
    assert KDTree(np.concatenate([at, named])).query(shape[front])[0].max() < 18
