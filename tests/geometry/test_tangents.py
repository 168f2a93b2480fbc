"""Frames of textured meshes: those that MikkTSpace says, by laws and by hand."""

import numpy as np
import pytest

from fit3dmm.geometry.tangents import (
    TexturedTriangles,
    bitangents,
    texture_rates,
    vertex_tangents,
)

N = 25


def sheet(turn_rad: float = 0.0, mirrored: bool = False, shear: float = 0.0) -> TexturedTriangles:
    """A quarter of a tube of radius 2 about the y axis, whose texture is that of a flat sheet.

    Args:
        turn_rad: of the texture, counter-clockwise.
        mirrored: whether u runs the other way.
        shear: how much of v is added to u.
    """
    rows, columns = np.meshgrid(np.arange(N), np.arange(N), indexing="ij")
    along, up = (np.pi * (columns / (N - 1) - 0.5)).ravel(), 3 * rows.ravel() / (N - 1)
    angle = along / 2
    normals = np.stack([np.sin(angle), 0 * angle, np.cos(angle)], 1)
    points = 2 * normals + up[:, None] * [0, 1, 0]
    flat = np.stack([-along if mirrored else along, up], 1)
    flat = np.stack([flat[:, 0] + shear * flat[:, 1], flat[:, 1]], 1)
    cosine, sine = np.cos(turn_rad), np.sin(turn_rad)
    uv = flat @ np.array([[cosine, sine], [-sine, cosine]]) / 10
    corner = (rows * N + columns)[:-1, :-1].ravel()[:, None]
    triangles = np.concatenate([corner + np.array(rest) for rest in ((0, 1, N + 1), (0, N + 1, N))])
    return TexturedTriangles(points, normals, uv, triangles)


def around(mesh: TexturedTriangles) -> np.ndarray:
    """(n, 3) the way round the tube, to the right of who looks at it."""
    return np.cross([0.0, 1.0, 0.0], mesh.normals)


@pytest.mark.parametrize("turn_rad", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_frames_turn_with_the_texture(turn_rad, mirrored):
    mesh = sheet(turn_rad, mirrored)
    tangents = vertex_tangents(mesh)
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1, atol=1e-12)
    np.testing.assert_allclose((tangents[:, :3] * mesh.normals).sum(1), 0, atol=1e-12)
    assert (tangents[:, 3] == (-1 if mirrored else 1)).all()
    # In the texture x of the frame is (1, 0) and y (0, 1): turned back, what they are on the tube.
    right = (-1 if mirrored else 1) * around(mesh)
    x = np.cos(turn_rad) * right - np.sin(turn_rad) * np.array([0, 1, 0])
    y = np.sin(turn_rad) * right + np.cos(turn_rad) * np.array([0, 1, 0])
    # A border has triangles to one side only, whose chord is a fiftieth of a radian off the tube.
    np.testing.assert_allclose(tangents[:, :3], x, atol=2e-3)
    np.testing.assert_allclose(bitangents(mesh.normals, tangents), y, atol=2e-3)


@pytest.mark.parametrize("shear", [0.0, 0.6])
@pytest.mark.parametrize("mirrored", [False, True])
def test_what_a_texture_says_of_a_height_becomes_its_gradient_on_the_surface(shear, mirrored):
    """Two heights, linear along the tube and around it: their derivatives by u and v are known."""
    mesh = sheet(0.7, mirrored, shear)
    tangents, rates = vertex_tangents(mesh), texture_rates(mesh)
    frame = np.stack([tangents[:, :3], bitangents(mesh.normals, tangents)], 1)
    along = 2 * np.arctan2(mesh.normals[:, 0], mesh.normals[:, 2])
    for height, gradient in ((along, around(mesh)), (mesh.points[:, 1], [[0.0, 1.0, 0.0]])):
        by_uv = np.linalg.lstsq(np.c_[mesh.uv, np.ones(N * N)], height)[0][:2]
        on_surface = np.einsum("nfc,c,nfx->nx", rates, by_uv, frame)
        # Chords are shorter than arcs by 1e-3, and the border's are not centred.
        np.testing.assert_allclose(on_surface, np.broadcast_to(gradient, (N * N, 3)), atol=0.02)


def test_corners_count_by_their_angles_and_not_by_how_many_triangles_there_are():
    """A bent fan about one vertex, and the same with one of its triangles cut into three."""
    rim = np.radians([0, 70, 150, 260])
    points = np.stack([np.cos(rim), np.sin(rim), 0.3 * np.cos(3 * rim)], 1)
    points = np.concatenate([[[0.0, 0.0, 0.0]], points])
    uv = 0.5 + 0.4 * points[:, :2] + 0.1 * points[:, 2:] * [1, -2]
    whole = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 4], [0, 4, 1]])
    first, second = (points[2] + share * (points[3] - points[2]) for share in (0.3, 0.6))
    more = np.concatenate([points, [first, second]])
    more_uv = np.concatenate([uv, [uv[2] + share * (uv[3] - uv[2]) for share in (0.3, 0.6)]])
    parts = np.array([[0, 1, 2], [0, 2, 5], [0, 5, 6], [0, 6, 3], [0, 3, 4], [0, 4, 1]])
    found = []
    for place, texture, triangles in ((points, uv, whole), (more, more_uv, parts)):
        normals = np.tile([0.0, 0.0, 1.0], (len(place), 1))
        found.append(vertex_tangents(TexturedTriangles(place, normals, texture, triangles))[0])
    # Angles add up in the triangle's plane; in the vertex' they do, too.
    np.testing.assert_allclose(found[0], found[1], atol=1e-9)


def test_triangles_without_area_and_vertices_without_triangles_still_get_a_frame():
    mesh = sheet()
    folded = TexturedTriangles(
        np.concatenate([mesh.points, mesh.points[:3], [[9.0, 9.0, 9.0]]]),
        np.concatenate([mesh.normals, mesh.normals[:3], [[0.0, 0.0, 1.0]]]),
        np.concatenate([mesh.uv, np.full((4, 2), 0.5)]),
        # Twice the same corner, and a triangle that is one point of the texture.
        np.concatenate([mesh.triangles, [[5, 5, 6], [N * N, N * N + 1, N * N + 2]]]),
    )
    tangents = vertex_tangents(folded)
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1, atol=1e-12)
    np.testing.assert_allclose((tangents[:, :3] * folded.normals).sum(1), 0, atol=1e-12)
    np.testing.assert_array_equal(tangents[: N * N], vertex_tangents(mesh))
    assert set(tangents[N * N :, 3]) == {1.0}
    rates = texture_rates(folded)
    np.testing.assert_array_equal(rates[: N * N], texture_rates(mesh))
    assert (rates[N * N :] == 0).all()
