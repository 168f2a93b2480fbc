import numpy as np
import pytest
import trimesh

from fit3dmm._errors import InputError
from fit3dmm._threads import torch_threads
from fit3dmm.geometry.closest_point import closest_points, index_surface


def bumpy_sphere(subdivisions=3, seed=0):
    ball = trimesh.creation.icosphere(subdivisions=subdivisions, radius=80.0)
    rng = np.random.default_rng(seed)
    vertices = ball.vertices * (1 + 0.1 * rng.normal(size=(len(ball.vertices), 1)))
    return np.asarray(vertices), np.asarray(ball.faces, dtype=np.int64)


@pytest.mark.parametrize("spread", [1.0, 60.0, 1000.0])
def test_agrees_with_trimesh(spread):
    vertices, triangles = bumpy_sphere()
    rng = np.random.default_rng(1)
    points = vertices[rng.integers(len(vertices), size=200)] + spread * rng.normal(size=(200, 3))
    ours = closest_points(index_surface(vertices, triangles), points)
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    theirs, distance, _ = trimesh.proximity.closest_point_naive(mesh, points)
    # Both are exact up to rounding at coordinates of 1e3.
    np.testing.assert_allclose(ours.distance, distance, atol=1e-9, rtol=0)
    assert np.linalg.norm(ours.points - theirs, axis=1).max() < 1e-6


def test_answers_are_consistent():
    """The reported point lies on the reported triangle, at the reported distance."""
    vertices, triangles = bumpy_sphere(2)
    points = np.random.default_rng(2).normal(size=(500, 3)) * 90
    found = closest_points(index_surface(vertices, triangles), points)
    np.testing.assert_allclose(np.linalg.norm(points - found.points, axis=1), found.distance)
    corners = vertices[triangles[found.triangle]]
    weights = trimesh.triangles.points_to_barycentric(corners, found.points)
    assert weights.min() > -1e-9
    # The barycentrics of a point off the plane would give another point.
    np.testing.assert_allclose(np.einsum("pkc,pk->pc", corners, weights), found.points, atol=1e-9)


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ([0.2, 0.3, 5.0], [0.2, 0.3, 0.0]),  # over the face
        ([-1.0, -2.0, 1.0], [0.0, 0.0, 0.0]),  # corner a
        ([3.0, -1.0, 1.0], [1.0, 0.0, 0.0]),  # corner b
        ([-1.0, 4.0, 1.0], [0.0, 1.0, 0.0]),  # corner c
        ([0.4, -2.0, 1.0], [0.4, 0.0, 0.0]),  # edge ab
        ([-2.0, 0.7, 1.0], [0.0, 0.7, 0.0]),  # edge ca
        ([1.0, 1.0, 1.0], [0.5, 0.5, 0.0]),  # edge bc
    ],
)
def test_every_region_of_a_triangle(point, nearest):
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    for order in ([0, 1, 2], [1, 2, 0], [0, 2, 1]):
        found = closest_points(index_surface(triangle, np.array([order])), np.array([point]))
        np.testing.assert_allclose(found.points[0], nearest, atol=1e-15)


@pytest.mark.parametrize(
    "corners",
    [
        [[0.0, 0, 0], [1, 0, 0], [2, 0, 0]],
        [[0.0, 0, 0], [0, 0, 0], [2, 0, 0]],
        [[2.0, 0, 0], [0, 0, 0], [2, 1e-12, 0]],
    ],
)
def test_triangles_without_area_are_segments(corners):
    found = closest_points(
        index_surface(np.array(corners), np.array([[0, 1, 2]])),
        np.array([[0.5, 3.0, 4.0], [-3.0, 0.0, 4.0], [5.0, 4.0, 0.0]]),
    )
    np.testing.assert_allclose(found.distance, 5.0, atol=1e-11)


def test_moving_everything_moves_the_answer():
    vertices, triangles = bumpy_sphere(2)
    points = np.random.default_rng(3).normal(size=(100, 3)) * 70
    rotation, _ = np.linalg.qr(np.random.default_rng(4).normal(size=(3, 3)))
    here = closest_points(index_surface(vertices, triangles), points)
    there = closest_points(
        index_surface(2.5 * vertices @ rotation.T + 7, triangles), 2.5 * points @ rotation.T + 7
    )
    np.testing.assert_allclose(there.distance, 2.5 * here.distance, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("step", [1e-6, 0.01, 1.0, 30.0])
def test_what_is_known_of_points_nearby_changes_no_answer(step):
    vertices, triangles = bumpy_sphere()
    surface = index_surface(vertices, triangles)
    rng = np.random.default_rng(6)
    points = vertices[rng.integers(len(vertices), size=500)] + rng.normal(size=(500, 3))
    known = closest_points(surface, points)
    for _ in range(5):
        points = points + step * rng.normal(size=points.shape)
        known = closest_points(surface, points, known.near)
        anew = closest_points(surface, points)
        # The same kernel on the same triangle; where triangles meet, on another of equal distance.
        np.testing.assert_allclose(known.distance, anew.distance, rtol=1e-13, atol=1e-13)
        assert np.linalg.norm(known.points - anew.points, axis=1).max() < 1e-9


@pytest.mark.parametrize("moved", [0.0, 3.0, 1e4])
def test_no_other_triangle_is_nearer_than_it_says(moved):
    vertices, triangles = bumpy_sphere(1)
    points = np.random.default_rng(7).normal(size=(40, 3)) * 70
    surface = index_surface(vertices, triangles)
    before = closest_points(surface, points - [moved, 0, 0]).near
    found = closest_points(surface, points, before)
    each = [
        closest_points(index_surface(vertices, one[None]), found.near.places).distance
        for one in triangles
    ]
    distances = np.stack(each, axis=1)
    for i, near in enumerate(found.near.rows):
        listed = surface.triangle[near[near >= 0]]
        assert found.triangle[i] in listed
        assert len(set(listed)) == len(listed)
        assert found.near.others[i] <= np.delete(distances[i], listed).min() + 1e-12
    # It is worth something: where there was room, all that such a move can bring nearest is listed.
    searched = (found.near.places == points).all(axis=1)
    room = searched & (found.near.rows < 0).any(axis=1)
    assert (found.near.others >= found.distance + 2 * moved)[room].all()
    assert searched.any()
    assert room.any() or moved > 1000


def test_the_number_of_threads_does_not_matter():
    vertices, triangles = bumpy_sphere(2)
    surface = index_surface(vertices, triangles)
    points = np.random.default_rng(5).normal(size=(3000, 3)) * 70
    with torch_threads(1):
        one = closest_points(surface, points)
    with torch_threads(3):
        two = closest_points(surface, points)
    np.testing.assert_array_equal(one.points, two.points)
    np.testing.assert_array_equal(one.triangle, two.triangle)


def test_no_points_and_bad_meshes():
    vertices, triangles = bumpy_sphere(1)
    assert len(closest_points(index_surface(vertices, triangles), np.zeros((0, 3))).distance) == 0
    with pytest.raises(InputError, match="no surface"):
        index_surface(vertices, np.zeros((0, 3), dtype=np.int64))
    vertices[3, 1] = np.nan
    with pytest.raises(InputError, match="finite"):
        index_surface(vertices, triangles)
