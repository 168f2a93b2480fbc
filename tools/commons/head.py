"""The head: cut out of MakeHuman's base mesh, with eyeballs, teeth and tongue of our own."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
import scipy.sparse.csgraph as graph

from commons.atlas import Island, packed, skin_islands
from commons.eyeball import eyeball
from commons.sources import BaseMesh
from commons.teeth import JAWS, dental_arch, gums
from commons.things import Thing
from commons.tongue import tongue

# Rings of quads kept behind the lid rims. Further in, nothing is ever seen.
_SOCKET_RINGS = 2
# Two neighbours on the closed edge loop around the neck along which the head is cut.
_NECK_EDGE = (809, 805)
# Two neighbours on the closed edge loop around the face, hairline to chin without the ears, and a
# vertex inside.
_FACE = ((868, 867), 294)

# The same of the subject's right ear.
_EAR = ((5727, 5735), 5535)

CUT_PARTS = ("skin", "mouth", "socket")
"""Cut out of MakeHuman's mesh; the other parts are things that the build makes."""
PARTS = (
    *CUT_PARTS,
    "eye_left",
    "eye_right",
    "teeth_upper",
    "teeth_lower",
    "gums_upper",
    "gums_lower",
    "tongue",
)


@dataclass(frozen=True)
class Head:
    """The base mesh of Commons. `base` counts its vertices, `quads` its faces."""

    vertex: np.ndarray
    """(cut,) row in MakeHuman's base mesh of each vertex that comes from there: the first ones."""
    quads: np.ndarray
    """(quads, 4), counter-clockwise from outside; those of the skin first."""
    quad_part: np.ndarray
    """(quads,) index in PARTS."""
    mirror: np.ndarray
    """(base,) the vertex mirrored across x = 0."""
    part: np.ndarray
    """(base,) index in PARTS; rim vertices of lips and lids count as skin."""
    uv: np.ndarray
    """(uv points, 2) Commons' own texture layout, 0..1."""
    uv_quads: np.ndarray
    """(quads, 4) rows of `uv`."""
    makehuman_uv: np.ndarray
    """(MakeHuman uv points, 2) where the corners lie in MakeHuman's skin textures."""
    makehuman_uv_quads: np.ndarray
    """(quads, 4) rows of `makehuman_uv`; things of our own all have its first row."""
    lip_rim: np.ndarray
    """Base vertices of the edge between lip skin and mouth, in order around it."""
    lid_rims: tuple[np.ndarray, np.ndarray]
    """The same for the left and the right eye."""
    own_mm: np.ndarray
    """(base, 3) the things that the build makes, each in its own frame; zero for other vertices."""

    @property
    def n_cut(self) -> int:
        """Number of vertices that come from MakeHuman's mesh."""
        return len(self.vertex)

    @property
    def n_base(self) -> int:
        return len(self.mirror)

    @property
    def bare(self) -> "Head":
        """The head without the things that the build makes."""
        n, quads = self.n_cut, self.quad_part < len(CUT_PARTS)
        return replace(
            self,
            quads=self.quads[quads],
            quad_part=self.quad_part[quads],
            mirror=self.mirror[:n],
            part=self.part[:n],
            uv_quads=self.uv_quads[quads],
            makehuman_uv_quads=self.makehuman_uv_quads[quads],
            own_mm=self.own_mm[:n],
        )

    def origin_mm(self, part: str, shape_mm: np.ndarray) -> np.ndarray:
        """(3,) where the origin of a thing's own frame lies in a shape (base, 3)."""
        rows = self.in_part(part)
        return (shape_mm[rows] - self.own_mm[rows]).mean(axis=0)

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
    bare = Head(
        vertex=vertex,
        quads=row[quads],
        quad_part=np.repeat([PARTS.index(n) for _, n in keep], [mask.sum() for mask, _ in keep]),
        mirror=mirror,
        part=part,
        uv=np.zeros((0, 2)),
        uv_quads=np.zeros((0, 4), dtype=np.int64),
        makehuman_uv=mesh.uv[uv_points],
        makehuman_uv_quads=uv_quads.reshape(-1, 4),
        lip_rim=row[_shared_loop(mesh.quads[skin], mesh.quads[mouth])],
        lid_rims=(
            row[_shared_loop(mesh.quads[skin], mesh.quads[left_socket])],
            row[_shared_loop(mesh.quads[skin], mesh.quads[right_socket])],
        ),
        own_mm=np.zeros((len(vertex), 3)),
    )
    islands = _cut_islands(mesh, bare)
    return _with_things(bare, islands, [*_eyeballs(), *_mouth()])


def _eyeballs() -> list[Thing]:
    return [eyeball("eye_left"), eyeball("eye_right")]


