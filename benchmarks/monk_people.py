"""Generated people of all ten tones of Monk's scale, as many of each.

The scale's swatches are colours to be held beside a person on a screen: the lightest four reflect
70 to 86 % of the light, which no skin does, and the darkest less than any. What is meant is an
order from the lightest people to the darkest. So the lightness of a swatch (L* of its published
sRGB values) is carried linearly to the tones of the generated people: the lightest swatch to the
lightest of them (L* 77) and the darkest to the darkest (22). The three lightest swatches lie within
2 L* of each other and differ by hue; so do their people here.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from fit3dmm.colour import luminance
from fit3dmm.synthetic.skin import MONK_LINEAR
from fit3dmm.synthetic.specification import EVEN_TONES, Specification, Split, case_indices, specify

N_TONES = len(MONK_LINEAR)
_KNEE = (6 / 29) ** 3


def lightness(y: float | Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """L* of a relative luminance (CIE 15:2004, equation 8.1)."""
    y = np.asarray(y, dtype=float)
    return np.where(y > _KNEE, 116 * np.cbrt(y) - 16, (29 / 3) ** 3 * y)


def luminance_of(l_star: float | Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Relative luminance of an L*."""
    l_star = np.asarray(l_star, dtype=float)
    return np.where(l_star > 8, ((l_star + 16) / 116) ** 3, l_star * (3 / 29) ** 3)


def lightness_of_tones() -> Float[np.ndarray, "10"]:
    """L* of people's skin by the tone of the scale, the lightest (1) first."""
    swatches = lightness(luminance(MONK_LINEAR))[::-1]
    darkest, lightest = lightness(np.array(EVEN_TONES))
    share = (swatches - swatches.min()) / (swatches.max() - swatches.min())
    return darkest + share * (lightest - darkest)


def monk_tone(l_star: float) -> int:
    """The nearest tone of the scale, 1 (the lightest) to 10."""
    return int(np.abs(lightness_of_tones() - l_star).argmin()) + 1


def monk_cases(cases: int, split: Split, seed: int, photo_px: int) -> list[Specification]:
    """Photos as those of the generated set, of as many people of each tone: each ten cases, one
    after another, have all tones in an order of their own.

    Args:
        cases: how many; the first of them do not depend on it.
        split: `validation` for choosing settings, `test` for what is reported: other people.
        seed: of the set.
        photo_px: longer side of the photos.

    Raises:
        InputError: there are no cases.
    """
    tones = lightness_of_tones()
    specifications = []
    for k, index in enumerate(case_indices(cases, split)):
        order = np.random.default_rng([seed, split == "test", k // N_TONES, 5])
        tone = order.permutation(N_TONES)[k % N_TONES]
        case = specify(seed, index, photo_px=photo_px)
        specifications.append(replace(case, tone=float(luminance_of(tones[tone]))))
    return specifications


def tones_of(cases: Sequence[Specification]) -> dict[str, int]:
    """The tone of each case, 1 (the lightest) to 10, by its name."""
    by_luminance = luminance_of(lightness_of_tones())
    return {case.name: int(np.abs(by_luminance - case.tone).argmin()) + 1 for case in cases}
