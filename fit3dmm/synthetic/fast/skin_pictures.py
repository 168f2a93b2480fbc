"""Labelled pixels of skin by Monk tone: for training a classifier of skin, and for scoring one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np

from fit3dmm.colour import luminance
from fit3dmm.model.files import load_model
from fit3dmm.observe.skin.pixels import LabelledPixels, labelled_pixels
from fit3dmm.synthetic.fast.complexion import TONES
from fit3dmm.synthetic.fast.example import Example
from fit3dmm.synthetic.fast.skin_masks import skin_mask
from fit3dmm.synthetic.fast.studio import Studio, StudioSettings
from fit3dmm.synthetic.skin import MONK_LINEAR

LightColour: TypeAlias = Literal["warm", "neutral", "cool"]
LIGHT_COLOURS: tuple[LightColour, ...] = get_args(LightColour)
MONK_TONES = tuple(range(1, len(MONK_LINEAR) + 1))
"""From the lightest, as the scale counts."""
SIZE_PX = 128
"""Side of the pictures: colours need no larger ones."""
LEAST_SKIN = 0.03
"""Share of a picture that skin must take: the others show the backs of heads, which nobody fits."""

# Of the mean irradiance's red to blue, as a natural logarithm. A judgement; it makes three groups
# of about one size.
_COLOURED = 0.2


@dataclass(frozen=True)
class SkinPicture:
    """One picture's pixels, and what they are sorted by."""

    pixels: LabelledPixels
    monk: int
    light: LightColour


def skin_studio() -> Studio:
    """Of the shipped model's people, with a cell of the cover map for each pixel."""
    settings = StudioSettings(size_px=SIZE_PX, cover_cells=SIZE_PX)
    return Studio(load_model(level=1), settings=settings)


def skin_pictures(studio: Studio, per_tone: int, seed: int) -> Iterator[SkinPicture]:
    """As many pictures of each Monk tone, one tone after another.

    Args:
        studio: with a cell of the cover map for each pixel.
        per_tone: how many.
        seed: of the first; seeds are used up one after another.
    """
    for tone in MONK_TONES:
        made = 0
        while made < per_tone:
            example = studio.take(seed, monk_luminance(tone))
            pixels = pixels_of(example, tone, f"{tone}-{seed}")
            seed += 1
            if pixels.is_skin.sum() >= LEAST_SKIN * example.image_srgb[..., 0].size:
                made += 1
                yield SkinPicture(pixels, tone, light_colour(example))


def pixels_of(example: Example, tone: int, name: str) -> LabelledPixels:
    """Of a training picture, in the group of its tone."""
    return labelled_pixels(name, monk_group(tone), example.image_srgb, skin_mask(example))


def monk_group(tone: int) -> str:
    """What the pictures of a tone are called together."""
    return f"Monk {tone}"


def monk_luminance(tone: int) -> float:
    """Of a swatch of the Monk scale, 1 being the lightest; linear. The darkest is darker than the
    albedo of a face, and is drawn as the darkest face of the studio."""
    return max(float(luminance(MONK_LINEAR[len(MONK_LINEAR) - tone])), TONES[0])


def nearest_monk(tone: float) -> int:
    """The swatch whose lightness (cube root of luminance) is nearest to that of a face's albedo."""
    apart = [abs(np.cbrt(monk_luminance(one)) - np.cbrt(tone)) for one in MONK_TONES]
    return MONK_TONES[int(np.argmin(apart))]


def light_colour(example: Example) -> LightColour:
    """Of the mean light from all sides, after the camera's white balance: as the picture has it."""
    red, _, blue = example.irradiance_sh[0]
    leaning = float(np.log(max(red, 1e-6) / max(blue, 1e-6)))
    return "warm" if leaning > _COLOURED else "cool" if leaning < -_COLOURED else "neutral"
