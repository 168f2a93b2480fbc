"""How the editions of the set differ in what their photos look like.

The first edition tried a fit hard: harsh light from anywhere, dark faces, coarse noise, blotches on
every skin and hair like a helmet. On such photos colours were worth less to a fit than on real
people, so that settings chosen by them were chosen wrongly. The second edition looks like what
people photograph; harsh light and the like are there as rarely as there. The third is the second
with dark people whose skin is as even as light people's (`model.tone.Tone.drawn`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Edition = Literal["v1", "v2", "v3"]
USUAL: Edition = "v2"
"""Drawn where none is named: the committed tables of accuracy are of it."""


@dataclass(frozen=True)
class Look:
    """What all photos of an edition have in common. The defaults are the third edition's."""

    strands: bool = True
    """Hair of locks, instead of a shell."""
    colours_by_tone: bool = True
    """Whether the model's colours differ in proportion to a person's tone."""
    blotches: tuple[float, float] = (0.018, 0.018)
    """Unevenness of the skin's colour over some 9 mm and 2.5 mm, relative."""
    stubble: tuple[float, float] = (0.1, 0.6)
    """How dark a beard of three days is."""
    stubble_grain: float = 0.12
    stubble_most: float = 1.0
    tint_spread: tuple[float, float, float] = (0.015, 0.02, 0.03)
    """Of people's hues about the scale's, relative, in each channel."""
    expression_strength: tuple[float, float] = (0.45, 0.95)
    white_balance: float = 0.88
    """How much of the light's colour the camera takes out (in logarithms)."""
    white_balance_spread: float = 0.025
    exposes_face: float = 0.9
    """How far the face and not the whole picture decides the exposure."""
    exposure_spread: float = 0.16
    dimmest_face: float = 0.6
    """Least exposure of the face, as a share of the right one."""
    photons: tuple[float, float] = (4000.0, 40000.0)
    """Behind a full pixel: how noisy the photos are."""
    jpeg_quality: tuple[int, int] = (80, 96)


LOOKS: Mapping[Edition, Look] = {
    "v1": Look(
        strands=False,
        colours_by_tone=False,
        blotches=(0.05, 0.03),
        stubble=(0.3, 1.4),
        stubble_grain=0.25,
        stubble_most=2.5,
        tint_spread=(0.02, 0.03, 0.05),
        expression_strength=(0.6, 1.1),
        white_balance=0.75,
        white_balance_spread=0.04,
        exposes_face=0.75,
        exposure_spread=0.22,
        dimmest_face=0.4,
        photons=(900.0, 12000.0),
        jpeg_quality=(70, 96),
    ),
    "v2": Look(colours_by_tone=False),
    "v3": Look(),
}
