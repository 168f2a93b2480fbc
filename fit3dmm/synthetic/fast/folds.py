"""Wrinkles: grooves along lines of the face, deeper with age and with the expression that makes
them."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

# Each fold: the blendshapes that deepen it, and by how many mm at full activation.
_MADE_BY: dict[str, dict[str, float]] = {
    "nasolabial": {"mouthSmile": 1.3, "cheekSquint": 0.5, "noseSneer": 0.6, "mouthDimple": 0.4},
    "marionette": {"mouthFrown": 0.6, "mouthSmile": 0.3},
    "forehead": {"browInnerUp": 0.9, "browOuterUp": 0.6},
    "glabella": {"browDown": 0.9},
    "crow": {"cheekSquint": 0.5, "eyeSquint": 0.4, "mouthSmile": 0.3},
    "bag": {"cheekSquint": 0.4, "eyeSquint": 0.3},
}
_BY_AGE_MM = {
    "nasolabial": 1.1, "marionette": 0.9, "forehead": 0.55,
    "glabella": 0.5, "crow": 0.45, "bag": 0.9,
}  # fmt: skip
_WIDTH_MM = {
    "nasolabial": 2.2, "marionette": 1.9, "forehead": 1.6,
    "glabella": 1.6, "crow": 1.4, "bag": 2.2,
}  # fmt: skip
_DARKER = 0.16
"""How much less light reaches the ground of a groove, for each mm of its depth."""


@dataclass(frozen=True)
class Folds:
    """Profiles on the vertices of a mean head: 1 in the groove, 0 away from it."""

    names: tuple[str, ...]
    profile: Float[np.ndarray, "folds vertices"]

    def depth_mm(
        self, age: float, activations: Mapping[str, float], draw: np.random.Generator
    ) -> Float[np.ndarray, "vertices"]:
        """How deep the face is folded.

        Args:
            age: 0 young, 1 old.
            activations: mean of both sides by blendshape, without the side in its name.
        """
        amount = np.empty(len(self.names), dtype=np.float32)
        for k, name in enumerate(self.names):
            made = sum(
                mm * activations.get(blendshape, 0.0) for blendshape, mm in _MADE_BY[name].items()
            )
            lasting = _BY_AGE_MM[name] * max(age + draw.normal(0, 0.15), 0)
            # Old skin folds deeper under the same movement.
            amount[k] = lasting + made * (0.35 + 0.65 * age) * draw.uniform(0.6, 1.3)
        return amount @ self.profile


def folds_of(
    vertices_mm: Float[np.ndarray, "vertices 3"],
    landmarks68_mm: Float[np.ndarray, "68 3"],
    skin: Float[np.ndarray, "vertices"],
) -> Folds:
    """Lay the lines over a mean head."""
    names, profiles = [], []
    for name, line in _lines(landmarks68_mm.astype(np.float64)):
        distance = _distance_mm(vertices_mm, line)
        names.append(name)
        profiles.append(np.exp(-(distance**2) / (2 * _WIDTH_MM[name] ** 2)) * skin)
    return Folds(tuple(names), np.stack(profiles).astype(np.float32))


def shadow_of_depth(depth_mm: Float[np.ndarray, "vertices"]) -> Float[np.ndarray, "vertices"]:
    """Share of the light that reaches the ground."""
    return np.clip(1 - _DARKER * depth_mm, 0.5, 1)


def _lines(p: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Polylines in `model`: those of the right half, their mirror images, and the forehead's."""
    brow_y = p[17:27, 1].mean()
    eye, outer, wing, corner, brow = p[36:42].mean(axis=0), p[36], p[31], p[48], p[21]

    def line(*places: tuple[np.ndarray, *tuple[float | int, ...]]) -> np.ndarray:
        return np.stack([start + np.array(offset) for start, *offset in places])

    half = [
        ("nasolabial", line((wing, -5, 5, -3), (wing, -10, -4, -4), (corner, -9, 3, -3),
                            (corner, -8, -7, -4))),
        ("marionette", line((corner, -4, -4, -2), (corner, -7, -14, -3), (corner, -8, -24, -4))),
        ("bag", line((eye, 11, -11, 2), (eye, 0, -14, 2), (eye, -12, -10, -1))),
        ("glabella", line((brow, 3, 2, 1), (brow, 4, -8, 2))),
    ]  # fmt: skip
    for rise in (-6.0, 0.0, 6.0):
        half.append(("crow", line((outer, -5, 0.4 * rise, -3), (outer, -17, rise, -11))))
    lines = half + [(name, points * [-1.0, 1.0, 1.0]) for name, points in half]
    for rise in (16.0, 25.0, 34.0):
        x = np.linspace(-38, 38, 13)
        forehead_z = p[27, 2] - 6 - 0.011 * x**2 - 0.1 * rise
        y = np.full_like(x, brow_y + rise) + 1.5 * np.cos(x / 14 + rise)
        lines.append(("forehead", np.stack([x, y, forehead_z], -1)))
    return lines


def _distance_mm(places_mm: np.ndarray, line_mm: np.ndarray) -> np.ndarray:
    """To the nearest point of a polyline."""
    best = np.full(len(places_mm), np.inf)
    for a, b in itertools.pairwise(line_mm):
        along = b - a
        t = np.clip((places_mm - a) @ along / (along @ along), 0, 1)
        best = np.minimum(best, np.linalg.norm(places_mm - a - t[:, None] * along, axis=1))
    return best
