"""What readers do to meshes: keep parts, split polygons, find mirror partners, lay out textures."""

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from fit3dmm.geometry.surface_points import SurfacePoints

_QUARTERS = np.array([(3, 0), (3, 1), (3, 2), (3, 3), (0, 3), (1, 3), (2, 3)])
"""Cells of a quarter of the page around a main tile that takes the lower left three quarters."""


def to_triangles(faces: Int[np.ndarray, "faces 4"]) -> Int[np.ndarray, "triangles 3"]:
    """Split quads; a face whose last corner is negative is a triangle already."""
    pair = np.stack([faces[:, [0, 1, 2]], faces[:, [0, 2, 3]]], axis=1).reshape(-1, 3)
    return pair[pair.min(axis=1) >= 0]


def compacted(
    faces: Int[np.ndarray, "faces corners"],
) -> tuple[Int[np.ndarray, "faces corners"], Int[np.ndarray, "kept"]]:
    """Renumber faces so that they use every vertex from 0 up; also the old number of each."""
    kept, renumbered = np.unique(faces, return_inverse=True)
    return renumbered.reshape(faces.shape), kept


def facing_outwards(
    faces: Int[np.ndarray, "faces corners"], vertices: Float[np.ndarray, "vertices 3"]
) -> Int[np.ndarray, "faces corners"]:
    """Turn all faces round if most of the area looks at the middle of the mesh."""
    corners = vertices[faces]
    area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # A face is open at the back: the mean of its vertices lies behind its surface.
    outwards = np.sum(area * (corners.mean(axis=1) - vertices.mean(axis=0)))
    return faces if outwards >= 0 else faces[:, ::-1]


def nearest_mirror(vertices: Float[np.ndarray, "vertices 3"]) -> Int[np.ndarray, "vertices"]:
    """For each vertex the one nearest to its mirror image across x = 0."""
    return np.asarray(KDTree(vertices).query(vertices * [-1, 1, 1])[1], dtype=np.int64)


def points_at_vertices(
    vertices: Int[np.ndarray, "points"],
    triangles: Int[np.ndarray, "triangles 3"],
    names: tuple[str, ...],
) -> SurfacePoints[np.ndarray]:
    """Surface points that are vertices, each at a corner of a triangle that uses it."""
    triangle_of_vertex = np.zeros(triangles.max() + 1, dtype=np.int64)
    for corner in range(3):
        triangle_of_vertex[triangles[:, corner]] = np.arange(len(triangles))
    triangle = triangle_of_vertex[vertices]
    weights = (triangles[triangle] == vertices[:, None]).astype(float)
    return SurfacePoints(triangle, weights, names)


