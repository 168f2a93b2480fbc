"""Topology and normals, on meshes small enough to know by heart."""

import pytest
import torch

from fit3dmm.geometry.mesh import build_topology, triangle_normals, vertex_normals
from fit3dmm.geometry.rotation import rotation_matrix
from tests.toy import toy_model

TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
CORNERS = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])


def test_a_closed_mesh_has_two_triangles_at_every_edge() -> None:
    topology = build_topology(TETRAHEDRON, 4)
    assert topology.edges.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    assert (topology.edge_triangles >= 0).all()
    for edge, pair in zip(topology.edges.tolist(), topology.edge_triangles.tolist(), strict=True):
        for triangle in pair:
            assert set(edge) < set(TETRAHEDRON[triangle].tolist())


def test_a_border_edge_has_one() -> None:
    topology = build_topology(TETRAHEDRON[:2], 4)
    border = topology.edge_triangles[:, 1] < 0
    assert int(border.sum()) == 4
    assert topology.edges[~border].tolist() == [[0, 1]]


def test_euler_characteristic_of_a_sphere() -> None:
    surface = toy_model(level=1).surface
    topology = build_topology(surface.triangles, surface.n_vertices)
    assert surface.n_vertices - len(topology.edges) + len(surface.triangles) == 2


def test_indices_beyond_the_vertices_are_refused() -> None:
    with pytest.raises(ValueError, match=r"index 0\.\.2, got 0\.\.3"):
        build_topology(TETRAHEDRON, 3)


def test_an_empty_mesh_has_no_edges() -> None:
    topology = build_topology(torch.zeros(0, 3, dtype=torch.int64), 4)
    assert topology.edges.shape == (0, 2)
    assert vertex_normals(CORNERS, topology).abs().sum() == 0


def test_normals_point_outwards() -> None:
    outward = triangle_normals(CORNERS, TETRAHEDRON)
    centres = CORNERS[TETRAHEDRON].mean(1) - CORNERS.mean(0)
    assert ((outward * centres).sum(-1) > 0).all()
    torch.testing.assert_close(outward.sum(0), torch.zeros(3))


def test_vertex_normals_turn_with_the_mesh_and_ignore_shifts() -> None:
    model = toy_model(level=1)
    points = model.shape_mm(model.zeros()).double()
    topology = model.surface.topology
    turn = rotation_matrix(torch.tensor([0.3, -0.8, 0.2], dtype=torch.float64))
    normals = vertex_normals(points, topology)
    # Rounding of sums of areas of some hundred mm^2.
    torch.testing.assert_close(vertex_normals(points @ turn.T + 50, topology), normals @ turn.T)
    assert ((normals * points).sum(-1) > 0).all()


def test_a_batch_of_normals_is_as_many_normals() -> None:
    topology = build_topology(TETRAHEDRON, 4)
    both = torch.stack([CORNERS, 2 * CORNERS + 1])
    normals = vertex_normals(both, topology)
    torch.testing.assert_close(normals[0], vertex_normals(both[0], topology))
    torch.testing.assert_close(normals[1], normals[0])


def test_gradient() -> None:
    topology = build_topology(TETRAHEDRON, 4)
    points = CORNERS.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: vertex_normals(p, topology), (points,))
