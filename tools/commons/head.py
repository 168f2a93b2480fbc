"""The head cut out of MakeHuman's base mesh: which quads, in which order, with which UVs."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph as graph

from commons.sources import BaseMesh

# Rings of quads kept behind the lid rims. Further in, nothing is ever seen.
_SOCKET_RINGS = 2
# Two neighbours on the closed edge loop around the neck along which the head is cut.
_NECK_EDGE = (809, 805)
# Where each texture island goes: left, bottom, width, height of the box it is scaled into, keeping
# its proportions. In the order of `keep` in `cut_head`, the neck after the skin.
_LAYOUT = {
    "head": (0.005, 0.005, 0.99, 0.75),
    "neck": (0.005, 0.80, 0.40, 0.19),
    "mouth": (0.42, 0.90, 0.20, 0.095),
    "teeth_upper": (0.42, 0.78, 0.12, 0.05),
    "teeth_lower": (0.42, 0.84, 0.12, 0.05),
    "socket_left": (0.56, 0.79, 0.05, 0.10),
    "socket_right": (0.62, 0.79, 0.05, 0.10),
    "eye_left": (0.69, 0.85, 0.145, 0.145),
    "eye_right": (0.845, 0.85, 0.145, 0.145),
}
# Where the tip of the nose lies in the head's island, as shares of its width and height.
_FACE_CENTRE = (0.5, 0.33)
# How much larger the face is drawn than the back of the head.
_FACE_MAGNIFICATION = 5.0

PARTS = ("skin", "mouth", "socket", "eye_left", "eye_right", "teeth_upper", "teeth_lower")


@dataclass(frozen=True)
class Head:
    """The base mesh of Commons. `base` counts its vertices, `quads` its faces."""

    vertex: np.ndarray
    """(base,) row of each vertex in MakeHuman's base mesh."""
    quads: np.ndarray
    """(quads, 4), counter-clockwise from outside."""
    mirror: np.ndarray
    """(base,) the vertex mirrored across x = 0."""
    part: np.ndarray
    """(base,) index in PARTS; rim vertices of lips and lids count as skin."""
    uv: np.ndarray
    """(uv points, 2) Commons' own texture layout, 0..1."""
    uv_quads: np.ndarray
    """(quads, 4) rows of `uv`."""
    makehuman_uv: np.ndarray
    """(uv points, 2) where the same corners lie in MakeHuman's skin textures."""
    lip_rim: np.ndarray
    """Base vertices of the edge between lip skin and mouth, in order around it."""
    lid_rims: tuple[np.ndarray, np.ndarray]
    """The same for the left and the right eye."""

    def in_part(self, *names: str) -> np.ndarray:
        """(base,) mask of vertices."""
        return np.isin(self.part, [PARTS.index(name) for name in names])


def cut_head(mesh: BaseMesh) -> Head:
    """Cut along texture islands and edge loops, so that every border is clean."""
    island = _texture_islands(mesh)
    skin = island == island[_quads_at(mesh, 0, 1)][0]
    others = [i for i in np.unique(island[mesh.group == "body"])]
    mouth = _island_beside(mesh, island, skin, others, lambda c: abs(c[0]) < 1)
    left_socket = _island_beside(mesh, island, skin, others, lambda c: c[0] > 10)
    right_socket = _island_beside(mesh, island, skin, others, lambda c: c[0] < -10)
    head_vertices = np.unique(mesh.quads[skin])

    keep = [
        (skin, "skin"),
        (_neck(mesh, skin, mouth | left_socket | right_socket), "skin"),
        (mouth, "mouth"),
        (_rings(mesh, left_socket | right_socket, head_vertices, _SOCKET_RINGS), "socket"),
        (_front_of_eye(mesh, "helper-l-eye"), "eye_left"),
        (_front_of_eye(mesh, "helper-r-eye"), "eye_right"),
        (mesh.group == "helper-upper-teeth", "teeth_upper"),
        (mesh.group == "helper-lower-teeth", "teeth_lower"),
    ]
    chosen = np.concatenate([np.flatnonzero(mask) for mask, _ in keep])
    quads = mesh.quads[chosen]
    vertex = np.unique(quads)
    row = np.full(len(mesh.vertices_mm), -1)
    row[vertex] = np.arange(len(vertex))
    part = np.zeros(len(vertex), dtype=np.int64)
    for mask, name in reversed(keep):
        part[row[np.unique(mesh.quads[mask])]] = PARTS.index(name)
    mirror = row[mesh.mirror[vertex]]
    if (mirror < 0).any():
        raise SystemExit("The cut is not symmetric: a vertex has no mirror image in the head.")
    uv_points, uv_quads = np.unique(mesh.uv_quads[chosen], return_inverse=True)
    return Head(
        vertex=vertex,
        quads=row[quads],
        mirror=mirror,
        part=part,
        uv=_packed(mesh.uv[uv_points], uv_quads.reshape(-1, 4), [m.sum() for m, _ in keep]),
        uv_quads=uv_quads.reshape(-1, 4),
        makehuman_uv=mesh.uv[uv_points],
        lip_rim=row[_shared_loop(mesh.quads[skin], mesh.quads[mouth])],
        lid_rims=(
            row[_shared_loop(mesh.quads[skin], mesh.quads[left_socket])],
            row[_shared_loop(mesh.quads[skin], mesh.quads[right_socket])],
        ),
    )


