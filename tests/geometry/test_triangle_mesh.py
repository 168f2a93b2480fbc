import numpy as np
import trimesh

from fit3dmm.geometry.triangle_mesh import Mesh, crop_to_sphere, triangle_normals, vertex_normals


def ball(radius=50.0):
    made = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces, dtype=np.int64))


def test_normals_of_a_ball_point_outwards():
    mesh = ball()
    outward = mesh.vertices / 50.0
    assert (vertex_normals(mesh) * outward).sum(axis=1).min() > 0.999
    centres = mesh.vertices[mesh.triangles].mean(axis=1)
    normals = triangle_normals(mesh)
    assert (normals * centres).sum(axis=1).min() > 0
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1)


def test_normals_without_area_are_zero():
    mesh = Mesh(np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [9, 9, 9]]), np.array([[0, 1, 2]]))
    assert not triangle_normals(mesh).any()
    assert not vertex_normals(mesh).any()


def test_a_crop_keeps_what_is_inside_and_its_triangles():
    mesh = ball()
    part, kept = crop_to_sphere(mesh, np.array([0.0, 0, 50]), 40.0)
    inside = np.linalg.norm(mesh.vertices - [0, 0, 50], axis=1) <= 40
    np.testing.assert_array_equal(kept, np.flatnonzero(inside))
    np.testing.assert_array_equal(part.vertices, mesh.vertices[kept])
    whole = mesh.triangles[inside[mesh.triangles].all(axis=1)]
    np.testing.assert_array_equal(kept[part.triangles], whole)
