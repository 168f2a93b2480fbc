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

_CELL_MM, _SPAN_MM = 4.0, 240.0
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
    thick_mm: tuple[float, float] = ranged((1.5, 12.0), 0.0)
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
    tips_mm: float = ranged(2.0, 0.0)
    """Spread of the heights at which its locks end."""
    locks_mm: float = ranged(5.0, 0.0)
    """The same of broader locks, which are longer and shorter."""
    lock_columns: float = ranged(1.2, 0.1)
    """Standard deviation of the blur, in columns, that makes these."""
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
        ends = ends + settings.tips_mm * np.random.default_rng(k).standard_normal(len(ends))
        ends = ends + settings.locks_mm * _locks(len(ends), settings.lock_columns, k)
        ends[-1] = middle
        y = top + down[:, None] * (ends - top)
        sides.append(_side(beside, k, sign, y, t, back, head_mm, settings))
    left, right = sides
    outer = np.concatenate([left, right[:, -2::-1]], 1)
    return np.concatenate([outer, _within(outer, settings)[:, ::-1]], 1)


def _locks(columns: int, blur: float, k: int) -> Float[np.ndarray, "columns"]:
    """Of variance 1, the same for all people."""
    drawn = np.random.default_rng(k + 2).standard_normal(columns)
    smooth = gaussian_filter1d(drawn, blur)
    return (smooth - smooth.mean()) / smooth.std()


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
    x, z = _section(beside, k, y, t, back, head_mm, settings)
    x, z = _clear_of_head(x, y, z, beside.heights_mm, sign, head_mm, settings)
    # Down into the raised hair, from all sides.
    half = np.pi / 2 * t
    inwards = np.concatenate([np.sin(half), np.cos(np.pi / 2 * back)])
    onwards = np.concatenate([-np.cos(half), np.sin(np.pi / 2 * back)])
    uneven = np.random.default_rng(k).standard_normal(y.shape[1])
    sinks_from = settings.sinks_from_mm + settings.uneven_mm * uneven
    sunk = (y - sinks_from) / (beside.heights_mm[0] - settings.sinks_from_mm)
    sunk = settings.sunk_mm * np.clip(sunk, 0, 1)
    return np.stack([sign * np.maximum(x - sunk * inwards, 0), y, z + sunk * onwards], -1)


def _section(
    beside: HairBeside,
    k: int,
    y: Float[np.ndarray, "rows half"],
    t: Float[np.ndarray, "front"],
    back: Float[np.ndarray, "back"],
    head_mm: Float[np.ndarray, "vertices 3"],
    settings: HairCurtainSettings,
) -> tuple[Float[np.ndarray, "rows half"], Float[np.ndarray, "rows half"]]:
    """Distance from the middle and depth of one half, as if there were no head within."""
    heights = beside.heights_mm[::-1]

    def line(values: np.ndarray) -> np.ndarray:
        return np.interp(y, heights, values[::-1])

    inner, outer = line(beside.inner_mm[k]), line(beside.outer_mm[k])
    least = inner + 2.0
    outer = np.maximum(outer, least)
    step = heights[1] - heights[0]
    even = gaussian_filter1d(beside.outer_mm[k], settings.even_mm / step, mode="nearest")
    share = np.concatenate([0 * t, back**0.5])
    outer = outer + share * (np.maximum(line(even), least) - outer)
    half, widest, power = np.pi / 2 * t, settings.widest_z_mm, 2 / settings.squareness
    front = slice(len(t))
    x_front = inner[:, front] + (outer - inner)[:, front] * np.sin(half)
    z_front = widest + (settings.front_z_mm - widest) * np.cos(half)
    x_back = outer[:, len(t) :] * np.cos(np.pi / 2 * back) ** power
    # Behind the head, and then down, towards the neck.
    down = y[:, -1]
    behind = _reach(head_mm[:, 1], head_mm[:, 0], -head_mm[:, 2], heights).max(1)
    nape = gaussian_filter1d(-behind, 1.0) - settings.clear_mm
    hung = np.interp(0.0, heights, nape) - settings.back_slope * np.minimum(down, 0)
    middle = np.minimum(np.interp(down, heights, nape), np.where(down < 0, hung, np.inf))
    z_back = widest + (middle[:, None] - widest) * np.sin(np.pi / 2 * back) ** power
    z_front = np.broadcast_to(z_front, x_front.shape)
    return np.concatenate([x_front, x_back], 1), np.concatenate([z_front, z_back], 1)