def _texture_islands(mesh: BaseMesh) -> np.ndarray:
    """Number of the texture island of each quad."""
    return _components(mesh.uv_quads, len(mesh.uv))[mesh.uv_quads[:, 0]]


def _components(quads: np.ndarray, n: int) -> np.ndarray:
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    adjacency = sp.coo_matrix((np.ones(len(sides)), (sides[:, 0], sides[:, 1])), shape=(n, n))
    return graph.connected_components(adjacency, directed=False)[1]


def _quads_at(mesh: BaseMesh, *vertices: int) -> np.ndarray:
    """Quads that touch any of the vertices (0 and 1 lie on the ear, so on the head's island)."""
    return np.flatnonzero(np.isin(mesh.quads, vertices).any(axis=1))


def _island_beside(mesh, island, skin, candidates, at) -> np.ndarray:
    """Mask of the island that shares a closed rim with the skin whose centre satisfies `at`."""
    head_vertices = np.unique(mesh.quads[skin])
    smallest, found = len(mesh.quads) + 1, None
    for number in candidates:
        mask = (island == number) & (mesh.group == "body")
        if (mask & skin).any():
            continue
        shared = np.intersect1d(np.unique(mesh.quads[mask]), head_vertices)
        if len(shared) and at(mesh.vertices_mm[shared].mean(axis=0)) and mask.sum() < smallest:
            smallest, found = mask.sum(), mask
    if found is None:
        raise SystemExit("The base mesh has no mouth or eye socket where one is expected.")
    return found


def _neck(mesh: BaseMesh, skin: np.ndarray, excluded: np.ndarray) -> np.ndarray:
    """Body quads between the head's island and the neck loop."""
    walls = _edge_set(np.array(edge_loop(mesh, *_NECK_EDGE)))
    free = np.flatnonzero((mesh.group == "body") & ~skin & ~excluded)
    by_edge: dict[tuple[int, int], list[int]] = {}
    for quad in free:
        for edge in _sides(mesh.quads[quad]):
            by_edge.setdefault(edge, []).append(int(quad))
    rim = {edge for quad in mesh.quads[skin] for edge in _sides(quad)}
    front = [quad for edge, quads in by_edge.items() if edge in rim for quad in quads]
    taken = np.zeros(len(mesh.quads), dtype=bool)
    while front:
        quad = front.pop()
        if not taken[quad]:
            taken[quad] = True
            front += [q for e in _sides(mesh.quads[quad]) if e not in walls for q in by_edge[e]]
    if taken.sum() > 400:
        raise SystemExit("The neck loop does not close the neck: the cut ran into the body.")
    return taken


def _sides(quad) -> list[tuple[int, int]]:
    corners = [int(c) for c in quad]
    return [tuple(sorted((corners[k - 1], corners[k]))) for k in range(4)]  # type: ignore[misc]


def _edge_set(loop: np.ndarray) -> set[tuple[int, int]]:
    pairs = np.sort(np.stack([loop, np.roll(loop, -1)], axis=1), axis=1)
    return set(map(tuple, pairs.tolist()))


