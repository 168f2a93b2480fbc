"""The texture layout: the face large and upright, every other thing in an island of its own.

The skin is three islands: the front with face, ears and throat, and both halves of the back of the
head. Each is laid into a rectangle as a net of springs (W. Tutte, "How to draw a graph", 1963), so
nothing can overlap, whatever the springs' strengths. These are changed until every part has its
share of the area, which is how S. Yoshizawa, A. Belyaev and H.-P. Seidel even out stretch ("A fast
and simple stretch-minimizing mesh parameterization", SMI 2004).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import scipy.sparse.linalg as spla
from scipy.spatial import KDTree

SKIN_ISLANDS = ("front", "back_left", "back_right")
_MARGIN = 0.004
"""Between islands: two texels at 512, eight at 2,048."""
# Boxes for the islands: left, bottom, width and height. They keep their proportions, except for the
# skin, which fills its own.
_BOXES = {
    "front": (0.0, 0.12, 0.85, 0.88),
    "back_left": (0.85, 0.12, 0.15, 0.44),
    "back_right": (0.85, 0.56, 0.15, 0.44),
    "eye_left": (0.0, 0.0, 0.12, 0.12),
    "eye_right": (0.12, 0.0, 0.12, 0.12),
    "teeth_upper": (0.24, 0.075, 0.60, 0.045),
    "teeth_lower": (0.24, 0.03, 0.60, 0.045),
    "gums_upper": (0.24, 0.0, 0.13, 0.03),
    "gums_lower": (0.37, 0.0, 0.13, 0.03),
    "socket_left": (0.50, 0.0, 0.07, 0.03),
    "socket_right": (0.57, 0.0, 0.07, 0.03),
    "mouth": (0.86, 0.0, 0.14, 0.06),
    "tongue": (0.86, 0.06, 0.14, 0.06),
}
# How much of the texture a square millimetre gets, next to one of the face: away from the face.
_DENSITY_AWAY = 0.07
_FADES_OVER_MM = 28.0
# The back begins this far behind the ears.
_BEHIND_EARS_MM = 6.0
_NECK_LIES_WITHIN_MM = 25.0
_ROUNDS = 60
_ROUNDNESS = 7.0
"""Exponent of a superellipse: infinite for a square."""
_STEP = 0.5


@dataclass(frozen=True)
class Island:
    """Part of a mesh with texture coordinates of its own."""

    name: str
    rows: np.ndarray
    """Which quads of the head it holds."""
    uv: np.ndarray
    uv_quads: np.ndarray


def packed(islands: list[Island]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates 0..1 and quads of all islands, each in its box."""
    uv, n = [], 0
    uv_quads = np.zeros((sum(len(island.rows) for island in islands), 4), dtype=np.int64)
    for island in islands:
        left, bottom, width, height = _BOXES[island.name]
        size = np.array([width, height]) - 2 * _MARGIN
        own = island.uv
        if _signed_area(own, island.uv_quads) < 0:
            own = own * [-1, 1]
        own = own - own.min(axis=0)
        extent = own.max(axis=0)
        # An island that lies the other way is turned.
        if (extent[0] > extent[1]) != (size[0] > size[1]) and extent.max() > 1.2 * extent.min():
            own = np.stack([extent[1] - own[:, 1], own[:, 0]], axis=1)
            extent = extent[::-1]
        scale = size / extent if island.name in SKIN_ISLANDS else (size / extent).min()
        uv.append(own * scale + [left + _MARGIN, bottom + _MARGIN])
        uv_quads[island.rows] = island.uv_quads + n
        n += len(own)
    return np.concatenate(uv), uv_quads


def _signed_area(uv: np.ndarray, quads: np.ndarray) -> float:
    across = uv[quads[:, 2]] - uv[quads[:, 0]]
    other = uv[quads[:, 3]] - uv[quads[:, 1]]
    return float((across[:, 0] * other[:, 1] - across[:, 1] * other[:, 0]).sum() / 2)


