"""Which way a texture runs over a mesh: the frames in which normal maps are made and shaded.

The frame at a vertex is `x` along u, `y = w * cross(normal, x)` and the normal. It is that of
MikkTSpace at smooth vertices, which glTF tells viewers to take where a file says none. Source:
M. Mikkelsen, "Simulation of wrinkled surfaces revisited", thesis, University of Copenhagen, 2008,
and its reference code, `mikktspace.c`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class TexturedTriangles:
    """A mesh cut open along the borders of its texture islands, so that one index does for all."""

    points: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    """Unit vectors, outwards."""
    uv: Float[np.ndarray, "vertices 2"]
    """Origin at the bottom left: v runs up."""
    triangles: Int[np.ndarray, "triangles 3"]
    """Counter-clockwise seen from outside."""


def vertex_tangents(mesh: TexturedTriangles) -> Float[np.ndarray, "vertices 4"]:
    """The frames' x, unit vectors at right angles to the normals, and w, as glTF writes them.

    A vertex' is the mean of its triangles', each laid into the vertex' plane and weighted by
    the angle of its corner there. w is 1 where the texture lies on the surface as it is, -1 where
    it is mirrored; where both meet in a vertex, that of the larger angle. A vertex of no triangle
    with an area in space and texture gets some direction, as files want one.
    """
    gradients, facing, _ = _gradients(mesh)
    return _tangents(mesh, gradients, facing)


def bitangents(
    normals: Float[np.ndarray, "n 3"], tangents: Float[np.ndarray, "n 4"]
) -> Float[np.ndarray, "n 3"]:
    """The frames' y: where v grows, but for the shear of the texture."""
    return tangents[:, 3:] * np.cross(normals, tangents[:, :3])


def texture_rates(mesh: TexturedTriangles) -> Float[np.ndarray, "vertices 2 2"]:
    """How much of u and v goes by along x and y of the frame at each vertex.

    What grows by (a, b) along u and v grows by `rates @ (a, b)` along x and y.

    Returns:
        Rows are x and y, columns u and v; sides of the texture per unit of length, the mean over a
        vertex' triangles by area. Zero at a vertex of no triangle.
    """
    gradients, facing, double_area = _gradients(mesh)
    tangents = _tangents(mesh, gradients, facing)
    frame = np.stack([tangents[:, :3], bitangents(mesh.normals, tangents)], 1)
    n = len(mesh.points)
    area = _sums(mesh.triangles.T.ravel(), np.tile(double_area[:, None], (3, 1)), n)
    total = _sums(mesh.triangles.T.ravel(), np.tile(gradients.reshape(-1, 6), (3, 1)), n)
    mean = total / np.where(area > 0, area, 1.0)
    return np.einsum("nfx,ncx->nfc", frame, mean.reshape(-1, 2, 3))


def _tangents(
    mesh: TexturedTriangles,
    gradients: Float[np.ndarray, "triangles 2 3"],
    facing: Float[np.ndarray, "triangles 3"],
) -> Float[np.ndarray, "vertices 4"]:
    along_u, along_v = gradients[:, 0], gradients[:, 1]
    mirror = np.sign(_dot(np.cross(along_u, along_v), facing))
    along_u = mirror[:, None] * np.cross(along_v, facing)
    corners, normals = mesh.points[mesh.triangles].astype(float), mesh.normals.astype(float)
    total, sign = np.zeros((len(normals), 3)), np.zeros(len(normals))
    for k in range(3):
        vertex = mesh.triangles[:, k]
        plane = normals[vertex]
        to_next, to_last = (
            _unit(_across(corners[:, (k + step) % 3] - corners[:, k], plane)) for step in (1, 2)
        )
        angle = np.arccos(np.clip(_dot(to_next, to_last), -1, 1))
        total += _sums(vertex, angle[:, None] * _unit(_across(along_u, plane)), len(total))
        sign += np.bincount(vertex, angle * mirror, len(sign))
    least = np.eye(3)[np.abs(normals).argmin(1)]
    lost = np.linalg.norm(total, axis=1, keepdims=True) < 1e-9
    # Once more against the normal, of which a mean that nearly cancels out keeps rounding errors.
    tangent = _unit(_across(_unit(np.where(lost, least, total)), normals))
    return np.concatenate([tangent, np.where(sign < 0, -1.0, 1.0)[:, None]], 1)


def _gradients(
    mesh: TexturedTriangles,
) -> tuple[
    Float[np.ndarray, "triangles 2 3"],
    Float[np.ndarray, "triangles 3"],
    Float[np.ndarray, "triangles"],
]:
    """Gradients of u and v over each triangle times twice its area; its unit normal; that area.

    A linear function's gradient is the sum of its corners' values times the sides across from
    them, turned by a right angle, over twice the area.
    """
    a, b, c = mesh.points[mesh.triangles].astype(float).swapaxes(0, 1)
    outwards = np.cross(b - a, c - a)
    facing = _unit(outwards)
    turned = np.cross(facing[:, None], np.stack([c - b, a - c, b - a], 1))
    values = mesh.uv[mesh.triangles].astype(float)
    gradients = np.einsum("tkc,tkx->tcx", values, turned)
    return gradients, facing, np.linalg.norm(outwards, axis=1)


def _sums(
    rows: Int[np.ndarray, "some"], values: Float[np.ndarray, "some c"], n: int
) -> Float[np.ndarray, "n c"]:
    """What comes together in each row."""
    return np.stack([np.bincount(rows, column, n) for column in values.T], 1)


def _across(
    vectors: Float[np.ndarray, "n 3"], normals: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n 3"]:
    """The part at right angles to unit normals."""
    return vectors - _dot(vectors, normals)[:, None] * normals


def _dot(a: Float[np.ndarray, "n 3"], b: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    return np.einsum("nc,nc->n", a, b)


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Of length one; what is zero stays so."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)
