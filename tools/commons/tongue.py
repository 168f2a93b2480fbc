"""The tongue, at rest behind the lower teeth and put out: one shape in two places.

Its frame is that of the teeth: the origin on the mid-line at the edge of the upper front teeth.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from commons.things import Thing, grid_quads, outwards, through

# The line through its middle from the root to the tip, (y, z) in mm; half of its width and of its
# thickness there; how deep the groove along it is.
_STATIONS = np.array([0.0, 0.2, 0.4, 0.6, 0.78, 0.92])
_REST_MM = (
    (-12.0, -62.0),
    (-6.0, -48.0),
    (-4.0, -36.0),
    (-4.5, -25.0),
    (-6.0, -16.5),
    (-7.5, -10.5),
)
_OUT_MM = ((-12.0, -52.0), (-4.0, -34.0), (1.5, -18.0), (5.5, -1.0), (4.0, 14.0), (-5.5, 26.0))
_HALF_WIDTH_MM = {
    "rest": (15.0, 17.5, 18.5, 17.5, 14.0, 8.5),
    "out": (14.0, 15.5, 15.0, 14.0, 13.0, 9.0),
}
_HALF_THICKNESS_MM = {
    "rest": (9.0, 8.5, 7.5, 6.0, 4.5, 2.8),
    "out": (9.0, 8.0, 6.5, 5.0, 4.0, 2.8),
}
_TIP_MM = 4.5
_GROOVE_MM = 1.3
# Around a cross-section from the left edge over the tongue's back to the right one and below:
# shares of half the width and half the thickness.
_ACROSS = np.array([1.0, 0.72, 0.0, -0.72, -1.0, -0.66, 0.0, 0.66])
_OVER = np.array([0.0, 0.85, 0.92, 0.85, 0.0, -0.8, -1.0, -0.8])
_MIRRORED = np.array([4, 3, 2, 1, 0, 7, 6, 5])
_TOP, _BOTTOM = 2, 6


@dataclass(frozen=True)
class Tongue:
    """The thing at rest, and how its control points move when it is put out."""

    thing: Thing
    out_mm: np.ndarray
    """(points, 3)"""


def tongue() -> Tongue:
    """Rings from the root, which is open, and a tip of four quads."""
    rest, out = _shape(_REST_MM, "rest"), _shape(_OUT_MM, "out")
    n, around = len(_STATIONS), len(_ACROSS)
    rings = np.arange(n * around).reshape(n, around)
    tip, end = n * around, rings[-1]
    cap = np.array([[tip, end[k - 1], end[k], end[k + 1]] for k in (0, 2, 4, 6)])
    quads = np.concatenate([grid_quads(n, around, closed=True), cap])
    turned = np.concatenate(
        [outwards(rest, part, rest[rings[n // 2]].mean(axis=0)) for part in (quads[:-4], cap)]
    )
    uv, uv_quads = _unrolled(n, around)
    same = [np.array_equal(turned[k], quads[k]) for k in (0, -1)]
    uv_quads[:-4] = uv_quads[:-4] if same[0] else uv_quads[:-4, ::-1]
    uv_quads[-4:] = uv_quads[-4:] if same[1] else uv_quads[-4:, ::-1]
    control = through(rest, turned)
    mirror = np.append(rings[:, _MIRRORED].ravel(), tip)
    thing = Thing("tongue", control, turned, mirror, uv, uv_quads)
    return Tongue(thing, through(out, turned) - control)


def _shape(line_mm: tuple, state: str) -> np.ndarray:
    """(points, 3) of the surface: ring by ring, and the tip."""
    line = CubicSpline(_STATIONS, np.array(line_mm))
    along = line(_STATIONS, 1)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    rings = []
    for k, station in enumerate(_STATIONS):
        y, z = line(station)
        # Upwards is a quarter turn from the way along, in the plane x = 0.
        up = _HALF_THICKNESS_MM[state][k] * _OVER
        up[_TOP] -= _GROOVE_MM
        x = _HALF_WIDTH_MM[state][k] * _ACROSS
        rings.append(np.stack([x, y + up * along[k, 1], z - up * along[k, 0]], axis=1))
    tip = line(_STATIONS[-1]) + _TIP_MM * along[-1]
    return np.concatenate([*rings, [[0.0, *tip]]])


def _unrolled(n: int, around: int) -> tuple[np.ndarray, np.ndarray]:
    """The rings cut open along the middle below, and the tip as a disc of its own beyond them."""
    order = (_BOTTOM + np.arange(around + 1)) % around
    row, column = np.meshgrid(np.arange(n), np.arange(around + 1), indexing="ij")
    strip = np.stack([5.0 * column.ravel(), 8.5 * row.ravel()], axis=1)
    turn = 2 * np.pi * np.arange(around) / around
    disc = 7 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    middle = np.array([2.5 * around, 8.5 * (n - 1) + 9.5])
    place = np.zeros(around, dtype=int)
    place[order[:-1]] = np.arange(around)
    grid = grid_quads(n, around + 1)
    # In the order of the closed grid: the quad from section point k to the next.
    per_row = grid.reshape(n - 1, around, 4)[:, place]
    first = len(strip)
    cap = np.array(
        [[first + around, first + (k - 1) % around, first + k, first + k + 1] for k in (0, 2, 4, 6)]
    )
    return (
        np.concatenate([strip, disc + middle, middle[None]]),
        np.concatenate([per_row.reshape(-1, 4), cap]),
    )
