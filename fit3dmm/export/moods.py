"""Expressions that programs call by name, composed of ARKit's blendshapes.

The names are the presets of VRM 1.0. The moods follow the actions that Ekman and Friesen list
("Facial Action Coding System", investigator's guide, 2002, table of emotions): happiness 6 and 12,
sadness 1, 4 and 15, surprise 1, 2, 5 and 26, anger 4, 5, 7 and 23. How strong each unit is, is a
judgement made by looking at Commons' mean face.
"""

from collections.abc import Collection, Mapping
from types import MappingProxyType

from fit3dmm.export.visemes import VISEMES, Viseme


def _both(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


def _look(left: str, right: str) -> dict[str, float]:
    return {f"eyeLook{left}Left": 1.0, f"eyeLook{right}Right": 1.0}


MOODS: Mapping[str, Viseme] = MappingProxyType(
    {
        "happy": {**_both("mouthSmile", 0.8), **_both("cheekSquint", 0.6)},
        "angry": {
            **_both("browDown", 0.9),
            **_both("eyeWide", 0.2),
            **_both("eyeSquint", 0.5),
            **_both("mouthPress", 0.6),
            **_both("noseSneer", 0.3),
        },
        "sad": {"browInnerUp": 0.9, **_both("browDown", 0.2), **_both("mouthFrown", 0.7)},
        "relaxed": {**_both("mouthSmile", 0.25), **_both("eyeBlink", 0.25)},
        "surprised": {
            **{"browInnerUp": 0.8, "jawOpen": 0.35},
            **_both("browOuterUp", 0.8),
            **_both("eyeWide", 0.7),
        },
        "aa": VISEMES["aa"],
        "ih": VISEMES["ih"],
        "ou": VISEMES["ou"],
        "ee": VISEMES["E"],
        "oh": VISEMES["oh"],
        "blink": _both("eyeBlink", 1.0),
        "blinkLeft": {"eyeBlinkLeft": 1.0},
        "blinkRight": {"eyeBlinkRight": 1.0},
        "lookUp": _both("eyeLookUp", 1.0),
        "lookDown": _both("eyeLookDown", 1.0),
        "lookLeft": _look("Out", "In"),
        "lookRight": _look("In", "Out"),
        "neutral": {},
    }
)


def moods_of(expression_names: Collection[str]) -> Mapping[str, Viseme]:
    """The table, for a model that has all blendshapes which it takes; else none."""
    needed = {name for mood in MOODS.values() for name in mood}
    return MOODS if needed <= set(expression_names) else {}
