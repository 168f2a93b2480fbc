import json

import numpy as np
import pytest
import torch

from commons.head import PARTS, Head
from commons.landmarks import TABLE
from commons.surface_points import along_loop, head_surface, symmetric_points
from commons.surface_points import barycentric_of as weights_of
from fit3dmm._files import data_path
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel


def sheet(rng: np.random.Generator) -> tuple[Head, np.ndarray]:
    """A symmetric bulging sheet of 6 x 5 quads whose corners begin anywhere, like MakeHuman's."""
    columns, rows = 7, 6
    x, y = np.meshgrid(np.arange(columns) - 3.0, np.arange(rows) - 2.5)
    shape_mm = 5.0 * np.stack([x, y, 3 - 0.2 * x**2 - 0.15 * y**2], axis=2).reshape(-1, 3)
    number = np.arange(columns * rows).reshape(rows, columns)
    quads = np.stack(
        [number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]], axis=2
    ).reshape(-1, 4)
    turns = rng.integers(0, 4, len(quads))
    quads = np.array([np.roll(quad, turn) for quad, turn in zip(quads, turns, strict=True)])
    n = len(shape_mm)
    head = Head(
        vertex=np.arange(n),
        quads=quads,
        quad_part=np.full(len(quads), PARTS.index("skin")),
        mirror=number[:, ::-1].ravel(),
        part=np.full(n, PARTS.index("skin")),
        uv=np.zeros((n, 2)),
        uv_quads=quads,
        makehuman_uv=np.zeros((n, 2)),
        makehuman_uv_quads=quads,
        lip_rim=number[[2, 2, 3, 3], [2, 3, 3, 2]],
        lid_rims=(number[1], number[1]),
        own_mm=np.zeros((n, 3)),
    )
    return head, shape_mm


@pytest.fixture(scope="module")
def surface():
    head, shape_mm = sheet(np.random.default_rng(0))
    # The sheet has skin only; an empty part can have no search tree.
    return head_surface(head, shape_mm, parts=("skin",))


def test_nearest_points_of_surface_points_are_themselves(surface):
    rng = np.random.default_rng(1)
    triangle = rng.integers(0, len(surface.triangles), 200)
    barycentric = rng.dirichlet(np.ones(3), 200)
    corners = surface.vertices_mm[surface.triangles[triangle]]
    wanted = np.einsum("pk,pkc->pc", barycentric, corners)
    found = surface.locate(surface.nearest(wanted))
    # Rounding through two levels of parameters.
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_mirrored_points_are_exact_mirror_images(surface):
    rng = np.random.default_rng(2)
    points = surface.nearest(rng.uniform(-12, 12, (100, 3)))
    mirrored = surface.mirrored(points)
    flip = np.array([-1.0, 1.0, 1.0])
    np.testing.assert_allclose(surface.locate(mirrored), surface.locate(points) * flip, atol=1e-9)
    again = surface.mirrored(mirrored)
    np.testing.assert_allclose(surface.locate(again), surface.locate(points), atol=1e-9)


def test_symmetric_points_keep_the_middle_in_the_middle(surface):
    wanted = np.array([[-6.0, 2.0, 12.0], [0.4, 3.0, 14.0], [6.6, 2.2, 11.0]])
    found = surface.locate(symmetric_points(wanted, np.array([2, 1, 0]), surface))
    assert abs(found[1, 0]) < 1e-9
    np.testing.assert_allclose(found[0], found[2] * [-1, 1, 1], atol=1e-9)


def test_points_along_a_loop_pass_its_vertices_in_order(surface):
    loop = surface.head.lip_rim
    found = surface.locate(along_loop(surface.head, loop, samples=4))
    assert found.shape == (16, 3)
    # Vertex k of the base is vertex k of every level.
    np.testing.assert_allclose(found[::4], surface.vertices_mm[loop], atol=1e-9)


def test_weights_of_points_in_a_triangle():
    corners = np.array([[[0.0, 0, 0], [4, 0, 0], [0, 2, 0]]])
    weights = weights_of(np.array([[1.0, 1.0, 0.0]]), corners)
    np.testing.assert_allclose(weights, [[0.25, 0.25, 0.5]], atol=1e-12)


def test_the_table_holds_sound_points():
    table = json.loads(TABLE.read_text())
    barycentric = np.array(table["barycentric"])
    assert len(table["triangle"]) == len(barycentric) == 468
    # Four decimals are kept.
    np.testing.assert_allclose(barycentric.sum(axis=1), 1, atol=3e-4)
    assert barycentric.min() >= 0