def edge_loop(mesh: BaseMesh, first: int, second: int) -> list[int]:
    """Follow edges straight through regular vertices until the loop closes."""
    body = mesh.quads[mesh.group == "body"]
    loop = [first, second]
    while True:
        beside = body[(body == loop[-1]).any(axis=1)]
        along = (beside == loop[-2]).any(axis=1)
        ahead = [e for quad in beside[~along] for e in _sides(quad) if loop[-1] in e]
        behind = {v for quad in beside[along] for v in quad.tolist()}
        straight = {v for e in ahead for v in e} - behind
        if len(straight) != 1:
            raise SystemExit(f"The edge loop ends at vertex {loop[-1]}, which is not regular.")
        following = straight.pop()
        if following == first:
            return loop
        loop.append(following)


def _rings(mesh: BaseMesh, region: np.ndarray, start_vertices: np.ndarray, n: int) -> np.ndarray:
    """Quads of `region` within n rings of the start vertices."""
    reached = np.zeros(len(mesh.vertices_mm), dtype=bool)
    reached[start_vertices] = True
    taken = np.zeros(len(mesh.quads), dtype=bool)
    for _ in range(n):
        new = region & ~taken & reached[mesh.quads].any(axis=1)
        taken |= new
        reached[mesh.quads[new]] = True
    return taken


def _front_of_eye(mesh: BaseMesh, group: str) -> np.ndarray:
    """The part of an eyeball that can ever be seen, eyes turned included."""
    quads = mesh.group == group
    z = mesh.vertices_mm[mesh.quads][:, :, 2].mean(axis=1)
    return quads & (z > np.median(z[quads]) - 3.0)


def _shared_loop(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Vertices of the closed line along which two sets of quads meet, in order."""

    def edges(quads: np.ndarray) -> set[tuple[int, int]]:
        sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
        return set(map(tuple, np.sort(sides, axis=1).tolist()))

    neighbours: dict[int, list[int]] = {}
    for i, j in edges(a) & edges(b):
        neighbours.setdefault(i, []).append(j)
        neighbours.setdefault(j, []).append(i)
    loop = [min(neighbours)]
    previous = -1
    while len(loop) <= len(neighbours):
        following = next(v for v in neighbours[loop[-1]] if v != previous)
        if following == loop[0]:
            return np.array(loop)
        previous = loop[-1]
        loop.append(following)
    raise SystemExit("A rim of the base mesh is not a single closed line.")


def _packed(uv: np.ndarray, uv_quads: np.ndarray, sizes: list[int]) -> np.ndarray:
    """Lay the texture islands out anew, so that the face is large and nothing overlaps."""
    names = [
        "head",
        "neck",
        "mouth",
        "socket",
        "eye_left",
        "eye_right",
        "teeth_upper",
        "teeth_lower",
    ]
    packed = uv.copy()
    ends = np.cumsum(sizes)
    for name, start, end in zip(names, ends - sizes, ends, strict=True):
        quads = uv_quads[start:end]
        if name == "head":
            packed[np.unique(quads)] = _magnified(uv[np.unique(quads)])
        if name != "socket":
            _place(packed, np.unique(quads), _LAYOUT[name])
            continue
        component = _components(quads, len(uv))
        for side, number in zip(("left", "right"), np.unique(component[quads]), strict=True):
            _place(packed, np.flatnonzero(component == number), _LAYOUT[f"socket_{side}"])
    return packed


def _magnified(uv: np.ndarray) -> np.ndarray:
    """Turn MakeHuman's sideways head upright and blow its middle, the face, up.

    The distance to the centre goes through a monotone function, so nothing can overlap.
    """
    upright = np.stack([uv[:, 1], -uv[:, 0]], axis=1)
    low, size = upright.min(axis=0), np.ptp(upright, axis=0)
    centre = low + size * _FACE_CENTRE
    offset = upright - centre
    radius = np.linalg.norm(offset, axis=1, keepdims=True) / size.max()
    return centre + offset * np.arcsinh(_FACE_MAGNIFICATION * radius) / np.maximum(radius, 1e-9)


def _place(uv: np.ndarray, points: np.ndarray, box: tuple[float, float, float, float]) -> None:
    """Scale and move points into a box, in place."""
    left, bottom, width, height = box
    low, size = uv[points].min(axis=0), np.ptp(uv[points], axis=0)
    uv[points] = (uv[points] - low) * min(width / size[0], height / size[1]) + [left, bottom]
