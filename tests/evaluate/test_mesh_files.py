import numpy as np
import pytest
import trimesh

from fit3dmm._errors import InputError
from fit3dmm.evaluate.mesh_files import (
    find_mesh,
    read_array,
    read_mesh,
    read_mesh_once,
)
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.triangle_mesh import Mesh


@pytest.fixture
def ball():
    made = trimesh.creation.icosphere(subdivisions=2, radius=50.0)
    return Mesh(np.asarray(made.vertices), np.asarray(made.faces, dtype=np.int64))


def assert_equal(a: Mesh, b: Mesh, atol=0.0):
    np.testing.assert_allclose(a.vertices, b.vertices, atol=atol)
    np.testing.assert_array_equal(a.triangles, b.triangles)


def test_obj_round_trip_keeps_the_order(ball, tmp_path):
    write_obj(tmp_path / "deep" / "ball.obj", ball)
    assert_equal(read_mesh(tmp_path / "deep" / "ball.obj"), ball, atol=5e-7)  # six decimals


def test_obj_as_others_write_it(tmp_path):
    path = tmp_path / "mesh.obj"
    path.write_bytes(
        b"# made elsewhere\r\nmtllib x.mtl\r\no thing\r\n"
        b"v 0 0 0 0.5 0.5 0.5\r\nv 1 0 0 1 0 0\r\nv 1 1 0 0 0 0\r\nv 0 1 0 0 0 0\r\n"
        b"vt 0 0\r\nvn 0 0 1\r\nusemtl m\r\ns off\r\n"
        b"f 1/1/1 2/1/1 \\\r\n 3/1/1 4/1/1\r\nf -4//1 -3//1 -2//1 # the last ones\r\n"
    )
    mesh = read_mesh(path)
    np.testing.assert_array_equal(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]])
    assert {tuple(t) for t in mesh.triangles} == {(0, 1, 2), (0, 2, 3)}
    assert len(mesh.triangles) == 3


def test_ply_in_text_and_binary_agrees_with_its_writer(ball, tmp_path):
    made = trimesh.Trimesh(ball.vertices, ball.triangles, process=False)
    for encoding in ("ascii", "binary"):
        path = tmp_path / f"{encoding}.ply"
        path.write_bytes(trimesh.exchange.ply.export_ply(made, encoding=encoding))
        assert_equal(read_mesh(path), ball, atol=1e-5)  # PLY coordinates are single precision


def test_npz_and_npy_with_shared_triangles(ball, tmp_path):
    np.savez(tmp_path / "a.npz", vertices=ball.vertices, triangles=ball.triangles)
    assert_equal(read_mesh(tmp_path / "a.npz"), ball)
    (tmp_path / "s" / "c").mkdir(parents=True)
    np.save(tmp_path / "s" / "c" / "b.npy", ball.vertices.astype(np.float32))
    with pytest.raises(InputError, match=r"triangles\.npy"):
        read_mesh(tmp_path / "s" / "c" / "b.npy")
    np.save(tmp_path / "triangles.npy", ball.triangles)
    assert_equal(read_mesh(tmp_path / "s" / "c" / "b.npy"), ball, atol=1e-5)


def test_vrml(tmp_path):
    (tmp_path / "a.wrl").write_text(
        "#VRML V2.0\nShape { geometry IndexedFaceSet {"
        " texCoord TextureCoordinate { point [ 0 0, 1 1 ] }"
        " coord Coordinate { point [ 0 0 0,\n 1 0 0,"
        " 1 1 0, 0 1 0 ] } coordIndex [ 0, 1, 2, -1, 0, 2, 3, -1 ] texCoordIndex [ 0 1 ] } }"
    )
    mesh = read_mesh(tmp_path / "a.wrl")
    assert len(mesh.vertices) == 4
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 2], [0, 2, 3]])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.obj", b"", "no vertex"),
        ("a.obj", b"v 1 2\nf 1 1 1\n", "fewer than three"),
        ("a.obj", b"v 1 2 3\nv 1 2\n", "unequal"),
        ("a.obj", b"v 1 2 nan\n", "not finite"),
        ("a.obj", b"v 1 2 x\n", "export it again"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 4\n", "index base"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 2.5\n", "export it again"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 0 1 2\n", "count from 1"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 three\n", "text where a number"),
        ("a.ply", b"ply\nformat binary_little_endian 1.0\nelement vertex 9\n", "export it again"),
        ("a.ply", b"not a ply", "export it again"),
        ("a.npz", b"PK", "export it again"),
        ("a.wrl", b"#VRML", "export it again"),
        ("a.wrl", 2 * b"Coordinate { point [ 0 0 0 ] } coordIndex [ 0 0 0 ]", "got 2 and 2"),
        ("a.wrl", b"Coordinate { point [ 0 0 0 ] } coordIndex [ 0 0 -2 ]", "negative"),
        ("a.stl", b"solid", "convert it"),
    ],
)
def test_damaged_files_get_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        read_mesh(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"x": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="plain NPY"):
        read_array(tmp_path / "a.npy", (None, 3))
    np.savez(tmp_path / "b.npz", vertices=np.array([None]), triangles=np.zeros((1, 3)))
    with pytest.raises(InputError, match="export it again"):
        read_mesh(tmp_path / "b.npz")


def test_missing_files_and_odd_names(tmp_path, ball):
    with pytest.raises(InputError, match="no mesh"):
        read_mesh(tmp_path / "gone.obj")
    write_obj(tmp_path / "frame_1.5.obj", ball)
    assert find_mesh(tmp_path / "frame_1.5") == tmp_path / "frame_1.5.obj"
    assert find_mesh(tmp_path / "frame_1") is None


def test_a_remembered_mesh_is_read_again_when_its_file_changes(tmp_path, ball):
    path = tmp_path / "scan.obj"
    write_obj(path, ball)
    assert read_mesh_once(path) is read_mesh_once(path)
    write_obj(path, Mesh(ball.vertices[:30] * 2, np.array([[0, 1, 2]])))
    assert len(read_mesh_once(path).vertices) == 30


def test_arrays_of_the_wrong_shape_get_a_sentence(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 7, 3)))
    assert read_array(tmp_path / "a.npy", (7, 3)).shape == (7, 3)
    with pytest.raises(InputError, match="68 x 2 numbers"):
        read_array(tmp_path / "a.npy", (68, 2))
