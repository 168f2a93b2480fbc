"""Upper and lower teeth, one by one, and the gums they stand in.

The frame: x to the left, y up, z to the front, the origin on the mid-line at the edge of the upper
front teeth. Sizes are those of average adults (M. Ash, S. Nelson, "Wheeler's dental anatomy,
physiology and occlusion", 8th edition, 2003, tables of chapter 1); the second and third molars,
which no photo shows, are left out.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from commons.things import Thing, grid_quads, outwards, through, with_mirror_image

JAWS = ("upper", "lower")


@dataclass(frozen=True)
class _Kind:
    """A tooth, all in mm. Rows: near the edge, at the widest, in the gum."""

    width: float
    height: float
    front: tuple[float, float, float]
    """Of the face that the lips touch, before the middle of the arch."""
    back: tuple[float, float, float]
    """The same of the face that the tongue touches; the crown lies between the two."""
    taper: tuple[float, float, float]
    """Shares of the width. Necks are narrower than crowns, but gum fills what they leave."""
    neck_round_off: float
    """How far the sides of the front stand behind its middle in the gum. The flatter a neck, the
    more of its width the gum's edge goes straight across."""
    cusp: float = 0.0
    """How far the middle of the edge stands out."""
    columns: int = 3
    """Points across front and back."""


def _incisor(width: float, height: float) -> _Kind:
    return _Kind(width, height, (1.6, 2.5, 1.5), (0.5, -1.2, -2.8), (0.95, 1.0, 0.84), 0.3)


def _canine(width: float, height: float) -> _Kind:
    front, back = (1.7, 3.2, 1.8), (0.3, -1.8, -3.6)
    return _Kind(width, height, front, back, (0.78, 1.0, 0.82), 0.6, cusp=1.0)


def _premolar(width: float, height: float) -> _Kind:
    front, back = (2.3, 4.0, 2.6), (-2.6, -3.9, -3.2)
    return _Kind(width, height, front, back, (0.88, 1.0, 0.86), 0.7, cusp=0.9)


def _molar(width: float, height: float) -> _Kind:
    front, back = (3.4, 4.9, 3.2), (-3.4, -4.8, -4.2)
    return _Kind(width, height, front, back, (0.90, 1.0, 0.90), 0.7, columns=2)


_TEETH = {
    "upper": (_incisor(8.5, 10.5), _incisor(6.6, 9.0), _canine(7.6, 10.0), _premolar(7.0, 8.5),
              _premolar(7.0, 8.2), _molar(10.0, 7.5)),
    "lower": (_incisor(5.2, 8.8), _incisor(5.8, 9.0), _canine(6.8, 10.5), _premolar(7.0, 8.5),
              _premolar(7.1, 8.0), _molar(11.0, 7.5)),
}  # fmt: skip
# Middles of the arches: x and z at stations from the front to behind the last tooth.
_ARCH_MM = {
    "upper": ((0, 0), (9.5, -1.5), (17.6, -8.0), (22.6, -19.0), (25.6, -33.0), (27.2, -47.0)),
    "lower": ((0, 0), (7.6, -1.4), (14.6, -7.2), (20.4, -18.5), (23.9, -33.0), (25.8, -47.0)),
}
# A usual bite: the upper front teeth overlap the lower ones and stand before them; further back
# the teeth meet.
_OVERBITE_MM, _OVERJET_MM = 1.6, 2.6
_GAP_MM = 0.12
_INTO_GUM_MM = 2.0
_CELL_MARGIN_MM = 1.0
"""Between the teeth in the texture."""
_GUM_SECTION = ((8.0, 1.9), (1.2, 2.3), (-2.2, 0.2), (-3.2, -2.2), (3.0, -5.6))
"""Height over the end of the crown, and distance before the arch, from the lips to the tongue. From
the second to the third the edge is steep, and lies on the tooth."""
_GUM_OVER_TOOTH_MM, _GUM_BETWEEN_MM = 0.7, -0.8
"""The edge is scalloped: raised in the middle of a front tooth, lowered between two."""
_GUM_LAST_MM = (-17.5, -1.0)
"""The last two stations of a gum, from the end of the molar: the edge is straight from the canine
on."""
# Where the gums' points lie in the texture, which is older than their edges: along the arch they
# were between teeth alone. Textures that were made with an earlier model fit this one, too.
_GUM_TEXTURE_SECTION = ((8.0, 1.5), (0.8, 2.3), (-3.6, 0.7), (-3.2, -2.2), (3.0, -5.6))
_GUM_TEXTURE_BEYOND_MM = 6.0


