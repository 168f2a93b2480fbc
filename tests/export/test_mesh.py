"""OBJ files are read by an independent loader and mean what their headers say."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from fit3dmm import InputError
from fit3dmm.export.mesh import neutral_mesh, posed_mesh, write_material, write_textured_obj
from tests.export.faces import known_face


def loaded(path: Path) -> trimesh.Trimesh:
    mesh = trimesh.load(path, process=False)
    assert isinstance(mesh, trimesh.Trimesh)
    return mesh


def test_the_neutral_mesh_is_identity_alone(tmp_path):
    known = known_face()
    mesh = neutral_mesh(known.model, known.scene)
    rest = known.model.shape_mm(known.scene.coefficients.neutral()).numpy()
    write_textured_obj(mesh, tmp_path / "neutral.obj")
    lines = (tmp_path / "neutral.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    # Four digits after the point are written.
    np.testing.assert_allclose(vertices, rest, atol=6e-5)
    faces = [line for line in lines if line.startswith("f ")]
    assert len(faces) == len(known.model.surface.triangles)
    assert lines[0].startswith("# fit3dmm: mm; model")


def test_the_camera_matrix_projects_the_posed_mesh_onto_the_photo(tmp_path):
    known = known_face()
    write_textured_obj(posed_mesh(known.model, known.scene), tmp_path / "posed.obj")
    lines = (tmp_path / "posed.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    K = known.scene.camera.opencv_matrix().numpy()
    homogeneous = vertices @ K.T
    px = homogeneous[:, :2] / homogeneous[:, 2:]
    cam = known.scene.pose.T_cam_model @ known.model.shape_mm(known.scene.coefficients)
    # 0.0001 mm at 700 mm is less than a thousandth of a pixel; float32 adds about as much.
    np.testing.assert_allclose(px, known.scene.camera.project(cam).numpy(), atol=2e-3)


def test_texture_coordinates_material_and_orientation_arrive(tmp_path):
    known = known_face()
    mesh = neutral_mesh(known.model, known.scene)
    write_textured_obj(mesh, tmp_path / "a.obj", "face.mtl")
    write_material(tmp_path / "face.mtl", "texture.png")
    seen = loaded(tmp_path / "a.obj")
    assert len(seen.faces) == len(mesh.triangles)
    np.testing.assert_allclose(seen.triangles, mesh.vertices_mm[mesh.triangles], atol=1e-4)
    np.testing.assert_allclose(
        np.asarray(seen.visual.uv)[seen.faces], mesh.uv[mesh.uv_triangles], atol=1e-6
    )
    # Counter-clockwise from outside: a closed head has a positive volume, in either frame.
    assert seen.volume > 1e6
    write_textured_obj(posed_mesh(known.model, known.scene), tmp_path / "b.obj")
    assert loaded(tmp_path / "b.obj").volume > 1e6


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    known = known_face()
    with pytest.raises(InputError, match="Can't write"):
        write_textured_obj(neutral_mesh(known.model, known.scene), tmp_path / "file" / "a.obj")