def points_in_triangles(
    corners: Int[np.ndarray, "points 3"],
    weights: Float[np.ndarray, "points 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    names: tuple[str, ...],
) -> SurfacePoints[np.ndarray]:
    """Surface points given by three vertices and their weights, in any order of the corners.

    A triple that is no triangle of the mesh (it may lie across the other diagonal of a quad) is
    taken to the vertex that it weighs most.

    Args:
        corners: the three vertices.
        weights: of each; they add up to 1.
        triangles: of the mesh.
        names: of the points.
    """
    row = {tuple(sorted(corner)): k for k, corner in enumerate(triangles.tolist())}
    nearest = corners[np.arange(len(corners)), weights.argmax(axis=1)]
    points = points_at_vertices(nearest, triangles, names)
    triangle, barycentric = points.triangle.copy(), points.barycentric.copy()
    for k, triple in enumerate(corners.tolist()):
        found = row.get(tuple(sorted(triple)))
        if found is not None:
            triangle[k] = found
            order = [triple.index(vertex) for vertex in triangles[found]]
            barycentric[k] = weights[k][order]
    return SurfacePoints(triangle, barycentric, names)


def cylindrical_uv(
    vertices: Float[np.ndarray, "vertices 3"], triangles: Int[np.ndarray, "triangles 3"]
) -> tuple[Float[np.ndarray, "uv_points 2"], Int[np.ndarray, "triangles 3"]]:
    """Texture coordinates by unrolling about the vertical axis, for models that bring none.

    A closed head is cut at the back: triangles across the cut get points of their own.
    """
    middle = (vertices.min(axis=0) + vertices.max(axis=0)) / 2
    turn = np.arctan2(vertices[:, 0] - middle[0], vertices[:, 2] - middle[2]) / (2 * np.pi)
    corner_turn = turn[triangles]
    across = np.ptp(corner_turn, axis=1) > 0.5
    shifted = across[:, None] & (corner_turn < 0)
    used, uv_triangles = np.unique(
        np.stack([triangles.ravel(), shifted.ravel()], axis=1), axis=0, return_inverse=True
    )
    u = turn[used[:, 0]] + used[:, 1]
    v = vertices[used[:, 0], 1]
    uv = np.stack([(u - u.min()) / np.ptp(u), (v - v.min()) / np.ptp(v)], axis=1)
    return uv, uv_triangles.reshape(-1, 3)


def packed_tiles(
    uv: Float[np.ndarray, "uv_points 2"],
    uv_faces: Int[np.ndarray, "faces corners"],
    part: Int[np.ndarray, "faces"],
) -> tuple[Float[np.ndarray, "packed_points 2"], Int[np.ndarray, "faces corners"]]:
    """Bring textures of several parts and UDIM tiles into one page that nothing overlaps in.

    Args:
        part: of each face; faces of one part and one UDIM tile stay together. Part 0 of tile
            (0, 0) is the main one and gets three quarters of the width.
    """
    first = uv[uv_faces].min(axis=1)
    tile = np.floor(first + 1e-6).astype(np.int64)
    groups, group = np.unique(
        np.column_stack([part, tile[:, 1], tile[:, 0]]), axis=0, return_inverse=True
    )
    group = group.ravel()
    points, packed_faces = np.unique(
        np.stack([uv_faces.ravel(), np.repeat(group, uv_faces.shape[1])], axis=1),
        axis=0,
        return_inverse=True,
    )
    offset, scale = _page(len(groups))
    within = uv[points[:, 0]] - groups[points[:, 1]][:, [2, 1]]
    packed = offset[points[:, 1]] + scale[points[:, 1], None] * np.clip(within, 0, 1)
    return packed, packed_faces.reshape(uv_faces.shape)


def _page(n_tiles: int) -> tuple[np.ndarray, np.ndarray]:
    """Lower left corner and width of each tile of a page, the main one first."""
    if n_tiles == 1:
        return np.zeros((1, 2)), np.ones(1)
    # Each quarter cell is cut into as many as are needed.
    cut = int(np.ceil(np.sqrt((n_tiles - 1) / len(_QUARTERS))))
    y, x = np.mgrid[:cut, :cut]
    within = np.stack([x.ravel(), y.ravel()], axis=1) / cut
    cells = (_QUARTERS[:, None] + within).reshape(-1, 2)[: n_tiles - 1] / 4
    return np.concatenate([np.zeros((1, 2)), cells]), np.array([0.75] + [0.25 / cut] * len(cells))


def connected_parts(
    faces: Int[np.ndarray, "faces corners"], n_vertices: int
) -> Int[np.ndarray, "faces"]:
    """Which connected piece of the mesh each face belongs to; piece 0 has the most faces."""
    sides = np.stack([faces, np.roll(faces, -1, axis=1)], axis=2).reshape(-1, 2)
    graph = coo_matrix((np.ones(len(sides)), sides.T), shape=(n_vertices, n_vertices))
    label = connected_components(graph, directed=False)[1][faces[:, 0]]
    pieces, piece, sizes = np.unique(label, return_inverse=True, return_counts=True)
    rank = np.empty(len(pieces), dtype=np.int64)
    rank[np.argsort(-sizes, kind="stable")] = np.arange(len(pieces))
    return rank[piece.ravel()]
