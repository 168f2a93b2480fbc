"""What hanging hair looks like: the photo where it shows it, and its like where it does not.

A photo from ahead shows a strip of each side, from the rim beside the face to the outline. The rest
is drawn: strands that run down, in the colours that are seen at their height, and with as many
lights.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import gaussian_filter, gaussian_filter1d, grey_erosion
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.hair_colour import HairSettings, warm
from fit3dmm.export.hair_hanging import OUTER, HangingHair
from fit3dmm.export.hair_sheet import sheet_shown
from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.smoothing import ramp
from fit3dmm.export.texture_seen import HairSeen, Shown
from fit3dmm.export.view import BLACK_LINEAR


@dataclass(frozen=True)
class HairStrandsSettings(Settings):
    """How it is drawn: judgements by looking, not measurements."""

    size_px: tuple[int, int] = ranged((256, 512), 16)
    """Height and width of the picture: powers of two, which some engines want."""
    photo_px: int = ranged(1024, 64)
    """Side of the part of the photo that is looked at, at most."""
    hair: tuple[float, float] = ranged((0.5, 0.85), 0.0, 1.0)
    """Probabilities of hair from which the photo's colour is taken, and wholly so."""
    grazing: tuple[float, float] = (0.2, 0.45)
    """The same of cosines between its surface and the view."""
    least_seen: float = ranged(0.5, 0.0, 1.0)
    """Weight from which a place tells the colour."""
    broad_px: float = ranged(24.0, 1.0)
    """Standard deviation of what is taken for the light's work, and not the hair's."""
    broad_removed: float = ranged(0.6, 0.0, 1.0)
    """Share of that which is taken out."""
    border_px: int = ranged(5, 1)
    """Width of what is left out about holes."""
    hole_px: float = ranged(5.0, 0.5)
    """Standard deviation of the blur that closes holes."""
    common_hue: float = ranged(0.3, 0.0, 1.0)
    """Share of the hue of all the hair in that of its tips."""
    tips: tuple[float, float] = ranged((0.2, 0.6), 0.0, 1.0)
    """Shares of its length, from above, from which it shows the hue of its tips, and wholly so."""
    odd: float = 2.5
    """Lightness and redness, over their usual spreads, from which a place shows an earring or an
    ear."""
    strand_px: tuple[tuple[float, float], ...] = ((35.0, 0.7), (90.0, 3.5))
    """Standard deviations, along and across, of the blurs that make strands and locks."""
    streaks: float = ranged(0.5, 0.0)
    """Spread of their lightness over that of the hair that is seen."""
    inner: float = ranged(0.22, 0.0, 1.0)
    """Lightness of the inner side, over the outer's: no light falls there."""
    rim: float = ranged(0.12, 0.01, 0.5)
    """Share of its columns over which it grows dark."""


def strands(
    sheet: HangingHair,
    shown: Shown,
    seen: HairSeen,
    hair: HairSettings,
    settings: HairStrandsSettings,
) -> UInt8[np.ndarray, "height width 3"] | None:
    """The picture of what hangs beside face and neck; None where the photo shows too little.

    Args:
        sheet: whose own picture does not matter.
        shown: the photo, with its fit.
        seen: what that shows of the hair.
        hair: what colours it has, and what light falls on it.
        settings: how it is drawn.
    """
    height, width = settings.size_px
    half = round(OUTER * width / 2)
    there = sheet_shown(sheet, shown, seen, hair, (height, 2 * half), settings.photo_px)
    on_hair = seen.map.at(there.photo_px)[:, 0]
    weight = ramp(on_hair, settings.hair) * ramp(there.facing, settings.grazing) * there.inside
    well = weight > settings.least_seen
    if int(well.sum()) < height:
        return None
    middle = there.logs[well].median(0).values
    own = _own_colour(middle, seen.colour_linear, height, hair, settings)
    logs = there.logs - middle
    weight = weight * usual(logs, well, settings)
    logs = logs.reshape(height, 2 * half, 3).numpy()
    known = grey_erosion(weight.reshape(height, 2 * half).numpy(), settings.border_px)
    halves = ((logs, known), (logs[:, ::-1], known[:, ::-1]))
    sides = [_closed(value[:, :half], told[:, :half], settings) for value, told in halves]
    sides = [_with_other(sides[k], sides[1 - k]) for k in range(2)]
    left, right = (_growing(*side, k, settings) for k, side in enumerate(sides))
    # The halves meet behind.
    meet = np.clip((np.arange(half) - 0.75 * half) / (0.25 * half), 0, 1)[None, :, None] / 2
    meet = meet.astype(np.float32)
    left, right = left + meet * (right - left), right + meet * (left - right)
    outer = np.concatenate([left, right[:, ::-1]], 1) + own.numpy()[:, None]
    inner = _inner(outer, width - 2 * half, settings)
    return srgb_bytes(torch.from_numpy(np.exp(np.concatenate([outer, inner], 1))).float())


