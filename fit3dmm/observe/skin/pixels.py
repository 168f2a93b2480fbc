"""Labelled pixels: what a classifier of skin learns from and is scored on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from fit3dmm._errors import InputError

SKIN, UNKNOWN, OTHER = 255, 128, 0
"""What a mask says of a pixel, in bytes; those between count as the nearest of the three."""
_AT_LEAST, _AT_MOST = 192, 63


@dataclass(frozen=True)
class LabelledPixels:
    """The pixels of one picture of which it is known what they show."""

    name: str
    group: str
    """Pictures of one group share a weight, and each group has the same: a tone of skin, for
    example."""
    colours_srgb: Float[np.ndarray, "n 3"]
    """In 0..1."""
    is_skin: Bool[np.ndarray, "n"]


def labelled_pixels(
    name: str,
    group: str,
    image_srgb: UInt8[np.ndarray, "height width 3"],
    mask: UInt8[np.ndarray, "height width"],
) -> LabelledPixels:
    """Those of a picture that its mask calls skin or something else.

    Args:
        name: of the picture.
        group: that it belongs to.
        image_srgb: its pixels.
        mask: `SKIN`, `OTHER`, or `UNKNOWN` at each of them.
    """
    known = (mask >= _AT_LEAST) | (mask <= _AT_MOST)
    colours = image_srgb[known].astype(np.float32) / 255
    return LabelledPixels(name, group, colours, mask[known] >= _AT_LEAST)


def even_sample(
    pictures: Sequence[LabelledPixels], per_group: int, seed: int
) -> tuple[Float[np.ndarray, "n 3"], Bool[np.ndarray, "n"]]:
    """As many pixels of each group, of skin and of others, and as many of each of its pictures.

    What there are too few of is drawn several times: no group counts for less because its pictures
    show less skin.

    Args:
        pictures: with their labels.
        per_group: pixels of skin of each group, and as many others.
        seed: of the draw.

    Returns:
        Colours and whether they are skin's.

    Raises:
        InputError: a group has no pixel of skin, or no other one.
    """
    draw = np.random.default_rng(seed)
    groups: dict[str, list[LabelledPixels]] = {}
    for picture in pictures:
        groups.setdefault(picture.group, []).append(picture)
    colours: list[np.ndarray] = []
    for group, members in groups.items():
        for wanted in (True, False):
            parts = [one.colours_srgb[one.is_skin == wanted] for one in members]
            parts = [part for part in parts if len(part)]
            if not parts:
                what = "shows skin" if wanted else "shows anything but skin"
                called = f"of the group {group!r} " if group else ""
                raise InputError(
                    f"No labelled pixel {called}{what}: masks are white on skin, black elsewhere "
                    "and grey where nobody knows."
                )
            shares = np.diff(np.linspace(0, per_group, len(parts) + 1).astype(int))
            colours += [
                part[draw.choice(len(part), share, replace=share > len(part))]
                for part, share in zip(parts, shares, strict=True)
            ]
            assert sum(shares) == per_group
    is_skin = np.tile(np.repeat([True, False], per_group), len(groups))
    return np.concatenate(colours), is_skin