def skin_islands(
    points_mm: np.ndarray, quads: np.ndarray, mirror: np.ndarray, face: np.ndarray, ears: np.ndarray
) -> list[Island]:
    """The islands of the skin.

    Args:
        points_mm: (points, 3) of the whole head.
        quads: those of the skin, which are the head's first ones.
        mirror: (points,) across x = 0.
        face: (points,) mask of what is to be large.
        ears: (points,) mask.
    """
    middle = points_mm[quads].mean(axis=1)
    behind = middle[:, 2] < points_mm[ears, 2].min() - _BEHIND_EARS_MM
    number = np.where(behind, np.where(middle[:, 0] > 0, 1, 2), 0)
    away_mm = KDTree(points_mm[face]).query(points_mm)[0]
    density = _DENSITY_AWAY + (1 - _DENSITY_AWAY) * np.exp(-((2 * away_mm / _FADES_OVER_MM) ** 2))
    return [
        _laid_out(name, np.flatnonzero(number == k), points_mm, quads, mirror, density)
        for k, name in enumerate(SKIN_ISLANDS)
    ]


def _laid_out(
    name: str,
    rows: np.ndarray,
    points_mm: np.ndarray,
    quads: np.ndarray,
    mirror: np.ndarray,
    density: np.ndarray,
) -> Island:
    """One island of the skin, on a unit square."""
    used, own_quads = np.unique(quads[rows], return_inverse=True)
    own_quads, points = own_quads.reshape(-1, 4), points_mm[used]
    net = _Net(own_quads, points)
    rim = net.rims[0]
    middle = rim[(mirror[used] == used)[rim]]
    top, bottom = (int(middle[pick(points[middle, 1])]) for pick in (np.argmax, np.argmin))
    if name == "front":
        rim, place = _on_square(rim, points, [(bottom, 0.5), (top, 2.5), (bottom, 4.5)])
        uv = net.laid(rim, place, density[used])
        row = np.full(len(points_mm), -1)
        row[used] = np.arange(len(used))
        uv = (uv + (uv * [-1, 1] + [1, 0])[row[mirror[used]]]) / 2
    else:
        # The third corner is the end of the seam with the front; lengths share out the rest.
        low = points[rim, 1] < points[bottom, 1] + _NECK_LIES_WITHIN_MM
        corner = int(rim[np.where(low, points[rim, 2], -np.inf).argmax()])
        anchors = [(top, 3.0), (bottom, 4.0), (corner, 5.0), (top, 7.0)]
        rim, place = _on_square(rim, points, anchors)
        uv = net.laid(rim, place, density[used])
    return Island(name, rows, uv, own_quads)


def _edges(quads: np.ndarray) -> np.ndarray:
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    return np.unique(np.sort(sides, axis=1), axis=0)


