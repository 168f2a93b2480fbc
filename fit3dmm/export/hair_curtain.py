"""From the lines that a photo shows of hanging hair to a sheet in space.

A photo from ahead tells how far to the sides hair hangs, row by row (`export.hair_beside`). Around
the back a level of it is taken for half a superellipse, and before the ears for a quarter of an
ellipse that ends beside the face; nowhere does the head come out of it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, grey_closing, maximum_filter

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_beside import SIDES, HairBeside

_CELL_MM = 4.0
_NONE = -1e3


@dataclass(frozen=True)
class HairCurtainSettings(Settings):
    """What hanging hair is like where no photo shows it: judgements by looking."""

    rows: int = ranged(34, 4)
    """Of the grid."""
    columns_front: int = ranged(8, 2)
    """Of each side, from its rim beside the face to where it is widest."""
    columns_back: int = ranged(12, 2)
    """Of each side, from there to the middle of the back."""
    front_z_mm: float = 15.0
    """Depth of the rims beside the face, in the `model` frame."""
    widest_z_mm: float = ranged(-12.0, -100.0)
    """The same of where it is widest."""
    squareness: float = ranged(2.3, 1.0)
    """Power of the superellipse of the back."""
    clear_mm: float = ranged(3.0, 0.0)
    """How far before the skin it hangs at least."""
    thick_mm: tuple[float, float] = ranged((3.0, 12.0), 0.0)
    """Thickness of the sheet at its rims, and elsewhere."""
    back_slope: float = ranged(0.25, 0.0)
    """How fast it draws nearer to the neck, further down."""
    sinks_from_mm: float = 50.0
    """Height from which on it goes down into the raised hair of the scalp."""
    sunk_mm: float = ranged(16.0, 0.0)
    """How deep it lies there at its upper end."""
    rounded_mm: float = ranged(22.0, 0.0)
    """How much higher the rims end."""
    even_mm: float = ranged(40.0, 1.0)
    """Standard deviation of the blur that takes waves of the outline out of the back."""
    uneven_mm: float = ranged(7.0, 0.0)
    """Spread of the heights from which locks go down into the raised hair."""
    even_rows: int = ranged(8, 1)
    """Rows over which its rims hang straight, and do not follow each hollow of the face."""
    tip_rows: int = ranged(4, 1)
    """Rows over which it grows thin at its lower end."""


def curtain(
    beside: HairBeside,
    head_mm: Float[np.ndarray, "vertices 3"],
    settings: HairCurtainSettings,
) -> Float[np.ndarray, "rows columns 3"]:
    """The grid of points of `HangingHair`.

    Args:
        beside: hair beside face and neck.
        head_mm: the head at rest with its hair raised, in the `model` frame.
        settings: what it is like elsewhere.
    """
    t = np.linspace(0, 1, settings.columns_front, endpoint=False)
    back = np.linspace(0, 1, settings.columns_back + 1)
    sides = []
    top = beside.heights_mm[0]
    hangs = beside.end_mm
    down = np.linspace(0, 1, settings.rows)
    along = np.concatenate([0 * t, back])
    # The back hangs as low as the sides do on average.
    middle = hangs.mean()
    for k, sign in enumerate(SIDES):
        ends = hangs[k] + along**1.5 * (middle - hangs[k])
        # Rims are rounded off below.
        ends = ends + settings.rounded_mm * np.concatenate([(1 - t) ** 2, 0 * back])
        y = top + down[:, None] * (ends - top)
        sides.append(_side(beside, k, sign, y, t, back, head_mm, settings))
    left, right = sides
    outer = np.concatenate([left, right[:, -2::-1]], 1)
    return np.concatenate([outer, _within(outer, settings)[:, ::-1]], 1)


def _side(
    beside: HairBeside,
    k: int,
    sign: float,
    y: Float[np.ndarray, "rows half"],
    t: Float[np.ndarray, "front"],
    back: Float[np.ndarray, "back"],
    head_mm: Float[np.ndarray, "vertices 3"],
    settings: HairCurtainSettings,
) -> Float[np.ndarray, "rows half 3"]:
    """Outer side of one half, from the rim to the middle of the back."""
    n = y.shape[1]
    heights = beside.heights_mm[::-1]
    draw = np.random.default_rng(k).standard_normal(n)
    sinks_from = settings.sinks_from_mm + settings.uneven_mm * draw
    sunk = np.clip((y - sinks_from) / (heights[-1] - settings.sinks_from_mm), 0, 1)
    sunk = settings.sunk_mm * sunk

    def line(values: np.ndarray) -> np.ndarray:
        return np.interp(y, heights, values[::-1])

    inner, outer = line(beside.inner_mm[k]), line(beside.outer_mm[k])
    outer = np.maximum(outer, inner + 2.0)
    step = heights[1] - heights[0]
    even = gaussian_filter1d(beside.outer_mm[k], settings.even_mm / step, mode="nearest")
    share = np.concatenate([0 * t, back**0.5])
    outer = outer + share * (np.maximum(line(even), inner + 2.0) - outer)
    front, behind = _extents(head_mm, heights, sign)
    z_w = settings.widest_z_mm
    half = np.pi / 2 * t
    x_front = inner[:, : len(t)] + (outer - inner)[:, : len(t)] * np.sin(half)
    z_front = z_w + (settings.front_z_mm - z_w) * np.cos(half)
    power = 2 / settings.squareness
    x_back = outer[:, len(t) :] * np.cos(np.pi / 2 * back) ** power
    # Behind the head, and then down, towards the neck.
    nape = gaussian_filter1d(behind.min(1), 1.0) - settings.clear_mm
    down = y[:, -1]
    hung = np.interp(0.0, heights, nape) - settings.back_slope * np.minimum(down, 0)
    z_b = np.minimum(np.interp(down, heights, nape), np.where(down < 0, hung, np.inf))
    z_back = z_w + (z_b[:, None] - z_w) * np.sin(np.pi / 2 * back) ** power
    x = np.concatenate([x_front, x_back], 1)
    z = np.concatenate([z_front + 0 * x_front, z_back], 1)
    before = _at(front, y, x, heights) + settings.clear_mm
    after = _at(behind, y, x, heights) - settings.clear_mm
    rounds = settings.even_rows
    before = gaussian_filter1d(grey_closing(before, (2 * rounds + 1, 1)), rounds / 3, axis=0)
    z[:, : len(t)] = np.maximum(z[:, : len(t)], before[:, : len(t)])
    z[:, len(t) + 1 :] = np.minimum(z[:, len(t) + 1 :], after[:, len(t) + 1 :])
    z = gaussian_filter1d(z, 1.0, axis=0, mode="nearest")
    # Down into the raised hair, from all sides.
    inwards = np.concatenate([np.sin(half), np.cos(np.pi / 2 * back)])
    onwards = np.concatenate([-np.cos(half), np.sin(np.pi / 2 * back)])
    x = np.maximum(x - sunk * inwards, 0)
    z = z + sunk * onwards
    return np.stack([sign * x, y, z], -1)


def _extents(
    head_mm: Float[np.ndarray, "vertices 3"],
    heights: Float[np.ndarray, "levels"],
    sign: float,
) -> tuple[Float[np.ndarray, "levels cells"], Float[np.ndarray, "levels cells"]]:
    """How far the head reaches forward and back in cells of height and of distance from the
    middle; where there is none, so far that nothing is."""
    n_cells = int(200 / _CELL_MM)
    step = heights[1] - heights[0]
    row = np.round((head_mm[:, 1] - heights[0]) / step).astype(int)
    cell = np.round(sign * head_mm[:, 0] / _CELL_MM).astype(int)
    there = (row >= 0) & (row < len(heights)) & (cell >= 0) & (cell < n_cells)
    front, behind = (np.full((len(heights), n_cells), _NONE) for _ in range(2))
    place = row[there], cell[there]
    np.maximum.at(front, place, head_mm[there, 2])
    np.maximum.at(behind, place, -head_mm[there, 2])
    # Vertices are some 3 mm apart, and cells without any lie between them.
    front, behind = (maximum_filter(one, (3, 3)) for one in (front, behind))
    return front, -behind


def _at(
    cells: Float[np.ndarray, "levels cells"],
    y: np.ndarray,
    x: np.ndarray,
    heights: Float[np.ndarray, "levels"],
) -> np.ndarray:
    step = heights[1] - heights[0]
    row = np.round((y - heights[0]) / step).astype(int).clip(0, len(cells) - 1)
    cell = np.round(x / _CELL_MM).astype(int).clip(0, cells.shape[1] - 1)
    return cells[row, cell]


def _within(
    outer: Float[np.ndarray, "rows outer 3"], settings: HairCurtainSettings
) -> Float[np.ndarray, "rows outer 3"]:
    """The inner side."""
    along = np.gradient(outer, axis=1)
    inward = np.stack([along[..., 2], 0 * along[..., 1], -along[..., 0]], -1)
    inward = inward / np.linalg.norm(inward, axis=-1, keepdims=True).clip(1e-6)
    n = outer.shape[1]
    from_rim = np.minimum(np.arange(n), np.arange(n)[::-1]) / settings.columns_front
    at_rim, full = settings.thick_mm
    thick = at_rim + (full - at_rim) * np.sqrt(np.clip(from_rim, 0, 1))
    rows = outer.shape[0]
    tip = np.clip((rows - 1 - np.arange(rows)) / settings.tip_rows, 0.1, 1)
    return outer + inward * (thick * tip[:, None])[..., None]