def _clear_of_head(
    x: Float[np.ndarray, "rows half"],
    y: Float[np.ndarray, "rows half"],
    z: Float[np.ndarray, "rows half"],
    heights_mm: Float[np.ndarray, "levels"],
    sign: float,
    head_mm: Float[np.ndarray, "vertices 3"],
    settings: HairCurtainSettings,
) -> tuple[Float[np.ndarray, "rows half"], Float[np.ndarray, "rows half"]]:
    """Distance from the middle and depth with the head within: pushed forward, back and out."""
    heights, front = heights_mm[::-1], settings.columns_front
    level, aside, depth = head_mm[:, 1], sign * head_mm[:, 0], head_mm[:, 2]
    before = _at(_reach(level, aside, depth, heights), y, x, heights) + settings.clear_mm
    behind = _at(_reach(level, aside, -depth, heights), y, x, heights) + settings.clear_mm
    rounds = settings.even_rows
    before = gaussian_filter1d(grey_closing(before, (2 * rounds + 1, 1)), rounds / 3, axis=0)
    z = z.copy()
    z[:, :front] = np.maximum(z[:, :front], before[:, :front])
    z[:, front + 1 :] = np.minimum(z[:, front + 1 :], -behind[:, front + 1 :])
    z = gaussian_filter1d(z, 1.0, axis=0, mode="nearest")
    wide = _at(_reach(level, depth, aside, heights), y, z, heights) + settings.clear_mm
    pushed = np.maximum(wide - x, 0)
    # Neighbours follow, so that nothing sticks out; the rims and the middle of the back stay.
    pushed = gaussian_filter1d(gaussian_filter1d(pushed, 1.0, axis=1), 1.0, axis=0)
    pushed[:, [0, -1]] = 0
    return x + pushed, z


def _reach(
    level_mm: Float[np.ndarray, "vertices"],
    along_mm: Float[np.ndarray, "vertices"],
    outwards_mm: Float[np.ndarray, "vertices"],
    heights: Float[np.ndarray, "levels"],
) -> Float[np.ndarray, "levels cells"]:
    """How far a head reaches outwards in cells of height and of another direction; far within it
    where it has no vertex."""
    row = np.round((level_mm - heights[0]) / (heights[1] - heights[0])).astype(int)
    cell = np.round((along_mm + _SPAN_MM) / _CELL_MM).astype(int)
    n_cells = int(2 * _SPAN_MM / _CELL_MM)
    there = (row >= 0) & (row < len(heights)) & (cell >= 0) & (cell < n_cells)
    reach = np.full((len(heights), n_cells), _NONE)
    np.maximum.at(reach, (row[there], cell[there]), outwards_mm[there])
    # Vertices are some 3 mm apart, and cells without any lie between them.
    return maximum_filter(reach, (3, 3))


def _at(
    cells: Float[np.ndarray, "levels cells"],
    y: np.ndarray,
    along_mm: np.ndarray,
    heights: Float[np.ndarray, "levels"],
) -> np.ndarray:
    row = np.round((y - heights[0]) / (heights[1] - heights[0])).astype(int)
    cell = np.round((along_mm + _SPAN_MM) / _CELL_MM).astype(int)
    return cells[row.clip(0, len(cells) - 1), cell.clip(0, cells.shape[1] - 1)]


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
