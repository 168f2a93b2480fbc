import numpy as np
import pytest

from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.synthetic.parts import ball
from fit3dmm.synthetic.tracer import first_hits, light_received


@pytest.fixture(scope="module")
def lump():
    """A ball with dents, so that rays meet it several times."""
    mesh = ball(np.zeros(3), np.array([1.0, 1.3, 0.8]), 12)
    bent = mesh.vertices * (1 + 0.3 * np.sin(7 * mesh.vertices[:, :1]))
    return bent, mesh.triangles


def plane_by_plane(vertices, triangles, origin, direction):
    """Every triangle in turn: intersect its plane, then ask on which side of each edge."""
    best = (np.inf, -1)
    for row, (a, b, c) in enumerate(vertices[triangles]):
        normal = np.cross(b - a, c - a)
        if abs(normal @ direction) < 1e-14:
            continue
        t = (a - origin) @ normal / (direction @ normal)
        place = origin + t * direction
        sides = [np.cross(q - p, place - p) @ normal for p, q in ((a, b), (b, c), (c, a))]
        if 0 < t < best[0] and min(sides) >= 0:
            best = (t, row)
    return best


def test_first_hits_are_those_of_a_plain_loop(lump):
    vertices, triangles = lump
    generator = np.random.default_rng(1)
    origin = np.array([0.3, -0.2, 3.0])
    directions = np.column_stack([generator.uniform(-0.6, 0.6, (60, 2)), -np.ones(60)])
    hits = first_hits(index_surface(vertices, triangles), origin, directions)
    expected = [plane_by_plane(vertices, triangles, origin, d) for d in directions]
    assert 10 < sum(row >= 0 for _, row in expected) < 60
    np.testing.assert_array_equal(hits.triangle, [row for _, row in expected])
    # Two formulas in float64.
    np.testing.assert_allclose(hits.distance, [t for t, _ in expected], rtol=1e-10)
    met = hits.triangle >= 0
    corners = vertices[triangles[hits.triangle[met]]]
    places = np.einsum("rk,rkc->rc", hits.barycentric[met], corners)
    np.testing.assert_allclose(
        places, origin + hits.distance[met, None] * directions[met], atol=1e-10
    )


def test_a_ray_that_is_parallel_to_an_axis_is_no_special_case():
    mesh = ball(np.zeros(3), np.ones(3), 24)
    surface = index_surface(mesh.vertices, mesh.triangles)
    for axis in range(3):
        direction = np.zeros((1, 3))
        direction[0, axis] = 1.0
        origin = -3 * direction[0] + [1e-3, 2e-3, 3e-3]
        # The ball's flat facets lie up to a hundredth inside it.
        assert abs(first_hits(surface, origin, direction).distance[0] - 2) < 0.02


def test_a_wall_takes_away_just_the_lamps_behind_it():
    wall = np.array([[0.5, -9, -9], [0.5, 9, -9], [0.5, 9, 9], [0.5, -9, 9]], dtype=float)
    surface = index_surface(wall, np.array([[0, 1, 2], [0, 2, 3]]))
    towards = np.array([[0.6, 0, 0.8], [-0.6, 0, 0.8], [0, 0, -1.0]])
    power = np.array([[1.0, 10], [2.0, 20], [5.0, 50]])
    seen, everything = light_received(
        surface, np.zeros((1, 3)), np.array([[0.0, 0, 1]]), towards, power
    )
    # The lamp below the horizon counts neither way.
    np.testing.assert_allclose(seen, [[1.6, 16.0]], rtol=1e-12)
    np.testing.assert_allclose(everything, [[2.4, 24.0]], rtol=1e-12)
