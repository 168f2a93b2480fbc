"""What the photos show: one seeded specification a case, spread evenly over what matters.

Cases come in dozens. Within each dozen every quantity takes twelve even steps of its range in an
order of its own, so that a dozen covers all of it and quantities do not go together. Even numbers
are the validation split, on which settings are chosen, odd ones the test split, which is reported;
a case does not depend on how many there are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.synthetic.looks import USUAL, Edition
from fit3dmm.synthetic.probes import probe_names, turns_by_light

VERSIONS: Mapping[Edition, str] = {"v1": "1", "v2": "2", "v3": "3"}
"""Of each edition of the set: raise it when a change of the code changes photos or truths."""

MOST_PHOTOS = 12
"""Of one person: a dozen covers everything evenly."""

Split = Literal["test", "validation", "all"]
Kind = Literal["held-out", "in-model"]

EXPRESSIONS = ("smile", "laugh", "surprise", "anger", "sadness", "talk")
OCCLUDERS = ("glasses", "fringe", "hand", "microphone")
PROPORTIONS = ((1.0, 0.75), (0.75, 1.0), (0.8, 1.0), (1.0, 1.0))
"""Width and height of the photos as shares of the longer side."""
YAW_DEG, FOCAL_MM = 60.0, (24.0, 135.0)
TONES = (0.03, 0.55)
"""Mean luminance of the face's albedo, from the darkest to the lightest (linear, white is 1)."""

FRONTAL_DEG, TURNED_DEG = 12.0, 50.0
"""From the second edition on half of the heads are turned by less than the first, none by more than
the second."""
DISTANCE_MM = (400.0, 2800.0)
"""From the second edition on: from a phone at arm's length to a long lens across a room. The focal
length follows, with whatever was cut off around the head."""
EVEN_TONES = (0.035, 0.52)
"""From the second edition on tones are even for the eye (by the cube root of luminance)."""

_DOZEN = 12
_OF_PERSON = ("identity", "movement", "size", "deformation", "skin", "hair", "eyes", "torso")
"""Purposes of random numbers that say who somebody is; the others say what a photo shows of it."""


@dataclass(frozen=True)
class Specification:
    """One photo before it is made."""

    seed: int
    index: int
    kind: Kind
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    focal_35mm: float
    """Equivalent focal length in mm."""
    face_share: float
    """Height of the head as a share of the photo's shorter side."""
    off_centre: tuple[float, float]
    """Where the head is, as shares of the photo's sides from its middle; x right, y up."""
    width_px: int
    height_px: int
    tone: float
    """Mean luminance of the face's albedo."""
    expression: str
    """One of EXPRESSIONS, or empty for a face (almost) at rest."""
    occluder: str
    """One of OCCLUDERS, or empty."""
    probe: str
    probe_turn: float
    """In full turns about the vertical."""
    soft_light: bool = False
    """Whether hard lamps of the probe are spread (`probes.softened`)."""
    edition: Edition = "v1"
    """Of the set; truths of the first do not say it."""
    sitter: int | None = None
    """The case whose person is in the photo; None where it is this one's own."""

    @property
    def name(self) -> str:
        """Of the case."""
        own = f"{self.index:04d}"
        return own if self.sitter is None else f"{self.sitter:04d}-{own}"

    def generator(self, purpose: str) -> np.random.Generator:
        """Random numbers of this case for one purpose: a change of one leaves the others alone."""
        index = self.sitter if self.sitter is not None and purpose in _OF_PERSON else self.index
        return np.random.default_rng([self.seed, index, *purpose.encode()])


def case_indices(cases: int, split: Split) -> list[int]:
    """Which cases of the endless list are meant.

    Args:
        cases: how many.
        split: `validation` takes even numbers, for choosing settings; `test` odd ones, for figures
            that are reported; `all` both.

    Raises:
        InputError: fewer than one.
    """
    if cases < 1:
        raise InputError(f"Expected --cases 1 or more, got {cases}.")
    if split == "all":
        return list(range(cases))
    return [2 * k + (split == "test") for k in range(cases)]


