"""Registration: known warps are found again; nearest points agree with brute force."""

import numpy as np
import scipy.sparse as sp

from fit3dmm.geometry.nearest import NearestSurface, closest_in_triangles
from fit3dmm.geometry.registration import register
from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from tests.toy import toy_stored


def test_the_nearest_point_of_a_triangle_by_hand():
    corners = np.array([[[0.0, 0, 0], [2, 0, 0], [0, 2, 0]]] * 4)
    points = np.array([[0.5, 0.5, 3], [1, -1, 0], [3, 3, 0], [-1, -1, 1.0]])
    expected = [[0.5, 0.25, 0.25], [0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0]]
    np.testing.assert_allclose(closest_in_triangles(points, corners), expected, atol=1e-12)


def test_no_sampled_point_of_a_triangle_is_nearer():
    rng = np.random.default_rng(0)
    corners, points = rng.normal(size=(200, 3, 3)), 2 * rng.normal(size=(200, 3))
    weights = closest_in_triangles(points, corners)
    assert weights.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    found = np.linalg.norm(np.einsum("tc,tcx->tx", weights, corners) - points, axis=1)
    trials = rng.dirichlet([0.5] * 3, size=(200, 400))
    sampled = np.einsum("tkc,tcx->tkx", trials, corners)
    assert (found <= np.linalg.norm(sampled - points[:, None], axis=2).min(axis=1) + 1e-12).all()


def test_the_quick_search_finds_what_trying_every_triangle_finds():
    stored = toy_stored()
    triangles = quads_to_triangles(stored.base_faces)
    rng = np.random.default_rng(1)
    near = stored.mean_mm[rng.integers(len(stored.mean_mm), size=300)]
    points = near + 10 * rng.normal(size=near.shape)
    found = NearestSurface(stored.mean_mm, triangles).closest(points)
    corners = np.broadcast_to(stored.mean_mm[triangles], (300, len(triangles), 3, 3))
    weights = closest_in_triangles(points[:, None], corners)
    places = np.einsum("ptc,ptcx->ptx", weights, corners)
    nearest = np.linalg.norm(places - points[:, None], axis=2).min(axis=1)
    # The same formula on the same triangles.
    np.testing.assert_allclose(found.distance_mm, nearest, rtol=1e-12)
    apart = np.linalg.norm(found.points_mm - points, axis=1)
    np.testing.assert_allclose(found.distance_mm, apart, rtol=1e-9)


def test_matches_keep_to_their_part_their_side_and_off_the_border():
    # Two parallel squares, the upper one looking down; a point between them looks up.
    square = np.array([[0.0, 0, 0], [4, 0, 0], [4, 4, 0], [0, 4, 0]])
    vertices = np.concatenate([square, square + np.array([0, 0, 1])])
    triangles = np.array([[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6]])
    surface = NearestSurface(vertices, triangles, np.array([0, 0, 0, 0]))
    query, up = np.array([[1.0, 2, 0.9]]), np.array([[0.0, 0, 1]])
    assert surface.closest(query).points_mm[0, 2] == 1
    assert surface.closest(query, up).points_mm[0, 2] == 0
    assert not surface.closest(query, up).at_border[0]
    assert surface.closest(np.array([[5.0, 2, 0]]), up).at_border[0]
    parts = NearestSurface(vertices, triangles, np.array([0, 0, 1, 1]))
    assert parts.closest(query, None, np.array([0])).points_mm[0, 2] == 0
    assert np.isinf(parts.closest(query, None, np.array([7])).distance_mm[0])


def anchors_of(stored, triangles) -> sp.csr_matrix:
    points = stored.landmarks["ibug68"]
    rows = np.repeat(np.arange(68), 3)
    columns = triangles[points.triangle].ravel()
    return sp.csr_matrix((points.barycentric.ravel(), (rows, columns)), (68, len(stored.mean_mm)))


def test_a_smooth_warp_and_a_similarity_are_found_again():
    template, target = toy_stored(cells=8), toy_stored(cells=14)
    triangles = [quads_to_triangles(stored.base_faces) for stored in (template, target)]

    def warp(points: np.ndarray) -> np.ndarray:
        bent = points + 5 * np.sin(points[:, [1, 2, 0]] / 60)
        return 1.1 * bent[:, [0, 1, 2]] + [10, -20, 30]

    places = anchors_of(template, triangles[0]) @ template.mean_mm
    found = register(
        template.mean_mm,
        triangles[0],
        np.zeros(len(template.mean_mm), dtype=np.int64),
        NearestSurface(warp(target.mean_mm), triangles[1]),
        anchors_of(template, triangles[0]),
        warp(places),
    )
    # What stiffness is left at the end holds the coarse template 0.2 mm off its 200 mm target;
    assert np.mean(found.distance_mm) < 0.4
    # and where anchors hold it (the front) it does not slide along the surface either.
    front = template.mean_mm[:, 2] > 50
    apart = np.linalg.norm(found.vertices_mm - warp(template.mean_mm), axis=1)
    assert np.median(apart[front]) < 1.0


def test_parts_that_are_not_matched_follow_their_neighbours():
    stored = toy_stored()
    triangles = quads_to_triangles(stored.base_faces)
    part = np.where(stored.mean_mm[:, 2] < -40, -1, 0)
    target = NearestSurface(stored.mean_mm + np.array([0, 0, 25.0]), triangles)
    found = register(
        stored.mean_mm,
        triangles,
        part,
        target,
        anchors_of(stored, triangles),
        anchors_of(stored, triangles) @ stored.mean_mm + [0, 0, 25.0],
    )
    moved = found.vertices_mm - stored.mean_mm
    np.testing.assert_allclose(moved[part < 0], [[0, 0, 25.0]] * (part < 0).sum(), atol=0.5)


def test_normals_of_a_sphere_point_outwards():
    stored = toy_stored(cells=16)
    ball = stored.mean_mm / np.linalg.norm(stored.mean_mm, axis=1, keepdims=True)
    normals = vertex_normals(Mesh(ball, quads_to_triangles(stored.base_faces)))
    # A sphere of 1,538 vertices is smooth to two degrees.
    assert np.sum(normals * ball, axis=1).min() > np.cos(np.radians(2.5))
