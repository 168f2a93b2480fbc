"""Drawing the colours of a head: tone, blood, blotches, age, stubble and paint."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.synthetic.fast.sitters import Sitters
from fit3dmm.synthetic.skin import skin_of_tone, towards_scale

TONES = (0.025, 0.58)
"""Mean luminance of the face's albedo, from the darkest to the lightest."""
_BLOOD = np.array([1.04, 0.84, 0.86])
_HAIR_SHADOW = np.array([0.5, 0.5, 0.53])
_MOLE, _FRECKLE = np.array([0.4, 0.3, 0.27]), np.array([0.78, 0.66, 0.58])
_LIPSTICKS = np.array([[0.42, 0.05, 0.08], [0.3, 0.04, 0.1], [0.48, 0.16, 0.15], [0.2, 0.03, 0.05]])
_HAIR_COLOURS = np.array(
    [[0.009, 0.008, 0.007], [0.018, 0.013, 0.010], [0.075, 0.040, 0.020],
     [0.22, 0.13, 0.06], [0.42, 0.29, 0.15], [0.20, 0.06, 0.02]]
)  # fmt: skip
_GREY = np.array([0.34, 0.33, 0.32])
_DARK_SKIN = 0.12
_LIGHT_SKIN = 0.15


@dataclass(frozen=True)
class Complexion:
    """Colours of a head. Linear."""

    coefficients: Float[np.ndarray, "albedo"]
    albedo_linear: Float[np.ndarray, "vertices 3"]
    tone: float
    hair_linear: Float[np.ndarray, "3"]
    beard: float
    """How much of a beard there is: 0 none, under 1 stubble, above it hair that stands off."""
    oil: float
    """How much the skin shines, 0..1."""


def draw_complexion(
    sitters: Sitters,
    normal: Float[np.ndarray, "albedo"],
    age: float,
    draw: np.random.Generator,
    tone: float | None = None,
) -> Complexion:
    """Colours of somebody; tones are spread evenly in their logarithm.

    Args:
        sitters: the model, prepared for drawing people.
        normal: standard normal numbers, which say all but the tone (`model.tone.Tone.drawn`).
        age: 0 young, 1 old: hair turns grey.
        draw: random numbers.
        tone: mean luminance of the face's albedo, where it is not to be drawn.
    """
    drawn_tone = float(np.exp(draw.uniform(*np.log(TONES))))
    tone = drawn_tone if tone is None else tone
    model = sitters.model
    coefficients = model.tone.drawn(torch.from_numpy(normal), tone)
    colour = np.clip(skin_of_tone(model, normal, tone, sitters.outer), 0.004, 0.95)
    bare = sitters.face * (1 - sitters.regions["lips"])
    tint = towards_scale(colour, bare, tone, draw.uniform(0.2, 0.8))
    tint = tint * draw.normal(1, [0.02, 0.03, 0.05])
    colour = colour * tint ** sitters.outer[:, None]
    coarse, middle, fine = (fields[draw.integers(len(fields))] for fields in sitters.noise.values())
    blotch = 0.05 * coarse * draw.uniform(0.2, 1.2) + 0.03 * middle * draw.uniform(0.2, 1.4)
    blotch = (blotch + 0.02 * fine * draw.uniform(0, 1.5)) * sitters.outer
    colour = colour * (1 + blotch[:, None] * [0.6, 1, 1])
    colour = colour * _BLOOD ** _share(bare * sitters.flush, draw.uniform(0, 1.3), tone)
    colour = colour * _spots(sitters, bare, fine, tone, draw)
    beard = float(np.exp(draw.normal(-0.2, 1.0))) if draw.uniform() < 0.4 else 0.0
    grown = np.clip(sitters.beard * np.clip(1 + 0.3 * fine, 0, 2) * beard, 0, 1.6)
    colour = colour * _HAIR_SHADOW ** grown[:, None]
    if draw.uniform() < 0.25:
        paint = _LIPSTICKS[draw.integers(len(_LIPSTICKS))] * min(1.0, 0.4 + 2 * tone)
        cover = (draw.uniform(0.3, 0.85) * sitters.regions["lips"])[:, None]
        colour = (1 - cover) * colour + cover * paint
    return Complexion(
        coefficients=coefficients.numpy(),
        albedo_linear=np.clip(colour, 0.004, 0.95).astype(np.float32),
        tone=tone,
        hair_linear=_hair(tone, age, draw),
        beard=beard,
        oil=float(draw.beta(1.5, 3)),
    )


def _hair(tone: float, age: float, draw: np.random.Generator) -> np.ndarray:
    """Skin and hair go together; age greys; some hair is dyed."""
    colours = _HAIR_COLOURS[:2] if tone < _DARK_SKIN else _HAIR_COLOURS
    colour = colours[draw.integers(len(colours))] * draw.uniform(0.8, 1.25)
    grey = np.clip(draw.normal(1.7 * age - 0.9, 0.3), 0, 1)
    colour = (1 - grey) * colour + grey * _GREY * draw.uniform(0.7, 1.6)
    if draw.uniform() < 0.04:
        colour = draw.uniform(0.02, 0.5, 3)
    return colour.astype(np.float32)


def _share(zone: np.ndarray, amount: float, tone: float) -> np.ndarray:
    return (zone * amount * min(tone / 0.3, 1))[:, None]


def _spots(
    sitters: Sitters,
    bare: np.ndarray,
    fine: np.ndarray,
    tone: float,
    draw: np.random.Generator,
) -> np.ndarray:
    """Moles and freckles, as factors: the peaks of random fields."""
    other = sitters.noise[2.5][draw.integers(len(sitters.noise[2.5]))]
    factor = np.ones((len(bare), 3))
    if draw.uniform() < 0.35:
        factor = factor * _MOLE ** _peaks(bare, other, draw.uniform(2.4, 3.0), 2.5)
    if tone > _LIGHT_SKIN and draw.uniform() < 0.3:
        factor = factor * _FRECKLE ** _peaks(bare, fine, draw.uniform(0.8, 1.6), 1.5)
    return factor


def _peaks(bare: np.ndarray, field: np.ndarray, above: float, steep: float) -> np.ndarray:
    return (bare * np.clip((field - above) * steep, 0, 1))[:, None]