def specify(
    seed: int,
    index: int,
    kind: Kind = "held-out",
    photo_px: int = 640,
    edition: Edition = USUAL,
) -> Specification:
    """The specification of a case.

    Args:
        seed: of the set.
        index: of the case: even ones are for validation, odd ones for tests.
        kind: whether the people are the model's own.
        photo_px: longer side of the photo.
        edition: of the set (`looks`).
    """
    is_test, k = index % 2, index // 2
    dozen, place = divmod(k, _DOZEN)
    orders = np.random.default_rng([seed, is_test, dozen, 1])
    draw = np.random.default_rng([seed, index, 2])

    def even() -> float:
        """A step of 0..1 that no other case of the dozen has, and a place within it."""
        step = orders.permutation(_DOZEN)[place]
        return float((step + draw.uniform()) / _DOZEN)

    probes = probe_names()
    order = np.random.default_rng([seed, is_test, k // len(probes), 3]).permutation(len(probes))
    probe = probes[order[k % len(probes)]]
    side = (-1) ** (place + dozen)
    shown = _first_edition if edition == "v1" else _later_editions
    fields = shown(even, draw, orders, place, side, probe, photo_px)
    if kind == "in-model":
        fields["occluder"] = ""
    return Specification(
        seed=seed, index=index, kind=kind, probe=probe, edition=edition, **fields
    )  # fmt: skip


def specify_sitting(
    seed: int,
    person: int,
    photos: int,
    kind: Kind = "held-out",
    photo_px: int = 640,
    edition: Edition = USUAL,
) -> list[Specification]:
    """Photos of one person, which are as different as those of a dozen of people.

    They are cases of a set of its own (`seed`), of the person's split; the first few do not depend
    on how many there are.

    Args:
        seed: of the set.
        person: the case whose person it is: even ones are for validation, odd ones for tests.
        photos: how many, up to `MOST_PHOTOS`.
        kind: whether the person is the model's own.
        photo_px: longer side of the photos.
        edition: of the set (`looks`).

    Raises:
        InputError: there are none or too many photos.
    """
    if not 1 <= photos <= MOST_PHOTOS:
        raise InputError(f"Expected 1 to {MOST_PHOTOS} photos of a person, got {photos}.")
    tone = specify(seed, person, kind, photo_px, edition).tone
    first = person // 2 * MOST_PHOTOS
    cases = (2 * (first + k) + person % 2 for k in range(photos))
    return [
        replace(specify(seed, case, kind, photo_px, edition), tone=tone, sitter=person)
        for case in cases
    ]


def _first_edition(
    even: Callable[[], float],
    draw: np.random.Generator,
    orders: np.random.Generator,
    place: int,
    side: int,
    probe: str,
    photo_px: int,
) -> dict[str, Any]:
    """Everything evenly over its range, in light from anywhere."""
    del probe
    yaw = YAW_DEG * even() * side
    focal_35mm = FOCAL_MM[0] * (FOCAL_MM[1] / FOCAL_MM[0]) ** even()
    tone = TONES[0] * (TONES[1] / TONES[0]) ** even()
    # The first half of the steps has an expression, the last third an occluder.
    expression = int(even() * 2 * len(EXPRESSIONS))
    occluder = int((even() - 2 / 3) * 3 * len(OCCLUDERS) + len(OCCLUDERS)) - len(OCCLUDERS)
    sides = PROPORTIONS[int(orders.permutation(_DOZEN)[place]) % len(PROPORTIONS)]
    # A wide lens is held nearer, and still shows more around the head.
    least, most = (0.36, 0.58) if focal_35mm < 35 else (0.42, 0.75)
    return {
        "yaw_deg": float(yaw),
        "pitch_deg": float(np.clip(draw.normal(0, 8), -20, 20)),
        "roll_deg": float(np.clip(draw.normal(0, 6), -18, 18)),
        "focal_35mm": focal_35mm,
        "face_share": float(draw.uniform(least, most)),
        "off_centre": (float(draw.uniform(-0.12, 0.12)), float(draw.uniform(-0.02, 0.1))),
        "width_px": round(sides[0] * photo_px),
        "height_px": round(sides[1] * photo_px),
        "tone": tone,
        "expression": EXPRESSIONS[expression] if expression < len(EXPRESSIONS) else "",
        "occluder": OCCLUDERS[occluder] if occluder >= 0 else "",
        "probe_turn": float(draw.uniform()),
    }


# What of a dozen people do who are photographed, and what is before their faces.
_DOING = (*5 * [""], *3 * ["smile"], *2 * ["laugh"], "talk", "surprise, anger or sadness")
_BEFORE = (*9 * [""], *2 * ["glasses"], "fringe or microphone")
_HEAD_MM = 232.0
"""From the chin to the crown."""
_DIAGONAL_35MM = float(np.hypot(36, 24))
_HARD_LIGHT = 2 / 12


def _later_editions(
    even: Callable[[], float],
    draw: np.random.Generator,
    orders: np.random.Generator,
    place: int,
    side: int,
    probe: str,
    photo_px: int,
) -> dict[str, Any]:
    """As people are photographed: mostly frontal, at all distances, in light that falls on them."""
    turned = even()
    yaw = 2 * FRONTAL_DEG * turned
    if turned > 0.5:
        yaw = FRONTAL_DEG + (TURNED_DEG - FRONTAL_DEG) * (2 * turned - 1) ** 1.5
    yaw *= side
    distance_mm = DISTANCE_MM[0] * (DISTANCE_MM[1] / DISTANCE_MM[0]) ** even()
    low, high = np.cbrt(EVEN_TONES)
    tone = float((low + (high - low) * even()) ** 3)
    expression = _one_of(_DOING[int(_DOZEN * even())], draw)
    occluder = _one_of(_BEFORE[int(_DOZEN * even())], draw)
    sides = PROPORTIONS[int(orders.permutation(_DOZEN)[place]) % len(PROPORTIONS)]
    face_share = float(draw.uniform(0.42, 0.8))
    shorter, diagonal = min(sides), float(np.hypot(*sides))
    focal_35mm = distance_mm * face_share * shorter / _HEAD_MM * _DIAGONAL_35MM / diagonal
    # Nobody seeks the light behind a head.
    turns = turns_by_light(probe, float(yaw))
    turn = turns[int(len(turns) * 0.85 * even() ** 2)]
    return {
        "yaw_deg": float(yaw),
        "pitch_deg": float(np.clip(draw.normal(0, 6), -16, 16)),
        "roll_deg": float(np.clip(draw.normal(0, 4.5), -14, 14)),
        "focal_35mm": max(float(focal_35mm), FOCAL_MM[0]),
        "face_share": face_share,
        "off_centre": (float(draw.uniform(-0.1, 0.1)), float(draw.uniform(-0.05, 0.06))),
        "width_px": round(sides[0] * photo_px),
        "height_px": round(sides[1] * photo_px),
        "tone": tone,
        "expression": expression,
        "occluder": occluder,
        "probe_turn": float(turn),
        "soft_light": even() >= _HARD_LIGHT,
    }


def _one_of(names: str, draw: np.random.Generator) -> str:
    """A name out of a list like `a, b or c`."""
    choices = names.replace(" or ", ", ").split(", ")
    return choices[int(draw.integers(len(choices)))]