class _Net:
    """Springs along the edges of quads; holes are spanned from a point in their middle."""

    def __init__(self, quads: np.ndarray, points_mm: np.ndarray) -> None:
        self.quads, self.points_mm = quads, points_mm
        self.n = len(points_mm)
        self.rims = _rims(quads)
        holes = self.rims[1:]
        spans = [np.stack([r, np.full(len(r), self.n + k)], 1) for k, r in enumerate(holes)]
        self.edges = np.concatenate([_edges(quads), *spans])
        self.n_all = self.n + len(holes)
        # A hole's triangles are quads with a doubled corner, so that it stays open.
        fans = [
            np.stack([r, np.roll(r, -1), c[:, 1], c[:, 1]], 1)
            for r, c in zip(holes, spans, strict=True)
        ]
        self.faces = np.concatenate([quads, *fans])
        middles = [points_mm[r].mean(axis=0) for r in holes]
        corners = np.concatenate([points_mm, np.reshape(middles, (-1, 3))])[self.faces]
        across = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
        self.area_mm2 = self._at_points(np.linalg.norm(across, axis=1) / 2)

    def _at_points(self, of_faces: np.ndarray) -> np.ndarray:
        return np.bincount(self.faces.ravel(), np.repeat(of_faces, 4), minlength=self.n_all)

    def laid(self, fixed: np.ndarray, place: np.ndarray, density: np.ndarray) -> np.ndarray:
        """(points, 2): every point in the weighted mean of its neighbours, areas as asked for."""
        i = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        j = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        pull = np.ones(self.n_all)
        holes = np.ones(self.n_all - self.n)
        wanted = self.area_mm2 * np.append(density, holes)
        wanted = wanted / wanted.sum()
        free = np.setdiff1d(np.arange(self.n_all), fixed)
        for _ in range(_ROUNDS):
            springs = sp.csr_matrix((pull[j], (i, j)), shape=(self.n_all, self.n_all))
            net = sp.csr_matrix(sp.diags(np.asarray(springs.sum(axis=1)).ravel()) - springs)
            uv = np.zeros((self.n_all, 2))
            uv[fixed] = place
            right = -(net[free][:, fixed] @ place)
            uv[free] = spla.splu(sp.csc_matrix(net[free][:, free])).solve(right)
            a, b = (uv[self.faces[:, k + 2]] - uv[self.faces[:, k]] for k in (0, 1))
            area = self._at_points(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 2)
            stretch = wanted / np.maximum(area / area.sum(), 1e-12)
            pull /= stretch ** (_STEP / 2)
        return uv[: self.n]


def _rims(quads: np.ndarray) -> list[np.ndarray]:
    """Closed lines of edges that one quad alone uses, the longest first, each in order."""
    sides = np.stack([quads, np.roll(quads, -1, axis=1)], axis=2).reshape(-1, 2)
    _, inverse, uses = np.unique(
        np.sort(sides, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    following = dict(sides[uses[inverse.ravel()] == 1].tolist())
    rims = []
    while following:
        rim = [next(iter(following))]
        while (after := following.pop(rim[-1])) != rim[0]:
            rim.append(after)
        rims.append(np.array(rim))
    return sorted(rims, key=len, reverse=True)


def _on_square(
    rim: np.ndarray, points_mm: np.ndarray, anchors: list[tuple[int, float]]
) -> tuple[np.ndarray, np.ndarray]:
    """A rim, in the anchors' order, and where its points lie on the edge of the unit square.

    Args:
        anchors: points of the rim, the first one also last, and their distances along the edge of
            the square, counter-clockwise from the lower left corner.
    """
    rim = np.roll(rim, -int(np.flatnonzero(rim == anchors[0][0])[0]))
    at = [int(np.flatnonzero(rim == point)[0]) for point, _ in anchors[:-1]]
    if len(at) == 2:
        # The two ways between two anchors: the left side of the body lies on the right.
        backwards = points_mm[rim[1 : at[1]], 0].mean() < 0
    else:
        backwards = at != sorted(at)
    if backwards:
        rim = np.append(rim[0], rim[:0:-1])
        at = [int(np.flatnonzero(rim == point)[0]) for point, _ in anchors[:-1]]
    closed = np.append(rim, rim[0])
    steps = np.linalg.norm(np.diff(points_mm[closed], axis=0), axis=1)
    length = np.append(0, steps.cumsum())
    along = np.interp(length[:-1], length[[*at, len(rim)]], [s for _, s in anchors]) % 4
    side, share = along.astype(int), along % 1
    zero, one = np.zeros(len(rim)), np.ones(len(rim))
    x = np.choose(side, [share, one, 1 - share, zero])
    y = np.choose(side, [zero, share, one, 1 - share])
    return rim, _bulged(np.stack([x, y], axis=1))


def _bulged(place: np.ndarray) -> np.ndarray:
    """The edge of the unit square made round everywhere: three points of it in a line would leave
    a quad without area."""
    offset = 2 * place - 1
    norm = (np.abs(offset) ** _ROUNDNESS).sum(axis=1) ** (1 / _ROUNDNESS)
    return 0.5 + 0.5 * offset / norm[:, None]
