"""People for the albedo model: drawn at random, painted on the mean head."""

from dataclasses import dataclass

import numpy as np

from commons.brows import STYLE_SHARES, Brows
from commons.eyes import IRISES, SCLERA_LINEAR, Eyes
from commons.fine import FineHead
from commons.skins import Skins, smoothstep
from commons.tones import (
    HAIR_LINEAR,
    draw_hair_linear,
    draw_tones,
    draw_undertones,
    skin_linear,
)
from commons.zones import Zones

# What a unit of blood or of melanin does to the logarithm of linear RGB.
_BLOOD = np.array([-0.10, -0.55, -0.42])
_MELANIN = np.array([-0.55, -0.85, -1.05])
# A little darker than teeth are: they lie in the shade of the lips, and no light model here casts
# shadows.
TEETH_LINEAR = np.array([0.47, 0.42, 0.33])
GUMS_OVER_LIPS = np.array([0.95, 0.75, 0.80])
TONGUE_OVER_LIPS = np.array([1.0, 0.85, 0.85])
_PLACEMENTS = 12
"""Brow positions a style is tried in."""
# A linear model can't move a sharp edge: styles are softened towards their mean, or else random
# draws get pale outlines beside the brows.
_STYLE_SHARE = 0.7
# Irises are brown or light, with few in between: softened for the same reason, since brown is
# less than two sigma from the mean and what lies beyond it would be red.
_IRIS_SHARE = 0.65
# Colours of lipsticks, in linear RGB, and the share of women who wear one.
LIPSTICKS_LINEAR = np.array(
    [
        (0.42, 0.045, 0.045), (0.33, 0.030, 0.055), (0.50, 0.145, 0.165),
        (0.40, 0.170, 0.140), (0.19, 0.025, 0.035), (0.30, 0.085, 0.060),
    ]
)  # fmt: skip
_WEARING_SHARE = 0.45
# Of the skin's own colour, what short hair leaves of it at most.
_LIGHTEST_SCALP = 0.55
FLUSHES = ("cheeks", "nose", "around_mouth", "ears", "forehead")
SHADOWS = ("under_eyes", "upper_lids", "around_mouth", "forehead", "cheeks")


@dataclass(frozen=True)
class Paints:
    """Everything that people are painted with."""

    fine: FineHead
    skins: Skins
    brows: Brows
    eyes: Eyes
    zones: Zones
    brow_coverage: np.ndarray
    """(styles, placements, near) opacity on `brows.area`."""
    blotches: np.ndarray
    """(fields, vertices) smooth random fields of unit variance."""
    flushes: np.ndarray
    """(FLUSHES, vertices) weights of the zones that blood shows in."""
    shadows: np.ndarray
    """(SHADOWS, vertices) and that melanin does."""


@dataclass(frozen=True)
class People:
    """(people, ...) what is particular to each."""

    skin_linear: np.ndarray
    skin_shares: np.ndarray
    """(people, skins) shares of the texture patterns."""
    blood: np.ndarray
    """(people, flushes) in the zones FLUSHES."""
    melanin: np.ndarray
    """(people, shadows) in the zones SHADOWS."""
    blotch_blood: np.ndarray
    blotch_melanin: np.ndarray
    hair_linear: np.ndarray
    brow: np.ndarray
    """(people, 2) style and placement."""
    brow_density: np.ndarray
    scalp_density: np.ndarray
    stubble: np.ndarray
    lip_log: np.ndarray
    """(people, 3) added to the logarithm of the lips' colour."""
    lipstick_linear: np.ndarray
    """(people, 3)"""
    lipstick: np.ndarray
    """(people,) its opacity, 0 on bare lips."""
    iris_shares: np.ndarray
    iris_lightness: np.ndarray
    eye_whiteness: np.ndarray
    lash_darkness: np.ndarray

    def __len__(self) -> int:
        return len(self.skin_linear)


