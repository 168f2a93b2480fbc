"""OBJ and PLY as others write them: right, or refused with a sentence, never silently wrong."""

import struct

import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.geometry.obj_files import ObjTexture, read_obj, read_obj_vertices, write_obj
from fit3dmm.geometry.ply_files import read_ply
from fit3dmm.geometry.triangle_mesh import Mesh

SQUARES = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]]
# A square, a triangle and a triangle: the second square's corners in two pieces.
POLYGONS = [[0, 1, 2, 3], [1, 4, 5], [1, 5, 2]]
TRIANGLES = [[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]]


def vertex_lines():
    return "".join(f"v {x} {y} {z}\n" for x, y, z in SQUARES)


def test_obj_with_faces_between_its_vertices_and_negative_indices(tmp_path):
    path = tmp_path / "a.obj"
    lines = vertex_lines().splitlines(keepends=True)
    path.write_text(
        "".join(lines[:4]) + "vt 0 0\nvt 1 0\nf -4/-2 -3/-1 -2/1 -1/2\n" + "".join(lines[4:])
        + "vt 0 1\nf 2/-1 -2/3 -1/1\nf -5 -1 3\n"
    )  # fmt: skip
    mesh = read_obj(path)
    np.testing.assert_array_equal(mesh.vertices, SQUARES)
    np.testing.assert_array_equal(mesh.triangles(), TRIANGLES)
    np.testing.assert_array_equal(mesh.uv_corners, [0, 1, 0, 1, 2, 2, 0, -1, -1, -1])


def test_vertices_alone_are_those_of_the_whole_file(tmp_path):
    path = tmp_path / "a.obj"
    lines = vertex_lines().splitlines(keepends=True)
    path.write_text(lines[0] + "v 1 0 \\\n 0\r\n" + "".join(lines[2:]) + "f 1 2 3\nvn 0 0 1\n")
    np.testing.assert_array_equal(read_obj_vertices(path), SQUARES)
    np.testing.assert_array_equal(read_obj_vertices(path), read_obj(path).vertices)
    path.write_text("f 1 2 3\n")
    with pytest.raises(InputError, match="it has no vertex"):
        read_obj_vertices(path)
    with pytest.raises(InputError, match="There is no mesh"):
        read_obj_vertices(tmp_path / "b.obj")


def test_obj_of_an_editor_that_marks_its_files(tmp_path):
    # Without care for the mark the first vertex is lost, and all others move up.
    (tmp_path / "a.obj").write_bytes(b"\xef\xbb\xbf" + vertex_lines().encode() + b"f 1 2 3 4\n")
    np.testing.assert_array_equal(read_obj(tmp_path / "a.obj").vertices, SQUARES)
    (tmp_path / "a.obj").write_text(vertex_lines(), encoding="utf-16")
    with pytest.raises(InputError, match="UTF-16"):
        read_obj(tmp_path / "a.obj")


def test_obj_groups_and_faces(tmp_path):
    (tmp_path / "a.obj").write_text(
        vertex_lines() + "f 1 2 3 4\ng right side\nf 2 5 6\nf 2 6 3\ng\n"
    )
    mesh = read_obj(tmp_path / "a.obj")
    assert mesh.groups.tolist() == ["", "right side", "right side"]
    np.testing.assert_array_equal(mesh.faces()[0], [[0, 1, 2, 3], [1, 4, 5, -1], [1, 5, 2, -1]])
    assert (mesh.faces()[1] == -1).all()
    with pytest.raises(ValueError, match="4 corners"):
        mesh.faces(most=3)


def test_obj_round_trip_with_a_texture(tmp_path):
    rng = np.random.default_rng(0)
    mesh = Mesh(rng.normal(size=(6, 3)) * 100, np.array(TRIANGLES))
    texture = ObjTexture(rng.random((5, 2)), np.array(TRIANGLES) % 5)
    write_obj(tmp_path / "a.obj", mesh, texture, comment="mm", decimals=4)
    read = read_obj(tmp_path / "a.obj")
    np.testing.assert_allclose(read.vertices, mesh.vertices, atol=5e-5)
    np.testing.assert_allclose(read.uv, texture.uv, atol=5e-7)
    np.testing.assert_array_equal(read.triangles(), mesh.triangles)
    np.testing.assert_array_equal(read.uv_corners.reshape(-1, 3), texture.triangles)
    assert (tmp_path / "a.obj").read_text().startswith("# mm\n")


@pytest.mark.parametrize(
    ("faces", "sentence"),
    [
        ("f 1/1 2/1 3/2\n", "number 2 of 1 texture points"),
        ("f 1 / 1 2 3\n", "slash without an index"),
        ("f 1 2 -7\n", "number -7 of 6 vertices"),
        ("f 1,2,3\n", "text where a number"),
        ("v 1,5 2,5 3,5\n", "text where a number"),
        ("v 1 2\nv 1 2 3 4\n", "unequal numbers"),
    ],
)
def test_obj_that_can_be_read_in_two_ways_is_refused(tmp_path, faces, sentence):
    (tmp_path / "a.obj").write_text(vertex_lines() + "vt 0 0\n" + faces)
    with pytest.raises(InputError, match=sentence):
        read_obj(tmp_path / "a.obj")


