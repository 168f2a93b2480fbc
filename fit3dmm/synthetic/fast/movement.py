"""How somebody moves who talks to a camera: head pose and expression over time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fit3dmm.model.morphable import MorphableModel

# Amplitudes and how often they come back, in hertz: slow turns with quicker nods on top.
_ANGLES_DEG = ((7.0, 22.0, 5.0), (2.5, 5.0, 1.5))
_SHIFTS_MM = ((25.0, 15.0, 50.0), (4.0, 4.0, 6.0))
_SLOW_HZ, _QUICK_HZ = (0.15, 0.4), (0.7, 1.3)
_SYLLABLES_HZ, _BLINK_S, _BLINKS_A_SECOND = 4.0, 0.22, 0.35
_PHRASE_S = 1.6
_MOODS = (
    {"mouthSmile": 0.75, "cheekSquint": 0.4, "eyeSquint": 0.2},
    {"browInnerUp": 0.7, "browOuterUp": 0.6, "eyeWide": 0.3},
    {"browDown": 0.7, "mouthFrown": 0.4, "noseSneer": 0.2},
    {"mouthPucker": 0.6, "mouthFunnel": 0.2},
)


@dataclass(frozen=True)
class Movement:
    """A head and a face over time, in the camera's frame."""

    times_s: Float[np.ndarray, "frames"]
    angles_deg: Float[np.ndarray, "frames 3"]
    """Pitch, yaw and roll."""
    translation_mm: Float[np.ndarray, "frames 3"]
    expression: Float[np.ndarray, "frames expression"]
    """Activations."""


def draw_movement(
    model: MorphableModel, times_s: Float[np.ndarray, "frames"], draw: np.random.Generator
) -> Movement:
    """Talk with nods and turns, moods that come and go, blinks and glances.

    Args:
        model: whose blendshapes are moved; those of ARKit's names that it has.
        times_s: of the frames, from zero.
        draw: random numbers.
    """
    units = dict.fromkeys(model.expression_names, 0.0 * times_s)

    def add(unit: str, amount: np.ndarray, sides: tuple[str, ...] = ("", "Left", "Right")) -> None:
        for name in (f"{unit}{side}" for side in sides):
            if name in units:
                units[name] = np.clip(units[name] + amount, 0, 1)

    end_s = float(times_s[-1]) + 1.0
    talks = _phrases(times_s, end_s, draw)
    syllables = 0.5 + 0.5 * np.sin(2 * np.pi * _SYLLABLES_HZ * times_s + draw.uniform(0, 6))
    add("jawOpen", 0.3 * talks * syllables)
    add("mouthLowerDown", 0.25 * talks * np.roll(syllables, 1))
    add("mouthFunnel", 0.3 * talks * _wave(times_s, (1.0, 2.0), draw) ** 2)
    for mood in _MOODS:
        shown = _phrases(times_s, end_s, draw) * draw.uniform(0.5, 1.0)
        for unit, amount in mood.items():
            add(unit, amount * shown)
    for begin in np.cumsum(draw.exponential(1 / _BLINKS_A_SECOND, 40)):
        add("eyeBlink", np.clip(1 - np.abs((times_s - begin) / (_BLINK_S / 2)), 0, 1))
    left = 0.3 * _wave(times_s, (0.2, 0.6), draw)
    add("eyeLookOut", np.maximum(left, 0), ("Left",))
    add("eyeLookIn", np.maximum(left, 0), ("Right",))
    add("eyeLookIn", np.maximum(-left, 0), ("Left",))
    add("eyeLookOut", np.maximum(-left, 0), ("Right",))

    def swinging(amplitudes: tuple[tuple[float, ...], ...]) -> np.ndarray:
        rows = zip(amplitudes, (_SLOW_HZ, _QUICK_HZ), strict=True)
        parts = [
            [size * _wave(times_s, range_hz, draw) for size in sizes] for sizes, range_hz in rows
        ]
        return np.sum(parts, axis=0).T

    return Movement(
        times_s,
        swinging(_ANGLES_DEG),
        swinging(_SHIFTS_MM) - np.array([0, 0, draw.uniform(550, 750)]),
        np.stack([units[name] for name in model.expression_names], 1).astype(np.float32),
    )


def _wave(
    times_s: Float[np.ndarray, "frames"], range_hz: tuple[float, float], draw: np.random.Generator
) -> Float[np.ndarray, "frames"]:
    return np.sin(2 * np.pi * (draw.uniform(*range_hz) * times_s + draw.uniform()))


def _phrases(
    times_s: Float[np.ndarray, "frames"], end_s: float, draw: np.random.Generator
) -> Float[np.ndarray, "frames"]:
    """Rises to 1 and falls again, with pauses."""
    level, at = np.zeros_like(times_s), draw.uniform(0, 2 * _PHRASE_S)
    while at < end_s:
        lasts = _PHRASE_S * draw.uniform(0.6, 1.4)
        ramp = np.minimum(times_s - at, at + lasts - times_s) / 0.2
        level = np.maximum(level, np.clip(ramp, 0, 1))
        at += lasts + _PHRASE_S * draw.uniform(0.3, 1.5)
    return level * level * (3 - 2 * level)