def _mouth() -> list[Thing]:
    arches = [make(jaw) for make in (dental_arch, gums) for jaw in JAWS]
    return [*arches, tongue().thing]


def _with_things(bare: Head, islands: list[Island], things: list[Thing]) -> Head:
    """Append things, and lay out the texture of all."""
    starts = bare.n_cut + np.cumsum([0, *(len(thing.points_mm) for thing in things)])
    start_of = {thing.part: start for thing, start in zip(things, starts[:-1], strict=True)}
    twins = {"eye_left": "eye_right", "eye_right": "eye_left"}
    quads, mirror, part, quad_part = [bare.quads], [bare.mirror], [bare.part], [bare.quad_part]
    for thing in things:
        start, number = start_of[thing.part], PARTS.index(thing.part)
        quads.append(thing.quads + start)
        mirror.append(thing.mirror + start_of[twins.get(thing.part, thing.part)])
        part.append(np.full(len(thing.points_mm), number))
        quad_part.append(np.full(len(thing.quads), number))
    first = len(bare.quads) + np.cumsum([0, *(len(thing.quads) for thing in things)])
    own = [
        Island(thing.part, start + np.arange(len(thing.quads)), thing.uv, thing.uv_quads)
        for thing, start in zip(things, first[:-1], strict=True)
    ]
    uv, uv_quads = packed([*islands, *own])
    n_made = sum(len(thing.quads) for thing in things)
    no_texture = np.zeros((n_made, 4), dtype=np.int64)
    return replace(
        bare,
        quads=np.concatenate(quads),
        quad_part=np.concatenate(quad_part),
        mirror=np.concatenate(mirror),
        part=np.concatenate(part),
        uv=uv,
        uv_quads=uv_quads,
        makehuman_uv_quads=np.concatenate([bare.makehuman_uv_quads, no_texture]),
        own_mm=np.concatenate([bare.own_mm, *(thing.points_mm for thing in things)]),
    )


def _cut_islands(mesh: BaseMesh, bare: Head) -> list[Island]:
    """Texture islands in the order of the quads: the skin's is laid out anew."""
    points = mesh.vertices_mm[bare.vertex]
    of_part = {name: bare.quad_part == PARTS.index(name) for name in CUT_PARTS}
    face, ears = face_mask(mesh, bare) > 0.5, ears_mask(mesh, bare) > 0.5
    islands = skin_islands(points, bare.quads[of_part["skin"]], bare.mirror, face, ears)
    left = points[bare.quads].mean(axis=1)[:, 0] > 0
    for name, mask in (
        ("mouth", of_part["mouth"]),
        ("socket_left", of_part["socket"] & left),
        ("socket_right", of_part["socket"] & ~left),
    ):
        rows, uv_quads = np.unique(bare.makehuman_uv_quads[mask], return_inverse=True)
        own = bare.makehuman_uv[rows]
        islands.append(Island(name, np.flatnonzero(mask), own, uv_quads.reshape(-1, 4)))
    return islands


def inside_loop(mesh: BaseMesh, head: Head, start: tuple[int, int], seed: int) -> np.ndarray:
    """(base,) 1 on and inside a closed edge loop of MakeHuman's mesh, else 0.

    Args:
        start: two neighbours on the loop, as MakeHuman numbers them.
        seed: a vertex inside.
    """
    row = {int(vertex): k for k, vertex in enumerate(head.vertex)}
    loop = [row[vertex] for vertex in edge_loop(mesh, *start)]
    walls = {frozenset(pair) for pair in zip(loop, loop[1:] + loop[:1], strict=True)}
    beside: dict[frozenset[int], list[int]] = {}
    sides = [[frozenset((quad[k - 1], quad[k])) for k in range(4)] for quad in head.quads.tolist()]
    for quad, edges in enumerate(sides):
        for edge in edges:
            beside.setdefault(edge, []).append(quad)
    waiting = np.flatnonzero((head.quads == row[seed]).any(axis=1)).tolist()
    reached = np.zeros(len(head.quads), dtype=bool)
    while waiting:
        quad = waiting.pop()
        if not reached[quad]:
            reached[quad] = True
            waiting += [q for edge in sides[quad] if edge not in walls for q in beside[edge]]
    inside = np.zeros(len(head.mirror))
    inside[head.quads[reached]] = 1.0
    return inside


def ears_mask(mesh: BaseMesh, head: Head) -> np.ndarray:
    """(base,) 1 on both ears."""
    right = inside_loop(mesh, head, *_EAR)
    return np.maximum(right, right[head.mirror])


def face_mask(mesh: BaseMesh, head: Head) -> np.ndarray:
    """(base,) 1 on the face: hairline to chin without the ears."""
    return inside_loop(mesh, head, *_FACE)


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
