import numpy as np
import pytest
import torch
import trimesh

from fit3dmm._errors import InputError
from fit3dmm.evaluate import refine
from fit3dmm.evaluate.refine import refine_alignment
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.closest_point import closest_points, index_surface
from fit3dmm.geometry.rotation import rotation_from_angles
from fit3dmm.geometry.transform import Similarity

IDENTITY = Similarity.identity(dtype=torch.float64)


@pytest.fixture(scope="module")
def egg():
    """A closed surface without any symmetry, so that one alignment only is right."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
    v = np.asarray(ball.vertices)
    x, y, z = v.T
    bumps = 1 + 0.15 * x * y + 0.1 * np.sin(3 * z + x) + 0.2 * y**3
    return v * bumps[:, None] * [60, 90, 70], np.asarray(ball.faces, dtype=np.int64)


def turned(angle_rad, scale, shift):
    rotation = rotation_from_angles(np.degrees(angle_rad), 0.0, np.degrees(angle_rad))
    shift = torch.tensor(shift, dtype=torch.float64)
    return Similarity(torch.from_numpy(rotation), shift, torch.tensor(scale, dtype=torch.float64))


@pytest.mark.parametrize("with_scale", [True, False])
def test_finds_a_known_alignment(egg, with_scale):
    vertices, triangles = egg
    true = turned(0.7, 2.5 if with_scale else 1.0, [40.0, -10.0, 300.0])
    points = true @ vertices[triangles[::7]].mean(axis=1)
    start = true @ turned(0.06, 1.05 if with_scale else 1.0, [2.0, 1.0, -2.0])
    result = refine_alignment(
        index_surface(vertices, triangles), points, start, with_scale=with_scale
    )
    assert result.converged
    # The points lie on the surface: what is left is rounding and the last step.
    assert result.distance.max() < 1e-6
    assert float(result.T_scan_mesh.scale) == pytest.approx(float(true.scale), rel=1e-8)
    np.testing.assert_allclose(result.T_scan_mesh.rotation, true.rotation, atol=1e-8)


def test_ends_where_icp_ends(egg):
    """On noisy points: the fixed point of closest point and Umeyama, which is slow but simple."""
    vertices, triangles = egg
    rng = np.random.default_rng(0)
    true = turned(0.3, 1.4, [5.0, 6.0, 7.0])
    points = true @ vertices[::3] + 2.0 * rng.normal(size=(len(vertices[::3]), 3))
    surface = index_surface(vertices, triangles)
    icp = true
    for _ in range(300):
        icp = solve_similarity(closest_points(surface, icp.inverse() @ points).points, points)
    ours = refine_alignment(surface, points, true)
    theirs = closest_points(surface, icp.inverse() @ points).distance * float(icp.scale)
    # Both stop a little short of the minimum: ICP creeps, and we stop at steps below 1e-8.
    assert (ours.distance**2).sum() == pytest.approx((theirs**2).sum(), rel=1e-5)
    assert ours.steps < 30


def test_a_dense_scan_ends_where_all_its_points_say(egg):
    """Starting from a part of the points must not show in the result."""
    vertices, triangles = egg
    rng = np.random.default_rng(1)
    corners = vertices[triangles[rng.integers(len(triangles), size=12_000)]]
    points = np.einsum("pkc,pk->pc", corners, rng.dirichlet(np.ones(3), size=12_000)) * 1.1
    points = points + rng.normal(size=points.shape)
    surface = index_surface(vertices, triangles)
    dense = refine_alignment(surface, points, turned(0.05, 1.0, [3.0, 0.0, 1.0]))
    again = refine_alignment(surface, points, dense.T_scan_mesh)
    assert (dense.distance**2).sum() == pytest.approx((again.distance**2).sum(), rel=1e-7)
    assert float(dense.T_scan_mesh.scale) == pytest.approx(1.1, rel=2e-3)  # the noise of 1 mm
    assert dense.steps <= 8


def test_the_unit_of_the_mesh_does_not_matter(egg):
    vertices, triangles = egg
    points = vertices[::5] * 1.02 + 0.5
    in_mm = refine_alignment(
        index_surface(vertices, triangles), points, turned(0.0, 1.0, [0.0, 0.0, 0.0])
    )
    in_m = refine_alignment(
        index_surface(vertices / 1000, triangles),
        points,
        turned(0.0, 1000.0, [0.0, 0.0, 0.0]),
    )
    np.testing.assert_allclose(in_mm.distance, in_m.distance, atol=1e-6)


def test_a_hopeless_start_ends_with_a_sentence(egg):
    """From far off, the squares are least where the whole mesh is one point among the scan's."""
    vertices, triangles = egg
    surface = index_surface(1e-4 * vertices + 5000.0, triangles)
    with pytest.raises(InputError, match="shrunk to a point"):
        refine_alignment(surface, vertices, IDENTITY)


def test_a_wild_start_takes_a_bounded_number_of_steps(egg, monkeypatch):
    vertices, triangles = egg
    calls = []

    def counted(*args):
        calls.append(args)
        return closest_points(*args)

    monkeypatch.setattr(refine, "closest_points", counted)
    upside_down = index_surface(vertices * [1, -1, -1] + 300.0, triangles)
    refine_alignment(upside_down, vertices, IDENTITY, with_scale=False, max_steps=10)
    assert len(calls) <= 1 + 3 * 10 + 12
