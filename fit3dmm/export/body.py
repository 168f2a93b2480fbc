"""Joints of a body that is not there, for programs which expect a head to stand on one.

VRM and the rigs of talking heads ask for hips, arms and legs. These are places alone: no vertex
goes with them. A standing adult with arms stretched to the sides, whose proportions are those of
Drillis and Contini (1966) as Winter prints them ("Biomechanics and Motor Control of Human
Movement", 4th edition 2009, figure 4.1); how the length of the spine is shared out, and fingers,
are judgements.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STATURE_MM = 1700.0
"""Of everybody: a photo of a face does not tell it."""
EYES_HEIGHT_MM = 0.936 * STATURE_MM
_HEIGHTS = {
    "Hips": 0.530,
    "Spine": 0.580,
    "Spine1": 0.640,
    "Spine2": 0.720,
    "Shoulder": 0.815,
    "Arm": 0.818,
    "Neck": 0.840,
    "UpLeg": 0.520,
    "Leg": 0.285,
    "Foot": 0.039,
    "ToeBase": 0.010,
}
_SHOULDER, _ARM, _HIP = 0.03, 0.1295, 0.0955  # half of biacromial breadth and of that of the hips
_UPPER_ARM, _FOREARM, _HAND, _FOOT = 0.186, 0.146, 0.108, 0.152
# Where along the hand the first joints of the fingers lie and how far apart the three of each are.
_KNUCKLES, _PHALANX = 0.5, 0.15
_FINGERS = {"Thumb": 0.03, "Index": 0.015, "Middle": 0.005, "Ring": -0.005, "Pinky": -0.015}
SPINE = ("Hips", "Spine", "Spine1", "Spine2")


@dataclass(frozen=True)
class Joint:
    """A place on the body."""

    name: str
    """As Mixamo's and Ready Player Me's rigs call it."""
    parent: str | None
    place_mm: Float[np.ndarray, "3"]
    """x to the person's left, y up from the ground, z forward from the spine."""


def body_joints() -> tuple[Joint, ...]:
    """All joints below the neck, carriers before what they carry."""
    spine = [_at(name, SPINE[k - 1] if k else None) for k, name in enumerate(SPINE)]
    sides = [joint for side in ("Left", "Right") for joint in (*_arm(side), *_leg(side))]
    return (*spine, *sides)


def neck_place_mm() -> Float[np.ndarray, "3"]:
    """Where a neck begins, for models that have none."""
    return _place(0.0, _HEIGHTS["Neck"])


def _at(name: str, parent: str | None) -> Joint:
    return Joint(name, parent, _place(0.0, _HEIGHTS[name]))


def _place(x: float, y: float, z: float = 0.0) -> Float[np.ndarray, "3"]:
    """From shares of the stature."""
    return STATURE_MM * np.array([x, y, z])


def _arm(side: str) -> Iterator[Joint]:
    sign, y = (1.0 if side == "Left" else -1.0), _HEIGHTS["Arm"]
    elbow, wrist = _ARM + _UPPER_ARM, _ARM + _UPPER_ARM + _FOREARM
    yield Joint(f"{side}Shoulder", "Spine2", _place(sign * _SHOULDER, _HEIGHTS["Shoulder"]))
    yield Joint(f"{side}Arm", f"{side}Shoulder", _place(sign * _ARM, y))
    yield Joint(f"{side}ForeArm", f"{side}Arm", _place(sign * elbow, y))
    yield Joint(f"{side}Hand", f"{side}ForeArm", _place(sign * wrist, y))
    for finger, z in _FINGERS.items():
        parent = f"{side}Hand"
        for k in range(4):
            along = wrist + _HAND * (_KNUCKLES + k * _PHALANX)
            name = f"{side}Hand{finger}{k + 1}"
            yield Joint(name, parent, _place(sign * along, y, z))
            parent = name


def _leg(side: str) -> Iterator[Joint]:
    x = _HIP if side == "Left" else -_HIP
    yield Joint(f"{side}UpLeg", "Hips", _place(x, _HEIGHTS["UpLeg"]))
    yield Joint(f"{side}Leg", f"{side}UpLeg", _place(x, _HEIGHTS["Leg"]))
    yield Joint(f"{side}Foot", f"{side}Leg", _place(x, _HEIGHTS["Foot"]))
    yield Joint(f"{side}ToeBase", f"{side}Foot", _place(x, _HEIGHTS["ToeBase"], _FOOT * 0.7))