def usual(
    logs: Float[Tensor, "n 3"], well: Bool[Tensor, "n"], settings: HairStrandsSettings
) -> Bool[Tensor, "n"]:
    """Which places are neither brighter nor redder than hair is: no earring, no ear."""
    usual = torch.ones_like(well)
    for values in (logs @ logs.new_tensor(LUMINANCE), logs[:, 0] - logs[:, 1]):
        off = values - values[well].median()
        spread = 1.48 * off[well].abs().median().clamp_min(0.05)
        usual = usual & (off < settings.odd * spread)
    return usual


def _inner(
    outer: Float[np.ndarray, "height outer 3"], width: int, settings: HairStrandsSettings
) -> Float[np.ndarray, "height inner 3"]:
    """The inner side, from rim to rim: the same strands, in the dark."""
    columns = np.linspace(outer.shape[1] - 1, 0, width).round().astype(int)
    to_rim = np.minimum(np.arange(width), np.arange(width)[::-1]) / (settings.rim * width)
    dark = np.log(max(settings.inner, 1e-3)) * np.clip(to_rim - 0.5, 0, 1)
    return outer[:, columns] + dark[None, :, None].astype(np.float32)


def _own_colour(
    middle: Float[Tensor, "3"],
    colour_linear: Float[Tensor, "3"] | None,
    height: int,
    hair: HairSettings,
    settings: HairStrandsSettings,
) -> Float[Tensor, "height 3"]:
    """Logarithms of its colour from the top down: as light as all hair, and of the hue of all where
    it leaves the scalp, but more of its own towards the tips, which are bleached."""
    if colour_linear is None:
        return warm(middle.exp(), hair).log().expand(height, 3)
    all_hair, tips = colour_linear.clamp_min(BLACK_LINEAR).log(), middle
    lighter = (all_hair - middle) @ middle.new_tensor(LUMINANCE)
    tips = tips + lighter + settings.common_hue * (all_hair - middle - lighter)
    tips = warm(tips.exp(), hair).log()
    share = ramp(torch.linspace(0, 1, height), settings.tips)[:, None]
    return all_hair + share * (tips - all_hair)


def _closed(
    logs: Float[np.ndarray, "height width 3"],
    weight: Float[np.ndarray, "height width"],
    settings: HairStrandsSettings,
) -> tuple[Float[np.ndarray, "height width 3"], Float[np.ndarray, "height width"]]:
    """Without holes and without the broadest lights, and how well that is known."""

    def smooth(values: np.ndarray, px: float) -> tuple[np.ndarray, np.ndarray]:
        sums = gaussian_filter(values * weight[..., None], (px, px, 0))
        total = gaussian_filter(weight, px)
        return sums / np.maximum(total, 1e-4)[..., None], total

    near, known = smooth(logs, settings.hole_px)
    broad, _ = smooth((logs @ np.array(LUMINANCE, np.float32))[..., None], settings.broad_px)
    filled = near + weight[..., None] * (logs - near)
    return filled - settings.broad_removed * broad, known


def _with_other(
    side: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """What is not known of a side is as on the other."""
    (own, known), (mirrored, there) = side, other
    share = np.clip((there - known) * 2, 0, 1) * (known < 0.3)
    return own + share[..., None] * (mirrored - own), np.maximum(known, share * there)


def _growing(
    logs: Float[np.ndarray, "height half 3"],
    known: Float[np.ndarray, "height half"],
    k: int,
    settings: HairStrandsSettings,
) -> Float[np.ndarray, "height half 3"]:
    """What is known of a side, and strands of the same colours and of as many lights elsewhere."""
    weight = known[..., None]
    level = gaussian_filter1d((logs * weight).sum(1), settings.broad_px, axis=0)
    level = level / np.maximum(gaussian_filter1d(weight.sum(1), settings.broad_px, axis=0), 1e-6)
    lightness = logs @ np.array(LUMINANCE, np.float32)
    off = lightness - gaussian_filter(lightness, settings.broad_px)
    spread = np.sqrt((known * off**2).sum() / max(known.sum(), 1e-6))
    # No head is its own mirror image.
    streaks = np.roll(_streaks(known.shape, settings.strand_px), k * known.shape[1] // 3, 1)
    grown = level[:, None] + (settings.streaks * spread * streaks)[..., None]
    share = np.clip((known - 0.3) / 0.5, 0, 1)[..., None]
    return grown + share * (logs - grown)


@functools.lru_cache(maxsize=2)
def _streaks(
    shape: tuple[int, ...], widths_px: tuple[tuple[float, float], ...]
) -> Float[np.ndarray, "height half"]:
    """Strands and locks of variance 1, the same for all people."""
    draw = np.random.default_rng(0)
    layers = [
        gaussian_filter(draw.standard_normal(shape), blur_px, mode="wrap") for blur_px in widths_px
    ]
    total = np.sum([layer / layer.std() for layer in layers], axis=0) / np.sqrt(len(layers))
    return total.astype(np.float32)