@pytest.fixture(scope="module")
def commons() -> MorphableModel:
    if not data_path("commons.h5").exists():
        pytest.skip("data/commons.h5 is not built yet: python tools/build_commons.py")
    return load_model("commons", level=2)


def placed(model: MorphableModel, name: str) -> np.ndarray:
    return model.landmarks_mm(name, model.zeros()).numpy()


def test_ibug_is_symmetric_and_in_anatomical_order(commons):
    points = placed(commons, "ibug68")
    flip = np.array([-1.0, 1.0, 1.0])
    # The file keeps float32.
    for right, left in ((36, 45), (39, 42), (48, 54), (31, 35), (0, 16), (17, 26), (60, 64)):
        np.testing.assert_allclose(points[right], points[left] * flip, atol=0.01)
        assert points[right, 0] < 0 < points[left, 0]
    assert np.abs(points[[8, 27, 28, 29, 30, 33, 51, 57, 62, 66], 0]).max() < 0.01
    middle = points[[27, 28, 29, 30, 33, 51, 62, 57, 8], 1]
    assert (np.diff(middle) < 0).all()
    # Where resting lips meet, the detector's inner edges lie close together.
    assert abs(points[66, 1] - points[62, 1]) < 2
    # The tip of the nose is the foremost of all points.
    assert points[:, 2].argmax() == 30


def test_now_points_are_ibug_points(commons):
    ibug, now = placed(commons, "ibug68"), placed(commons, "now7")
    np.testing.assert_array_equal(now, ibug[[36, 39, 42, 45, 33, 48, 54]])


def test_irises_have_the_size_of_irises(commons):
    points = placed(commons, "mediapipe478")
    for centre in (468, 473):
        right, up, left, down = points[centre + 1 : centre + 5] - points[centre]
        # Chords of the eyeball's facets are a little shorter than the iris on the sphere.
        for a, b in ((right, left), (up, down)):
            assert np.linalg.norm(a - b) == pytest.approx(11.7, abs=0.4)
        assert min(right[0], -left[0], up[1], -down[1]) > 5
    # MediaPipe numbers the subject's right eye first.
    assert points[468, 0] < 0 < points[473, 0]


def test_points_agree_across_levels(commons):
    coarser = load_model("commons", level=1)
    for name in ("ibug68", "mediapipe478"):
        distance = np.linalg.norm(placed(commons, name) - placed(coarser, name), axis=1)
        # The surface itself moves by that much between the levels, most at lids and nostrils.
        assert np.median(distance) < 0.15
        assert distance.max() < 1.0


def test_contours_run_from_behind_to_the_front_through_the_jaw(commons):
    lines = commons.contours["jaw17"].locate(
        commons.shape_mm(commons.zeros()), commons.surface.triangles
    )
    assert lines.shape == (17, 16, 3)
    assert (lines[:, -1, 2] > lines[:, 0, 2] + 10).all()
    steps = (lines[:, 1:] - lines[:, :-1]).norm(dim=2)
    # Even steps along the skin; nowhere a jump to another part of it.
    assert steps.max() < 8.0
    jaw = torch.from_numpy(placed(commons, "ibug68")[:17])
    nearest = torch.cdist(jaw[:, None], lines).amin(dim=(1, 2))
    assert nearest.max() < 3.0


def test_regions_are_symmetric_weights_where_they_belong(commons):
    mirror = commons.surface.mirror
    for name, weights in commons.regions.items():
        assert 0 <= weights.min() < weights.max() <= 1, name
        if name not in ("eye_left", "eye_right"):
            # The base regions are symmetric; subdividing them keeps that to rounding.
            assert (weights - weights[mirror]).abs().max() < 0.02, name
    regions = commons.regions
    assert (regions["lips"] <= regions["face"] + 1e-5).all()
    for outside in ("ears", "eyes", "mouth_interior", "scalp"):
        # Where regions meet at an edge, subdivision mixes them within one base quad.
        assert (regions[outside] * regions["skin"]).max() < 0.3, outside
    at = commons.landmarks["ibug68"]
    lips = at.locate(regions["lips"][:, None], commons.surface.triangles)[:, 0]
    assert lips[[50, 51, 52, 57, 62, 66]].min() > 0.3
    assert lips[:48].max() < 0.05