def dental_arch(jaw: str) -> Thing:
    """The teeth of one jaw."""
    pieces, along, cell = [], 0.0, _CELL_MARGIN_MM
    for kind in _TEETH[jaw]:
        pieces.append(_tooth(kind, jaw, along + kind.width / 2, cell))
        along += kind.width
        cell += np.ptp(pieces[-1].uv[:, 0]) + _CELL_MARGIN_MM
    return with_mirror_image(f"teeth_{jaw}", pieces)


def gums(jaw: str) -> Thing:
    """The band that the teeth of one jaw stand in, open towards the bone."""
    kinds = _TEETH[jaw]
    edges = np.append(0, np.cumsum([kind.width for kind in kinds]))
    middles = (edges[1:] + edges[:-1]) / 2
    front = [middles[0], edges[1], middles[1], edges[2], middles[2]]
    stations = _both_sides(np.append(front, edges[-1] + np.array(_GUM_LAST_MM)))
    height = np.interp(np.abs(stations), middles, [kind.height for kind in kinds])
    between = np.isin(np.abs(stations), edges)
    height += np.where(between, _GUM_BETWEEN_MM, _GUM_OVER_TOOTH_MM)
    at = _arch_points(jaw, stations)
    over, before = np.array(_GUM_SECTION).T
    # Behind the front teeth crowns are thicker.
    thicker = 1 + 0.55 * np.clip((np.abs(stations) - 14) / 14, 0, 1)
    rows = [
        at.point + at.outward * (b * thicker)[:, None] + _up(jaw) * (height + o)[:, None]
        for o, b in zip(over, before, strict=True)
    ]
    points = _settled(np.stack(rows).reshape(-1, 3), np.tile(stations, len(rows)), jaw)
    n = len(stations)
    quads = grid_quads(len(rows), n)
    centre = np.array([0, (_up(jaw) * 14)[1], -30.0])
    length = np.append(0, np.cumsum(np.hypot(*np.diff(_GUM_TEXTURE_SECTION, axis=0).T)))
    drawn_at = _both_sides(np.append(edges[1:], edges[-1] + _GUM_TEXTURE_BEYOND_MM))
    uv = np.stack([np.tile(drawn_at, len(rows)), np.repeat(length, n)], axis=1)
    flipped = outwards(points, quads, centre)[0, 1] != quads[0, 1]
    turned = quads[:, ::-1] if flipped else quads
    return Thing(
        part=f"gums_{jaw}",
        points_mm=through(points, turned),
        quads=turned,
        mirror=(np.arange(len(points)).reshape(len(rows), n)[:, ::-1]).ravel(),
        uv=uv,
        uv_quads=turned,
    )


def _both_sides(left_mm: np.ndarray) -> np.ndarray:
    """Places along the arch, from the right end over the mid-line to the left end."""
    return np.concatenate([-left_mm[::-1], [0.0], left_mm])


@dataclass(frozen=True)
class _OnArch:
    point: np.ndarray
    along: np.ndarray
    """Unit, towards the end of the arch."""
    outward: np.ndarray
    """Unit, towards lips and cheeks."""


