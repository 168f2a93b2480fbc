"""What skins have and the model's colours do not: moles, freckles, stubble, blood, make-up."""

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.colour import luminance, srgb_to_linear
from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.looks import Look
from fit3dmm.synthetic.noise import random_waves

_MOLE, _FRECKLE = np.array([0.35, 0.25, 0.22]), np.array([0.78, 0.66, 0.58])
_BLOOD = np.array([1.04, 0.84, 0.86])
_HAIR_SHADOW = np.array([0.50, 0.50, 0.53])
_LIPSTICKS = np.array([[0.42, 0.05, 0.08], [0.30, 0.04, 0.10], [0.48, 0.16, 0.15]])
# The Monk Skin Tone Scale from the darkest (E. Monk, 2019; published sRGB values).
_MONK_SRGB = np.array(
    [[41, 36, 32], [58, 49, 42], [96, 65, 52], [130, 92, 67], [160, 126, 86], [215, 189, 150],
     [234, 218, 186], [247, 234, 208], [243, 231, 219], [246, 237, 228]]
)  # fmt: skip
MONK_LINEAR = srgb_to_linear(_MONK_SRGB / 255)
_TOWARDS_MONK = 0.6
_LIGHT_SKIN = 0.15
"""Luminance above which freckles and a flush show."""
_EVEN_TONE = 0.11
"""Two of the model's sigmas: its skins are even and have skin's hue down to this."""


def skin_of_tone(
    model: MorphableModel,
    normal: Float[np.ndarray, "albedo"],
    tone: float,
    skin: Float[np.ndarray, "vertices"],
) -> Float[np.ndarray, "vertices 3"]:
    """Colours of somebody who is drawn, from the lightest to the darkest.

    The model's tone is a straight line through linear colours, which takes as much from each place
    however dark it is already: at its end skin is red and blotched whatever else is drawn. So
    people who are darker than the model's even skins have one of those, and less of it.

    Args:
        model: whose people they are.
        normal: standard normal numbers (`model.tone.Tone.drawn`).
        tone: mean luminance of the face.
        skin: 1 on skin, 0 on eyes, teeth and in the mouth.
    """
    decoded = max(tone, _EVEN_TONE)
    albedo = model.tone.drawn(torch.as_tensor(normal).to(model.mean_mm), decoded)
    colours = model.albedo_linear(model.zeros().replace(albedo=albedo)).double().numpy()
    return colours * (1 + (tone / decoded - 1) * skin)[:, None]


def detailed_skin(
    albedo_linear: Float[np.ndarray, "vertices 3"],
    places_mm: Float[np.ndarray, "vertices 3"],
    regions: dict[str, np.ndarray],
    landmarks68_mm: Float[np.ndarray, "68 3"],
    tone: float,
    look: Look,
    generator: np.random.Generator,
) -> Float[np.ndarray, "vertices 3"]:
    """A person's own skin over the model's colours.

    Args:
        albedo_linear: the model's colours of the person.
        places_mm: the neutral head, on which detail lies wherever the face then moves.
        regions: the model's.
        landmarks68_mm: of the neutral head.
        tone: mean luminance of the face.
        look: of the edition.
        generator: of random numbers.
    """
    bare = regions["face"] * (1 - regions["lips"]) * (1 - regions["eyes"])
    tint = towards_scale(albedo_linear, bare, tone, _TOWARDS_MONK) * generator.normal(
        1, look.tint_spread
    )
    colour = albedo_linear * tint ** outside(regions)[:, None]
    blotch = look.blotches[0] * random_waves(places_mm, 9.0, generator)
    blotch += look.blotches[1] * random_waves(places_mm, 2.5, generator)
    colour = colour * (1 + blotch[:, None] * [0.6, 1.0, 1.0])
    flush = flush_zone(places_mm, landmarks68_mm) * generator.uniform(0, 1) * min(tone / 0.3, 1)
    colour = colour * _BLOOD ** (bare * flush)[:, None]
    spots = [(generator.integers(3, 14), (0.8, 2.0), _MOLE, np.ones(3))]
    if tone > _LIGHT_SKIN and generator.uniform() < 0.3:
        spots.append((generator.integers(120, 350), (0.7, 1.2), _FRECKLE, landmarks68_mm[30]))
    for count, radius_mm, tint, middle in spots:
        near = bare if middle is not landmarks68_mm[30] else bare * _near(places_mm, middle, 40.0)
        shade = _spots(places_mm, near, int(count), radius_mm, generator)
        colour = colour * tint ** shade[:, None]
    if generator.uniform() < 0.35:
        grown = beard_zone(places_mm, landmarks68_mm) * (1 - regions["lips"])
        coarse = np.clip(1 + look.stubble_grain * random_waves(places_mm, 1.2, generator), 0, 2)
        share = np.clip(grown * coarse * generator.uniform(*look.stubble), 0, look.stubble_most)
        colour = colour * _HAIR_SHADOW ** share[:, None]
    if generator.uniform() < 0.25:
        paint = _LIPSTICKS[generator.integers(len(_LIPSTICKS))] * min(1.0, 0.4 + 2 * tone)
        cover = (0.7 * regions["lips"])[:, None]
        colour = (1 - cover) * colour + cover * paint
    return np.clip(colour, 0.004, 0.95)