def draw_placements(brows: Brows, rng: np.random.Generator) -> np.ndarray:
    """(styles, placements, near) brow coverage, a little higher or lower, longer or shorter."""
    n = len(STYLE_SHARES) * _PLACEMENTS
    raised, widened = rng.normal(1.5, 0.8, n), rng.normal(1, 0.025, n)
    drawn = [brows.coverage(k // _PLACEMENTS, raised[k], widened[k]) for k in range(n)]
    coverage = np.array(drawn, dtype=np.float32).reshape(len(STYLE_SHARES), _PLACEMENTS, -1)
    usual = np.average(coverage.mean(axis=1), axis=0, weights=STYLE_SHARES)
    return usual + _STYLE_SHARE * (coverage - usual)


def draw_blotches(fine: FineHead, rng: np.random.Generator) -> np.ndarray:
    """Fields of two widths, half of them symmetric, on the skin."""
    fields = []
    for sigma_mm, n in ((16.0, 10), (6.0, 14)):
        noise = rng.normal(size=(fine.n_vertices, n)) / np.sqrt(fine.mass)[:, None]
        smooth = fine.smooth(noise, sigma_mm)
        smooth[:, ::2] = fine.symmetric(smooth[:, ::2])
        fields.append(smooth / smooth.std(axis=0))
    blotches = np.concatenate(fields, axis=1).T * fine.in_part("skin")
    return blotches.astype(np.float32)


def draw_people(n: int, rng: np.random.Generator, paints: Paints) -> People:
    """(n) people whose hair, irises, lips and skin go together as they commonly do."""
    is_dark_skin, n_blotches = paints.skins.is_dark, len(paints.blotches)
    tone = draw_tones(rng, n)
    age = rng.uniform(18, 80, n)
    light = smoothstep(tone, 8, 3)
    man = rng.uniform(size=n) < 0.5
    hair = draw_hair_linear(rng, tone, age)
    # Patterns of dark skins are believable on dark skin only, and the other way round.
    dark_share = smoothstep(tone, 5.0, 8.5)[:, None]
    shares = rng.dirichlet(np.full(len(is_dark_skin), 0.25), n)
    shares = shares * np.where(is_dark_skin, dark_share, 1 - dark_share)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-6)
    shown = (0.4 + 0.6 * light)[:, None]
    lips = np.outer(rng.normal(0.14, 0.18, n), _BLOOD) + np.outer(
        rng.normal(0.10, 0.10, n), _MELANIN
    )
    blood = rng.normal([0.22, 0.16, 0.04, 0.15, 0.0], 0.11, (n, len(FLUSHES)))
    # Ears redden with the cheeks.
    cheeks, ears = FLUSHES.index("cheeks"), FLUSHES.index("ears")
    blood[:, ears] = 0.15 + 0.5 * (blood[:, cheeks] - 0.22) + 0.3 * (blood[:, ears] - 0.15)
    wears = ~man & (rng.uniform(size=n) < _WEARING_SHARE)
    shades = rng.dirichlet(np.full(len(LIPSTICKS_LINEAR), 0.4), n)
    return People(
        skin_linear=skin_linear(tone, draw_undertones(rng, n)),
        skin_shares=shares,
        blood=shown * blood,
        melanin=rng.normal(0, 1, (n, len(SHADOWS))) * [0.09, 0.07, 0.05, 0.04, 0.04]
        + np.array([0.10, 0.06, 0.02, 0.02, 0.0]),
        blotch_blood=shown * rng.normal(0, 0.007, (n, n_blotches)),
        blotch_melanin=rng.normal(0, 0.004, (n, n_blotches)),
        hair_linear=hair,
        brow=np.stack(
            [
                rng.choice(len(STYLE_SHARES), n, p=STYLE_SHARES / STYLE_SHARES.sum()),
                rng.integers(0, _PLACEMENTS, n),
            ],
            axis=1,
        ),
        brow_density=rng.uniform(0.6, 1.0, n),
        scalp_density=np.clip(rng.normal(0.65, 0.12, n), 0, 1),
        stubble=np.where(man, rng.beta(0.9, 4.5, n), 0.0) * 0.9,
        lip_log=lips,
        lipstick_linear=np.exp(shades @ np.log(LIPSTICKS_LINEAR)),
        lipstick=np.where(wears, rng.uniform(0.35, 0.9, n), 0.0),
        iris_shares=_draw_irises(rng, tone),
        iris_lightness=np.exp(rng.normal(-0.1, 0.2, n)),
        eye_whiteness=rng.normal(0.82 + 0.18 * light, 0.05),
        lash_darkness=rng.uniform(0.65, 1.0, n),
    )


def _draw_irises(rng: np.random.Generator, tone: np.ndarray) -> np.ndarray:
    """(people, irises): brown for most, and green, grey or blue among light skins only."""
    n = len(tone)
    brown = np.array([name.startswith("brown") for name in IRISES])
    usual = np.array([2.0, 1.2, 0.5, 0.9, 1.0, 0.4, 0.15, 0.15, 0.1])
    share = rng.dirichlet(usual, n)
    keeps_brown = rng.uniform(size=n) < np.interp(tone, [1, 3, 5, 7], [0.55, 0.70, 0.95, 1.0])
    share = share * np.where(brown, 1.0, np.where(keeps_brown, 0.04, 2.0)[:, None])
    share = share * np.where(brown, np.where(keeps_brown, 1.0, 0.25)[:, None], 1.0)
    share /= share.sum(axis=1, keepdims=True)
    return share.mean(axis=0) + _IRIS_SHARE * (share - share.mean(axis=0))


def paint(person: int, people: People, paints: Paints) -> np.ndarray:
    """(vertices, 3) linear RGB of one person."""
    p, lips = people, paints.skins.lips[:, None]
    pattern = np.tensordot(p.skin_shares[person], paints.skins.log_pattern, axes=1)
    blood = p.blood[person] @ paints.flushes + p.blotch_blood[person] @ paints.blotches
    melanin = p.melanin[person] @ paints.shadows + p.blotch_melanin[person] @ paints.blotches
    pigment = np.outer(blood, _BLOOD) + np.outer(melanin, _MELANIN)
    log = np.log(p.skin_linear[person]) + pattern + (1 - lips) * pigment + lips * p.lip_log[person]
    haired = _with_hair(np.exp(log), person, p, paints)
    natural = _with_eyes_and_mouth(haired, person, p, paints)
    return _over(natural, p.lipstick_linear[person], p.lipstick[person] * paints.skins.lips)


def _with_hair(colour: np.ndarray, person: int, p: People, paints: Paints) -> np.ndarray:
    hair, zones = p.hair_linear[person], paints.zones
    # Cropped hair shades the scalp: even where it is light, its roots are darker than the skin. A
    # linear model would else give dark people pale scalps.
    shade = np.minimum(hair, _LIGHTEST_SCALP * p.skin_linear[person])
    colour = _over(colour, shade, p.scalp_density[person] * paints.skins.hair)
    # Hairs under the skin show blue-grey before they show their colour.
    stubble = p.stubble[person] * zones.beard
    grey = 0.35 * hair + 0.65 * colour * [0.60, 0.64, 0.68]
    colour = _over(colour, grey + stubble[:, None] * (hair - grey), stubble)
    coverage = np.zeros(len(colour))
    coverage[paints.brows.area] = paints.brow_coverage[tuple(p.brow[person])]
    # Between the painted hairs there are finer ones.
    coverage = 1 - (1 - coverage) ** 1.8
    # Brows are darker than hair, and grey later.
    brow = 0.55 * hair + 0.45 * np.minimum(hair, HAIR_LINEAR["brown"])
    colour = _over(colour, brow * 0.9, 0.95 * p.brow_density[person] * coverage)
    lash = (np.array(HAIR_LINEAR["black"]) + hair) / 2
    return _over(colour, lash, p.lash_darkness[person] * zones.lashes)


def _with_eyes_and_mouth(colour: np.ndarray, person: int, p: People, paints: Paints) -> np.ndarray:
    zones, eyes = paints.zones, paints.eyes
    moist = np.sqrt(p.skin_linear[person]) * [0.72, 0.48, 0.44]
    white = SCLERA_LINEAR * p.eye_whiteness[person] * [0.60, 0.54, 0.52]
    colour = _over(colour, white, zones.linings)
    colour = _over(colour, np.array(HAIR_LINEAR["black"]), zones.lid_shade)
    colour = _over(colour, moist * 0.8, 0.8 * zones.lid_rims)
    lips = np.average(colour, axis=0, weights=paints.skins.lips)
    depth = zones.mouth_depth[:, None]
    inner = np.exp(
        (1 - depth) * np.log(lips * [0.8, 0.65, 0.65]) + depth * np.log([0.05, 0.01, 0.01])
    )
    colour = _over(colour, inner, zones.mouth)
    light = zones.mouth_light[:, None]
    colour = _over(colour, TEETH_LINEAR * light, zones.teeth)
    colour = _over(colour, lips * GUMS_OVER_LIPS * light, zones.gums)
    colour = _over(colour, lips * TONGUE_OVER_LIPS * light, zones.tongue)
    colour[eyes.vertices] = eyes.colours(
        p.iris_shares[person], p.iris_lightness[person], p.eye_whiteness[person]
    )
    return colour


def _over(colour: np.ndarray, paint_linear: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Painted where there is paint, which most times is on few vertices."""
    at = np.flatnonzero(opacity)
    painted = colour.copy()
    under, over = colour[at], paint_linear if paint_linear.ndim == 1 else paint_linear[at]
    painted[at] = under + opacity[at, None] * (over - under)
    return painted