def _arch_points(jaw: str, along_mm: np.ndarray) -> _OnArch:
    """Places at distances along the middle of the arch, to the left from the front."""
    x, z = np.array(_ARCH_MM[jaw], dtype=np.float64).T
    chord = np.append(0, np.cumsum(np.hypot(np.diff(x), np.diff(z))))
    both = np.concatenate([-chord[:0:-1], chord])
    x, z = np.concatenate([-x[:0:-1], x]), np.concatenate([z[:0:-1], z])
    curve = CubicSpline(both, np.stack([x, np.zeros_like(x), z], axis=1))
    along = curve(along_mm, 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    outward = np.stack([-along[:, 2], np.zeros(len(along)), along[:, 0]], axis=1)
    return _OnArch(curve(along_mm), along, outward)


def _up(jaw: str) -> np.ndarray:
    """From the edge of the teeth into the gum."""
    return np.array([0.0, 1.0 if jaw == "upper" else -1.0, 0.0])


def _settled(points_mm: np.ndarray, along_mm: np.ndarray, jaw: str) -> np.ndarray:
    """The lower jaw's points moved into the bite; both jaws' back teeth meet half-way."""
    front = np.clip(1 - (np.abs(along_mm) - 16) / 12, 0, 1)
    if jaw == "upper":
        return points_mm + np.outer(1 - front, [0, 0.15, 0])
    return points_mm + np.outer(front, [0, _OVERBITE_MM, 0]) + [0, -0.15, -_OVERJET_MM]


def _tooth(kind: _Kind, jaw: str, along_mm: float, cell_mm: float) -> Thing:
    """A crown of rings, open in the gum, with a cap on its edge."""
    share = np.linspace(-1, 1, kind.columns)
    heights = (0.09 * kind.height, 0.45 * kind.height, kind.height + _INTO_GUM_MM)
    rings = []
    for row, height in enumerate(heights):
        half = 0.5 * (kind.width - _GAP_MM) * kind.taper[row] * 0.93
        round_off = (0.35, 0.8, kind.neck_round_off)[row] * (1.3 if kind.columns == 2 else 1.0)
        for surface, side in ((kind.front[row], 1), (kind.back[row], -1)):
            across = half * share * side
            depth = surface - side * round_off * share**2
            raised = np.full(kind.columns, height)
            if row == 0:
                raised += kind.cusp * (share**2 - 0.35) * (1.0 if side > 0 else 0.8)
            rings.append(np.stack([across, raised, depth], axis=1))
    local = np.concatenate(rings)
    per_ring = 2 * kind.columns
    quads = grid_quads(len(heights), per_ring, closed=True)
    front, back = np.arange(kind.columns), np.arange(per_ring - 1, kind.columns - 1, -1)
    cap = np.stack([front[:-1], back[:-1], back[1:], front[1:]], axis=1)
    quads = np.concatenate([quads, cap])
    at = _arch_points(jaw, np.array([along_mm]))
    points = (
        at.point + local[:, :1] * at.along + local[:, 1:2] * _up(jaw) + local[:, 2:] * at.outward
    )
    points = _settled(points, np.full(len(points), along_mm), jaw)
    turned = outwards(points, quads, points.mean(axis=0))
    flipped = not np.array_equal(turned, quads)
    uv, uv_quads = _tooth_uv(kind, per_ring, np.array(heights))
    return Thing(
        part=f"teeth_{jaw}",
        points_mm=through(points, turned),
        quads=turned,
        mirror=np.arange(len(points)),
        uv=uv - [uv[:, 0].min() - cell_mm, 0],
        uv_quads=uv_quads[:, ::-1] if flipped else uv_quads,
    )


def _tooth_uv(kind: _Kind, per_ring: int, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rings unrolled, front first, and the cap below the front."""
    n = kind.columns
    thick = kind.front[1] - kind.back[1]
    front = np.linspace(0, 0.9 * kind.width, n)
    back = front + 0.9 * kind.width + 0.5 * thick
    u = np.concatenate([front, back, [back[-1] + 0.5 * thick]])
    columns = per_ring + 1
    grid = np.stack([np.tile(u, len(heights)), np.repeat(heights, columns)], axis=1)
    cap = np.stack([front, np.full(n, heights[0] - 0.6 * thick)], axis=1)
    uv = np.concatenate([grid, cap])
    quads = grid_quads(len(heights), columns)
    first_cap = len(grid)
    below = np.stack(
        [
            np.arange(n - 1),
            first_cap + np.arange(n - 1),
            first_cap + np.arange(1, n),
            np.arange(1, n),
        ],
        axis=1,
    )
    return uv, np.concatenate([quads, below])
