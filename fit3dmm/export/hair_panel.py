"""A fringe as a sheet: from within the raised hair down over the forehead, to where a photo shows
its end (`export.hair_fringe`)."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import (
    gaussian_filter,
    gaussian_filter1d,
    grey_erosion,
    map_coordinates,
    maximum_filter1d,
)
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.hair_colour import HairSettings
from fit3dmm.export.hair_fringe import Fringe
from fit3dmm.export.hair_front import Front
from fit3dmm.export.hair_hanging import OUTER, HangingHair
from fit3dmm.export.hair_sheet import sheet_shown
from fit3dmm.export.hair_strands import HairStrandsSettings
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import ramp
from fit3dmm.export.texture_seen import HairSeen, Shown
from fit3dmm.export.view import BLACK_LINEAR

# Share of a blur from which on what it is made of tells something.
_LEAST_KNOWN = 0.02
# Share of its length over which it grows thin.
_TIP = 0.12


@dataclass(frozen=True)
class PanelSettings(Settings):
    """What a fringe is like: judgements by looking, not measurements."""

    rows: int = ranged(16, 6)
    """Of the sheet."""
    above_mm: float = ranged(28.0, 1.0)
    """How far above the hairline it begins."""
    sunk_mm: float = ranged(2.0, 0.0)
    """How deep it lies in the raised hair there, and where there is no fringe."""
    clear_mm: float = ranged(0.8, 0.0)
    """How far before the raised hair it lies at least."""
    tip_mm: float = ranged(2.2, 0.0)
    """How far before the skin its lower end hangs."""
    thick_mm: float = ranged(2.5, 0.1)
    """Its thickness at most."""
    gap_columns: int = ranged(4, 1)
    """Half the width of gaps between locks."""
    tips_mm: float = ranged(1.5, 0.0)
    """Spread of the heights at which its locks end, beside what the photo tells of them."""
    begins_mm: tuple[float, float] = ranged((0.0, 5.0), 0.0)
    """Lengths below the hairline from which it is there, and wholly so."""
    even_columns: float = ranged(3.0, 0.1)
    """Standard deviation of the blur, in columns, that makes its upper part even."""
    grazing: tuple[float, float] = (0.25, 0.5)
    """Cosines between its surface and the view from which the photo's colours are taken, and wholly
    so."""
    beyond_mm: tuple[float, float] = ranged((1.0, 4.0), 0.0)
    """Distances from the fitted head from which the photo may show a wall."""
    odd: float = ranged(2.0, 0.0)
    """Lightness and redness, over their usual spreads, from which a place shows skin."""
    odd_removed: float = ranged(0.75, 0.0, 1.0)
    """Share of what is beyond that which is taken out."""
    border_px: int = ranged(3, 1)
    """Width of what is left out about holes."""
    hole_px: float = ranged(12.0, 0.5)
    """Standard deviation of the blur that closes them."""
    broad_px: float = ranged(40.0, 1.0)
    """Standard deviation of what is taken for the light's work, and not the hair's."""
    broad_removed: float = ranged(0.5, 0.0, 1.0)
    """Share of that which is taken out."""


def panel(
    fringe: Fringe,
    grid: Front,
    skin_mm: Float[Tensor, "vertices 3"],
    raised_mm: Float[Tensor, "vertices 3"],
    outward: Float[Tensor, "vertices 3"],
    settings: PanelSettings,
) -> Float[np.ndarray, "rows columns 3"]:
    """The grid of points of `HangingHair`.

    Args:
        fringe: where it ends.
        grid: whose columns these are.
        skin_mm: the head at rest, in the `model` frame.
        raised_mm: the same with its hair raised.
        outward: unit vectors along which that is.
        settings: what it is like.
    """
    rows, columns = grid.shape
    stacked = grid.at(torch.cat([skin_mm, raised_mm, outward], 1)).double().cpu().numpy()
    stacked = stacked.reshape(rows, columns, 9)
    row_mm = np.linalg.norm(np.diff(stacked[..., :3], axis=0), axis=-1).mean(0)
    hairline = fringe.end_row - fringe.down_mm / row_mm
    top = (hairline - settings.above_mm / row_mm).clip(0)
    low, high = settings.begins_mm
    there = ((fringe.down_mm - low) / (high - low)).clip(0, 1)
    end = np.maximum(fringe.end_row, hairline + low / row_mm)
    tips = gaussian_filter1d(np.random.default_rng(0).standard_normal(columns), 1.0)
    end = end + settings.tips_mm * tips / row_mm
    # Rows go on straight across the gaps between locks, and meet at their ends.
    straight = maximum_filter1d(end, 2 * settings.gap_columns + 1)
    straight = np.maximum(gaussian_filter1d(straight, settings.gap_columns / 2), end)
    down = np.linspace(0, 1, settings.rows)[:, None]
    at_row = np.minimum(top + down * (straight - top), end)
    v = (at_row - top) / np.maximum(end - top, 1e-6)
    past = down * (straight - top) / np.maximum(end - top, 1e-6)
    column = np.broadcast_to(np.arange(columns), at_row.shape)
    on_skin, on_hair, along = np.split(
        np.stack(
            [
                map_coordinates(stacked[..., k], [at_row, column], order=1, mode="nearest")
                for k in range(9)
            ],
            -1,
        ),
        3,
        -1,
    )
    stands = np.linalg.norm(on_hair - on_skin, axis=-1)
    even = gaussian_filter1d(stands[0], settings.even_columns)
    hung = even + (settings.tip_mm - even) * v
    off = np.maximum(hung, stands + settings.clear_mm)
    # Its rims go down into the raised hair, and into the skin.
    there = gaussian_filter1d(there, 1.0)
    there[[0, -1]] = 0
    sunk = stands - settings.sunk_mm
    fades = np.clip(v / 0.2, 0, 1) * there
    off = sunk + fades * (off - sunk)
    thick = np.minimum(settings.thick_mm, np.maximum(off, 0.3) * 0.8)
    # The tips are thin.
    tip = np.clip((1 - past) / _TIP, _TIP, 1)
    outer = on_skin + off[..., None] * along
    inner = on_skin + (off - thick * tip)[..., None] * along
    return np.concatenate([outer, inner[:, ::-1]], 1)


def panel_picture(
    sheet: HangingHair,
    shown: Shown,
    seen: HairSeen,
    hair: HairSettings,
    strands: HairStrandsSettings,
    settings: PanelSettings,
) -> UInt8[np.ndarray, "height width 3"]:
    """The picture of a fringe: the photo's, less the light.

    Args:
        sheet: whose own picture does not matter.
        shown: the photo, with its fit.
        seen: what that shows of the hair.
        hair: what colours it has, and what light falls on it.
        strands: how finely the photo is looked at, and how large the picture is.
        settings: how it is drawn.
    """
    height, width = strands.size_px
    wide = round(OUTER * width)
    there = sheet_shown(sheet, shown, seen, hair, (height, wide), strands.photo_px)
    px, logs = there.photo_px, there.logs
    on_hair, on_skin = seen.map.at(px).unbind(-1)
    no_wall = 1 - ramp(seen.map.away_at(px), settings.beyond_mm) * (1 - on_hair - on_skin)
    weight = ramp(there.facing, settings.grazing) * no_wall * there.inside
    hairy = (on_hair > strands.hair[1]) & (weight > strands.least_seen)
    if int(hairy.sum()) < height:
        hairy = weight >= weight.max()
    middle = logs[hairy].median(0).values
    own = middle
    if seen.colour_linear is not None:
        own = seen.colour_linear.clamp_min(BLACK_LINEAR).log()
    known = grey_erosion(weight.reshape(height, wide).numpy(), settings.border_px)[..., None]
    off = _of_hair(logs - middle, hairy, settings).reshape(height, wide, 3).numpy()
    filled = _blurred(off, known, settings.hole_px)
    broad = _blurred(off @ np.array(LUMINANCE, np.float32)[:, None], known, settings.broad_px)
    off = filled + known * (off - filled) - settings.broad_removed * broad
    logs = off + own.numpy()
    dark = logs[:, :1] + np.log(strands.inner)
    inner = np.broadcast_to(dark, (height, width - wide, 3))
    return srgb_bytes(torch.from_numpy(np.exp(np.concatenate([logs, inner], 1))).float())


def _of_hair(
    off: Float[Tensor, "n 3"], hairy: Bool[Tensor, "n"], settings: PanelSettings
) -> Float[Tensor, "n 3"]:
    """What is much lighter or redder than hair is: skin between strands, which the avatar has of
    its own."""
    red = (off[:, 0] - off[:, 1] - settings.odd * _spread(off[:, 0] - off[:, 1], hairy)).clamp_min(
        0
    )
    off = off - settings.odd_removed * red[:, None] * off.new_tensor([1.0, 0.0, 0.0])
    light = off @ off.new_tensor(LUMINANCE)
    light = (light - settings.odd * _spread(light, hairy)).clamp_min(0)
    return off - settings.odd_removed * light[:, None]


def _spread(values: Float[Tensor, "n"], where: Bool[Tensor, "n"]) -> Float[Tensor, ""]:
    return 1.48 * values[where].abs().median().clamp_min(0.05)


def _blurred(
    values: Float[np.ndarray, "height width c"],
    known: Float[np.ndarray, "height width 1"],
    px: float,
) -> Float[np.ndarray, "height width c"]:
    """Averages of what is known; 0, which is the usual, where nothing is."""
    total = gaussian_filter(known, (px, px, 0))
    return gaussian_filter(values * known, (px, px, 0)) / np.maximum(total, _LEAST_KNOWN)
