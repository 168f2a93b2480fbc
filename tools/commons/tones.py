"""Colours of skin, hair and irises as people have them, in linear RGB.

Skin runs along one curve from the lightest to the darkest tone of the Monk scale (E. Monk, "The
Monk Skin Tone Scale", 2019). The scale's swatches are paper colours, lighter than faces at one end
and darker at the other; the curve keeps to their order and to the ratios R/G and G/B that skin has
in white-balanced photos. (Those were compared with aggregate ratios of public-domain portraits, and
with MakeHuman's skins.)
"""

import numpy as np

from commons.skins import LUMINANCE

# Luminance, R/G and G/B at the Monk tones 1 to 10.
_TONES = np.array(
    [
        (0.540, 1.66, 1.36), (0.475, 1.77, 1.42), (0.415, 1.88, 1.48), (0.350, 1.98, 1.55),
        (0.285, 2.07, 1.63), (0.215, 2.14, 1.71), (0.155, 2.20, 1.75), (0.105, 2.26, 1.74),
        (0.066, 2.22, 1.68), (0.040, 2.08, 1.58),
    ]
)  # fmt: skip
# Spread of ln(R/G) and ln(G/B) among people of one tone: pink, olive, golden.
_UNDERTONE_SIGMA = (0.026, 0.046)
# The luminance is normal in linear light, because a linear model can draw no other. The dark end of
# the scale lies 2.7 sigma from the mean, so that a draw of three is still skin: wider, and it would
# be darker than black, with blotches where the other components go below.
_LUMINANCE_MEAN, _LUMINANCE_SIGMA = 0.285, 0.09

HAIR_LINEAR = {
    "black": (0.012, 0.010, 0.009),
    "dark brown": (0.030, 0.019, 0.013),
    "brown": (0.065, 0.038, 0.022),
    "dark blond": (0.130, 0.085, 0.048),
    "blond": (0.240, 0.165, 0.090),
    "red": (0.150, 0.058, 0.024),
    "grey": (0.200, 0.185, 0.170),
}
# Shares of the first six among people of light, middle and dark skin. Grey comes with age.
_HAIR_SHARES = {
    1.0: (0.05, 0.28, 0.32, 0.17, 0.11, 0.07),
    4.0: (0.25, 0.45, 0.22, 0.05, 0.02, 0.01),
    6.0: (0.65, 0.32, 0.03, 0.00, 0.00, 0.00),
    10.0: (0.95, 0.05, 0.00, 0.00, 0.00, 0.00),
}


def draw_tones(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n,) Monk tones 1..10, not rounded, as common as a normal luminance makes them."""
    luminance = np.full(n, -1.0)
    while (outside := (luminance < _TONES[-1, 0]) | (luminance > _TONES[0, 0])).any():
        luminance[outside] = rng.normal(_LUMINANCE_MEAN, _LUMINANCE_SIGMA, outside.sum())
    return np.interp(luminance, _TONES[::-1, 0], np.arange(10, 0, -1.0))


def draw_undertones(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 2) deviations of ln(R/G) and ln(G/B) from their tone's mean."""
    return rng.normal(0, _UNDERTONE_SIGMA, (n, 2))


def skin_linear(monk_tone: np.ndarray, undertone: np.ndarray) -> np.ndarray:
    """(n, 3) albedo of a face's skin."""
    at = np.arange(1, 11.0)
    luminance, red_green, green_blue = (np.interp(monk_tone, at, column) for column in _TONES.T)
    red_green = red_green * np.exp(undertone[:, 0])
    green_blue = green_blue * np.exp(undertone[:, 1])
    ratios = np.stack([red_green, np.ones_like(red_green), 1 / green_blue], axis=1)
    return ratios * (luminance / (ratios @ LUMINANCE))[:, None]


def draw_hair_linear(rng: np.random.Generator, monk_tone: np.ndarray, age: np.ndarray):
    """(n, 3) hair colours that go with skin and age (years)."""
    names = list(HAIR_LINEAR)
    colours = np.array([HAIR_LINEAR[name] for name in names])
    shares = np.array(list(_HAIR_SHARES.values()))
    at = np.array(list(_HAIR_SHARES))
    by_person = np.stack([np.interp(monk_tone, at, column) for column in shares.T], axis=1)
    by_person /= by_person.sum(axis=1, keepdims=True)
    # A draw between the named colours: most of one, some of another.
    main, other = (_choice(rng, by_person) for _ in range(2))
    share = rng.uniform(0.6, 1, len(monk_tone))[:, None]
    colour = np.exp(share * np.log(colours[main]) + (1 - share) * np.log(colours[other]))
    greying = np.clip((age - 40) / 35 + rng.normal(0, 0.25, len(age)), 0, 1) ** 1.5 * 0.85
    return colour + greying[:, None] * (colours[names.index("grey")] - colour)


def _choice(rng: np.random.Generator, shares: np.ndarray) -> np.ndarray:
    """One index a row, drawn with the row's shares."""
    drawn = rng.uniform(size=(len(shares), 1))
    return np.minimum((drawn > shares.cumsum(axis=1)).sum(axis=1), shares.shape[1] - 1)