def outside(regions: dict[str, np.ndarray]) -> np.ndarray:
    """1 where skin is, 0 on eyes, teeth and in the mouth."""
    inner = [regions[name] for name in ("mouth_interior", "teeth", "eyes") if name in regions]
    return 1 - np.max(inner, axis=0)


def towards_scale(
    albedo_linear: Float[np.ndarray, "vertices 3"],
    bare: Float[np.ndarray, "vertices"],
    tone: float,
    share: float,
) -> Float[np.ndarray, "3"]:
    """Factor of each channel that brings the hue nearer to the Monk scale's at a tone.

    Args:
        albedo_linear: of the model.
        bare: how much each vertex counts in its mean.
        tone: mean luminance of the face.
        share: of the way: 0 leaves the hue, 1 gives the scale's.
    """
    levels = luminance(MONK_LINEAR)
    hue = np.array([np.interp(tone, levels, channel / levels) for channel in MONK_LINEAR.T])
    own = np.average(albedo_linear, axis=0, weights=bare)
    factor = (hue / (own / luminance(own))) ** share
    return factor / (luminance(factor * own) / luminance(own))


def _near(places_mm: np.ndarray, middle_mm: np.ndarray, radius_mm: float) -> np.ndarray:
    return np.exp(-((places_mm - middle_mm) ** 2).sum(axis=1) / (2 * radius_mm**2))


def flush_zone(places_mm: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Cheeks and the tip of the nose."""
    right = (points_mm[36] + points_mm[48]) / 2 + (points_mm[36] - points_mm[39]) * 0.25
    left = (points_mm[45] + points_mm[54]) / 2 + (points_mm[45] - points_mm[42]) * 0.25
    tip = _near(places_mm, points_mm[30], 9.0)
    return _near(places_mm, right, 17.0) + _near(places_mm, left, 17.0) + tip


def beard_zone(places_mm: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """Chin, jaw and upper lip, below a line from the nose to the ears."""
    x, y, z = places_mm.T
    nose, ear_y = points_mm[33], (points_mm[0, 1] + points_mm[16, 1]) / 2
    half_width = abs(points_mm[16, 0] - points_mm[0, 0]) / 2
    aside = np.clip((np.abs(x - nose[0]) - 22) / (half_width - 22), 0, 1)
    mouth_y = points_mm[62, 1]
    # From the nose's foot down past the mouth's corner, then up to the ear.
    drop = np.clip((np.abs(x - nose[0]) - 16) / 12, 0, 1) * (nose[1] - mouth_y + 4)
    line = nose[1] - 1 - drop + aside * (ear_y - mouth_y + 10)
    under = smoothstep(line - y, -3.0, 11.0)
    front = smoothstep(z, points_mm[[0, 16], 2].mean() - 12, points_mm[[0, 16], 2].mean() + 2)
    return under * front * smoothstep(y, points_mm[8, 1] - 40, points_mm[8, 1] - 18)


def _spots(
    places_mm: np.ndarray,
    density: np.ndarray,
    count: int,
    radius_mm: tuple[float, float],
    generator: np.random.Generator,
) -> np.ndarray:
    centres = places_mm[generator.choice(len(places_mm), count, p=density / density.sum())]
    radii = generator.uniform(*radius_mm, count)
    dark = np.zeros(len(places_mm))
    for centre, radius in zip(centres, radii, strict=True):
        near = np.flatnonzero((np.abs(places_mm - centre) < 2 * radius).all(axis=1))
        distance = np.linalg.norm(places_mm[near] - centre, axis=1)
        spot = generator.uniform(0.5, 1.0) * smoothstep(distance, 1.3 * radius, 0.5 * radius)
        dark[near] = np.maximum(dark[near], spot)
    return dark
