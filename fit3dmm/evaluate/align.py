"""Similarity transforms between corresponding points: closed forms of the protocols."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from fit3dmm._errors import InputError


@dataclass(frozen=True)
class Similarity:
    """point -> scale * rotation @ point + translation. The rotation mirrors only if it was let."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def apply(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Move points."""
        return self.scale * points @ self.rotation.T + self.translation

    def invert(self, points: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Move points back."""
        return (points - self.translation) @ self.rotation / self.scale

    def after(self, first: "Similarity") -> "Similarity":
        """The one transform that does `first` and then this."""
        return Similarity(
            self.scale * first.scale,
            self.rotation @ first.rotation,
            self.scale * self.rotation @ first.translation + self.translation,
        )


IDENTITY = Similarity(1.0, np.eye(3), np.zeros(3))
"""Nothing moves."""


def solve_similarity(
    source: Float[np.ndarray, "points 3"],
    target: Float[np.ndarray, "points 3"],
    *,
    with_scale: bool = True,
    may_mirror: bool = False,
) -> Similarity:
    """Least-squares transform of points onto their partners.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 13(4), 1991, equations 39-43. With `may_mirror` the determinant is left free, as in
    MATLAB's procrustes with reflection 'best', which NoW, FG2018 and REALY use.

    Raises:
        InputError: fewer than three points, points that are not finite, or points on one line.
    """
    offset_source, _, left, spread, right = _decompose(source, target)
    signs = np.ones(3)
    if not may_mirror and np.linalg.det(left @ right) < 0:
        signs[2] = -1
    rotation = (left * signs) @ right
    scale = float((spread * signs).sum() / (offset_source**2).sum()) if with_scale else 1.0
    return Similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))


def solve_similarity_l1(
    source: Float[np.ndarray, "points 3"], target: Float[np.ndarray, "points 3"]
) -> Similarity:
    """REALY's variant: its scale is the ratio of summed absolute coordinates, not least squares.

    The rotation is the least-squares one with the determinant left free.

    Raises:
        InputError: as for `solve_similarity`.
    """
    offset_source, offset_target, left, _, right = _decompose(source, target)
    rotation = left @ right
    scale = float(np.abs(offset_target).sum() / np.abs(offset_source @ rotation.T).sum())
    return Similarity(scale, rotation, target.mean(axis=0) - scale * rotation @ source.mean(axis=0))


def _decompose(source: np.ndarray, target: np.ndarray):
    if len(source) < 3 or source.shape != target.shape:
        raise InputError(
            f"Aligning needs at least 3 pairs of points, got {len(source)} and {len(target)}."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise InputError("Aligning needs finite landmark coordinates; got NaN or infinity.")
    offset_source = source - source.mean(axis=0)
    offset_target = target - target.mean(axis=0)
    for name, offset in (("moved", offset_source), ("target", offset_target)):
        spread_squared = np.linalg.eigvalsh(offset.T @ offset)
        if spread_squared[1] <= 1e-14 * spread_squared[2] or spread_squared[2] == 0:
            raise InputError(
                f"Aligning needs points that span a plane; the {name} points lie on one line."
            )
    left, spread, right = np.linalg.svd(offset_target.T @ offset_source)
    return offset_source, offset_target, left, spread, right
