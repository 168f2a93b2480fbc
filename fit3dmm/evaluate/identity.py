"""Whether a fit finds the same person in two photos, and what of a smile it takes for the person.

Definitions: docs/evaluation.md, "Real people" and "Identity". Everything here is a function of
arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from fit3dmm.geometry.alignment import solve_similarity

MOUTH_CORNERS = (48, 54)
"""Among the 68 of iBUG."""


@dataclass(frozen=True)
class NeutralFace:
    """The face that a fit takes for a person's own, without expression."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    """Of the face alone, the same ones for everybody; y is up."""
    landmarks68_mm: Float[np.ndarray, "68 3"]


@dataclass(frozen=True)
class Leakage:
    """How a person's neutral face of one photo differs from that of another, in mm."""

    face_mm: float
    """Mean distance of corresponding vertices."""
    mouth_mm: float
    """The same around the mouth."""
    mouth_width_mm: float
    """How much wider the mouth is."""
    corner_height_mm: float
    """How much higher its corners are."""


def leakage(
    neutral: NeutralFace, smiling: NeutralFace, around_mouth: Bool[np.ndarray, "vertices"]
) -> Leakage:
    """What the smiling photo changed, in size too, after a rigid motion.

    Args:
        neutral: of the neutral photo.
        smiling: of the smiling one.
        around_mouth: which vertices are.
    """
    aligned = solve_similarity(smiling.vertices_mm, neutral.vertices_mm, with_scale=False)
    apart = np.linalg.norm((aligned @ smiling.vertices_mm) - neutral.vertices_mm, axis=1)
    before = neutral.landmarks68_mm[list(MOUTH_CORNERS)]
    after = (aligned @ smiling.landmarks68_mm)[list(MOUTH_CORNERS)]
    return Leakage(
        float(apart.mean()),
        float(apart[around_mouth].mean()),
        float(np.linalg.norm(after[1] - after[0]) - np.linalg.norm(before[1] - before[0])),
        float((after - before)[:, 1].mean()),
    )


def shape_distances_mm(
    probes: Sequence[NeutralFace], gallery: Sequence[NeutralFace]
) -> Float[np.ndarray, "probes gallery"]:
    """Mean distance of corresponding vertices of every pair, after a rigid motion. All heads are
    brought to one size before, the gallery's mean: what a photo says of size is too little to know
    people by, and small heads would be near to everybody.
    """
    size_mm = float(np.mean([_size_mm(face.vertices_mm) for face in gallery]))

    def resized(face: NeutralFace) -> np.ndarray:
        return face.vertices_mm * size_mm / _size_mm(face.vertices_mm)

    def apart_mm(a: np.ndarray, b: np.ndarray) -> float:
        onto = solve_similarity(a, b, with_scale=False)
        return float(np.linalg.norm(onto @ a - b, axis=1).mean())

    others = [resized(face) for face in gallery]
    return np.array([[apart_mm(resized(face), other) for other in others] for face in probes])


def coefficient_distances(
    probes: Float[np.ndarray, "probes k"], gallery: Float[np.ndarray, "gallery k"]
) -> Float[np.ndarray, "probes gallery"]:
    """One minus the cosine of the angle between coefficients in the model's sigmas.

    Raises:
        ValueError: a face is the mean face, which has no direction.
    """
    lengths = [np.linalg.norm(rows, axis=1, keepdims=True) for rows in (probes, gallery)]
    if min(length.min() for length in lengths) == 0:
        raise ValueError("The mean face looks like nobody: expected coefficients beside zero.")
    return 1 - (probes / lengths[0]) @ (gallery / lengths[1]).T


def shares_farther(distances: Float[np.ndarray, "people people"]) -> Float[np.ndarray, "people"]:
    """Of each person, the share of all pairs of two people who are farther apart than the two
    photos of this one. Its mean is the area under the ROC curve of verification (Mann and Whitney's
    statistic); equal distances count half.

    Args:
        distances: of photo i of one kind from photo j of the other, the people in one order.
    """
    own = np.diag(distances)[:, None]
    others = distances[~np.eye(len(distances), dtype=bool)]
    return (others > own).mean(axis=1) + 0.5 * (others == own).mean(axis=1)


def found_first(distances: Float[np.ndarray, "people people"]) -> Float[np.ndarray, "people"]:
    """1 for whoever is the nearest to their own photo, else 0; its mean is the rank-1 rate. Who
    shares the first place with n others counts 1 / (n + 1)."""
    nearest = distances == distances.min(axis=1, keepdims=True)
    return np.diag(nearest) / nearest.sum(axis=1)


def roc_auc(within: Float[np.ndarray, "same"], between: Float[np.ndarray, "other"]) -> float:
    """Area under the ROC curve of verification: the chance that two photos of two people are
    farther apart than two photos of one (Mann and Whitney's statistic); equal distances count half.

    Args:
        within: distances of pairs of photos of one person.
        between: of two people.

    Raises:
        ValueError: there is none of one kind.
    """
    if not len(within) or not len(between):
        raise ValueError("Expected pairs of one person and of two people.")
    ordered = np.sort(between)
    nearer = np.searchsorted(ordered, within, side="left")
    not_farther = np.searchsorted(ordered, within, side="right")
    return float((1 - (nearer + not_farther) / 2 / len(ordered)).mean())


def first_of_same(
    distances: Float[np.ndarray, "partners"], same: Bool[np.ndarray, "partners"]
) -> float:
    """Of one photo: whether the nearest of its partners is of the same person; nearest ones that
    are equally far share it."""
    nearest = distances == distances.min()
    return float((nearest & same).sum() / nearest.sum())


def _size_mm(vertices_mm: np.ndarray) -> float:
    """Root mean square distance from the middle."""
    return float(np.sqrt(vertices_mm.var(axis=0).sum()))
