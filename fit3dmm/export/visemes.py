"""Shapes of a speaking mouth, composed of ARKit's blendshapes.

The names are those of the fifteen visemes that Oculus' lip synchronisation tells (Meta, "Viseme
reference"): the sounds p b m, f v, th, t d, k g, tch j sh, s z, n l, r, a, e, i, o, u, and silence.
The activations are judgements, made by looking at Commons' mean face at each, against that page's
pictures. Morph targets are linear, so a table costs no bytes and loses nothing.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

Viseme = Mapping[str, float]
"""Activations by the blendshapes' names."""


def _both(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


VISEMES: Mapping[str, Viseme] = MappingProxyType(
    {
        # Nothing moves; but an empty entry would not be written into a file.
        "sil": {"jawOpen": 0.0},
        "PP": {"mouthRollLower": 0.3, "mouthRollUpper": 0.3, **_both("mouthPress", 0.5)},
        "FF": {"jawOpen": 0.06, "mouthRollLower": 0.6, **_both("mouthUpperUp", 0.3)},
        "TH": {
            **{"jawOpen": 0.2, "tongueOut": 0.5},
            **_both("mouthLowerDown", 0.2),
            **_both("mouthUpperUp", 0.15),
        },
        "DD": {"jawOpen": 0.14, **_both("mouthLowerDown", 0.25), **_both("mouthUpperUp", 0.15)},
        "kk": {"jawOpen": 0.24, **_both("mouthLowerDown", 0.2), **_both("mouthStretch", 0.15)},
        "CH": {"jawOpen": 0.1, "mouthFunnel": 0.55, "mouthPucker": 0.2},
        "SS": {
            "jawOpen": 0.04,
            **_both("mouthLowerDown", 0.3),
            **_both("mouthStretch", 0.35),
            **_both("mouthUpperUp", 0.15),
        },
        "nn": {"jawOpen": 0.16, **_both("mouthLowerDown", 0.15), **_both("mouthUpperUp", 0.1)},
        "RR": {"jawOpen": 0.14, "mouthFunnel": 0.35, "mouthPucker": 0.25},
        "aa": {"jawOpen": 0.55, **_both("mouthLowerDown", 0.2), **_both("mouthUpperUp", 0.15)},
        "E": {
            "jawOpen": 0.3,
            **_both("mouthLowerDown", 0.2),
            **_both("mouthSmile", 0.2),
            **_both("mouthStretch", 0.35),
        },
        "ih": {
            "jawOpen": 0.18,
            **_both("mouthLowerDown", 0.25),
            **_both("mouthSmile", 0.25),
            **_both("mouthStretch", 0.25),
        },
        "oh": {"jawOpen": 0.4, "mouthFunnel": 0.5, "mouthPucker": 0.1},
        "ou": {"jawOpen": 0.14, "mouthFunnel": 0.15, "mouthPucker": 0.85},
    }
)


def visemes_of(expression_names: Collection[str]) -> Mapping[str, Viseme]:
    """The table, for a model that has all blendshapes which it takes; else none."""
    needed = {name for viseme in VISEMES.values() for name in viseme}
    return VISEMES if needed <= set(expression_names) else {}
