"""Catmull-Clark: limit cases worked by hand, and what rides on it."""

import numpy as np
import pytest

from fit3dmm.geometry.subdivision import (
    composed_operator,
    quads_to_triangles,
    refine,
    refine_levels,
    refine_points,
    refine_vertex_map,
)

CUBE = np.array(
    [[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]]
)
CUBE_CORNERS = np.array(
    [
        [-1, -1, -1],
        [1, -1, -1],
        [1, 1, -1],
        [-1, 1, -1],
        [-1, -1, 1],
        [1, -1, 1],
        [1, 1, 1],
        [-1, 1, 1],
    ],
    dtype=float,
)


def grid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """(n+1)^2 vertices at integer positions in the plane z = 0, n^2 quads."""
    y, x = np.mgrid[0 : n + 1, 0 : n + 1]
    vertices = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1).astype(float)
    corner = (np.arange(n)[:, None] * (n + 1) + np.arange(n)).ravel()
    return vertices, np.stack([corner, corner + 1, corner + n + 2, corner + n + 1], axis=1)


def test_one_step_on_a_cube_by_hand():
    step = refine(CUBE, 8)
    finer = step.operator @ CUBE_CORNERS
    assert finer.shape == (8 + 12 + 6, 3)
    # Valence 3: (F + 2 E + 0 V) / 3 with F = corner / 3 and E = 2 corner / 3, so 5/9 of the corner.
    np.testing.assert_allclose(finer[:8], CUBE_CORNERS * 5 / 9, atol=1e-12)
    # An edge point is the mean of two ends and two face centres: 3/4 out along two axes.
    np.testing.assert_allclose(np.sort(np.abs(finer[8:20]), axis=1)[:, 1:], 0.75, atol=1e-12)
    np.testing.assert_allclose(np.abs(finer[20:]).sum(axis=1), 1.0, atol=1e-12)


def test_a_plane_stays_a_plane_and_the_border_curve_stays_a_line():
    vertices, quads = grid(4)
    operator = composed_operator(refine_levels(quads, len(vertices), 2), len(vertices))
    finer = operator @ vertices
    assert np.abs(finer[:, 2]).max() == 0
    assert finer[:, :2].min() >= 0
    assert finer[:, :2].max() <= 4
    # Interior regular vertices of a uniform grid do not move.
    np.testing.assert_allclose(finer[12], vertices[12], atol=1e-12)


def test_rows_sum_to_one():
    for quads, n in ((CUBE, 8), (grid(3)[1], 16)):
        operator = composed_operator(refine_levels(quads, n, 2), n)
        np.testing.assert_allclose(np.asarray(operator.sum(axis=1)).ravel(), 1, atol=1e-12)


def test_a_subdivided_cube_converges_to_its_limit_point():
    # The limit of a vertex of valence n is (n^2 V + 4 sum E + sum F) / (n (n + 5)).
    limit = (9 * CUBE_CORNERS[6] + 4 * np.array([3, 3, 3]) * 0.75 * 0 + 0) / 24
    corner = CUBE_CORNERS[6]
    neighbours = CUBE_CORNERS[[2, 5, 7]].sum(axis=0)
    diagonals = CUBE_CORNERS[[1, 3, 4]].sum(axis=0)
    limit = (9 * corner + 4 * neighbours + diagonals) / 24
    steps = refine_levels(CUBE, 8, 6)
    np.testing.assert_allclose((composed_operator(steps, 8) @ CUBE_CORNERS)[6], limit, atol=1e-3)


def test_unused_vertices_stay():
    step = refine(CUBE, 9)
    vertices = np.vstack([CUBE_CORNERS, [[7.0, 8.0, 9.0]]])
    np.testing.assert_array_equal((step.operator @ vertices)[8], [7, 8, 9])


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_points_keep_their_place_on_a_flat_grid(levels):
    vertices, quads = grid(5)
    rng = np.random.default_rng(0)
    # Interior quads only: there a bilinear step and the smooth one agree on a flat grid.
    inner = np.flatnonzero(
        (vertices[quads].min((1, 2)) >= 0) & (vertices[quads, :2].min((1, 2)) > 0)
    )
    triangle = 2 * rng.choice(inner, 50) + rng.integers(0, 2, 50)
    barycentric = rng.dirichlet([1, 1, 1], 50)
    triangles = quads_to_triangles(quads)
    before = np.einsum("nkc,nk->nc", vertices[triangles[triangle]], barycentric)
    steps = refine_levels(quads, len(vertices), levels, smooth=False)
    finer = composed_operator(steps, len(vertices)) @ vertices
    fine_triangle, fine_barycentric = refine_points(triangle, barycentric, len(quads), levels)
    corners = finer[quads_to_triangles(steps[-1].quads)[fine_triangle]]
    np.testing.assert_allclose(
        np.einsum("nkc,nk->nc", corners, fine_barycentric), before, atol=1e-12
    )
    assert fine_barycentric.min() >= -1e-12
    np.testing.assert_allclose(fine_barycentric.sum(axis=1), 1, atol=1e-12)


def test_a_mirror_map_rides_along():
    vertices, quads = grid(4)
    mirrored = vertices * [-1, 1, 1] + [4, 0, 0]
    mirror = np.array([np.flatnonzero((vertices == row).all(axis=1))[0] for row in mirrored])
    for step in refine_levels(quads, len(vertices), 2):
        mirror = refine_vertex_map(mirror, step)
        vertices = step.operator @ vertices
        np.testing.assert_allclose(vertices[mirror], vertices * [-1, 1, 1] + [4, 0, 0], atol=1e-12)


def test_a_map_that_breaks_the_mesh_is_refused():
    step = refine(CUBE, 8)
    broken = np.arange(8)
    broken[[0, 1]] = [1, 0]
    with pytest.raises(ValueError, match="respect the mesh"):
        refine_vertex_map(broken, step)