def ply(kind, faces, vertex_extra="", face_extra="", newline="\n", count=3):
    """Header of the squares."""
    lines = [
        *("ply", f"format {kind} 1.0", "comment made here", "element vertex 6"),
        *("property float x", "property float y", "property double z", *vertex_extra.split("|")),
        *(f"element {faces} {count}", "property list uchar int vertex_index"),
        *(*face_extra.split("|"), "end_header", ""),
    ]
    return newline.join(lines[:-1]).replace(newline * 2, newline).encode() + newline.encode()


def packed(order, pieces):
    return b"".join(struct.pack(order + kind, *values) for kind, *values in pieces)


@pytest.mark.parametrize(
    ("kind", "order"), [("binary_little_endian", "<"), ("binary_big_endian", ">")]
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_mixed_polygons_in_binary_ply(tmp_path, kind, order, newline):
    body = [("ffd", *point) for point in SQUARES]
    body += [(f"B{len(face)}i", len(face), *face) for face in POLYGONS]
    content = ply(kind, "face", newline=newline) + packed(order, body)
    (tmp_path / "a.ply").write_bytes(content)
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, SQUARES)
    np.testing.assert_array_equal(mesh.triangles, TRIANGLES)
    (tmp_path / "a.ply").write_bytes(content[:-1])
    with pytest.raises(InputError, match="export it again"):
        read_ply(tmp_path / "a.ply")
    (tmp_path / "a.ply").write_bytes(content + b"1234")
    with pytest.raises(InputError, match="more than its header says"):
        read_ply(tmp_path / "a.ply")


def test_wedges_change_neither_count_nor_order(tmp_path):
    """Corners of one vertex that have different texture coordinates stay one vertex."""
    rng = np.random.default_rng(1)
    extra = "property list uchar float texcoord|property uchar flag"
    body = [("ffd", *point) for point in SQUARES]
    for triangle in TRIANGLES:
        body.append(("B3iB6fB", 3, *triangle, 6, *rng.random(6), 1))
    content = ply("binary_little_endian", "face", face_extra=extra, count=4) + packed("<", body)
    (tmp_path / "a.ply").write_bytes(content)
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, SQUARES)
    np.testing.assert_array_equal(mesh.triangles, TRIANGLES)


def test_triangle_strips(tmp_path):
    # Two strips in one list, the second of which is a square; a vertex named twice turns a corner.
    strip = [0, 1, 3, 2, -1, 1, 4, 2, 5, 5]
    body = packed("<", [*(("ffd", *point) for point in SQUARES), ("B10i", 10, *strip)])
    content = ply("binary_little_endian", "tristrips", count=1) + body
    (tmp_path / "a.ply").write_bytes(content)
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.triangles, [[0, 1, 3], [3, 1, 2], [1, 4, 2], [2, 4, 5]])


def test_text_ply(tmp_path):
    rows = "".join(f"{x} {y} {z} 255\n" for x, y, z in SQUARES)
    rows += "".join(f"{len(face)} {' '.join(map(str, face))} 0.5\n" for face in POLYGONS)
    header = ply("ascii", "face", "property uchar red", "property float quality")
    (tmp_path / "a.ply").write_bytes(b"\xef\xbb\xbf" + header + rows.encode())
    mesh = read_ply(tmp_path / "a.ply")
    np.testing.assert_array_equal(mesh.vertices, SQUARES)
    np.testing.assert_array_equal(mesh.triangles, TRIANGLES)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        (b"element vertex 6", b"element vertex 7", "export it again"),
        (b"element vertex 6", b"element vertex 5", "more than|index that is|claims|cut off"),
        (b"element vertex 6", b"element vertex 99999999999999", "cut off"),
        (b"vertex_index", b"corner", "no list `vertex_indices`"),
        (b"property float x", b"property float u", "x, y and z"),
        (b"property float x", b"property half x", "export it again"),
        (b"end_header", b"", "no end"),
        (b"3 1 4 5", b"3 1 4,5", "text where a number"),
        (b"3 1 4 5", b"-3 1 4 5", "claims -3"),
        (b"3 1 4 5", b"3 1 4 4.5", "no whole number"),
    ],
)
def test_damaged_ply_gets_one_sentence(tmp_path, before, after, sentence):
    rows = "".join(f"{x} {y} {z}\n" for x, y, z in SQUARES)
    rows += "".join(f"{len(face)} {' '.join(map(str, face))}\n" for face in POLYGONS)
    content = ply("ascii", "face") + rows.encode()
    assert before in content
    (tmp_path / "a.ply").write_bytes(content.replace(before, after))
    with pytest.raises(InputError, match=sentence) as caught:
        read_ply(tmp_path / "a.ply")
    assert "\n" not in str(caught.value)
