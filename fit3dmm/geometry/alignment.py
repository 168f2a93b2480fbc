"""The similarity that lays points on their partners: least squares in closed form."""

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.geometry.transform import Similarity


def solve_similarity(
    source: Float[np.ndarray, "points 3"],
    target: Float[np.ndarray, "points 3"],
    *,
    with_scale: bool = True,
    may_mirror: bool = False,
) -> Similarity:
    """Least-squares transform of points onto their partners: `T_target_source`, in float64.

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    PAMI 13(4), 1991, equations 39-43.

    Args:
        source: the points that move.
        target: where they shall come to lie, in the same order.
        with_scale: also fit the size; otherwise the motion is rigid.
        may_mirror: leave the determinant free, as MATLAB's procrustes with reflection 'best' does,
            which NoW, FG2018 and REALY use.

    Raises:
        InputError: fewer than three points, points that are not finite, or points on one line.
    """
    _check(source, target)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    offset = source - source_mean
    left, spread, right = np.linalg.svd((target - target_mean).T @ offset)
    signs = np.ones(3)
    if not may_mirror and np.linalg.det(left @ right) < 0:
        signs[2] = -1
    rotation = (left * signs) @ right
    scale = (spread * signs).sum() / (offset**2).sum() if with_scale else 1.0
    return Similarity(
        torch.from_numpy(rotation).double(),
        torch.from_numpy(target_mean - scale * rotation @ source_mean).double(),
        torch.tensor(float(scale), dtype=torch.float64),
    )


def _check(source: np.ndarray, target: np.ndarray) -> None:
    if len(source) < 3 or source.shape != target.shape:
        raise InputError(
            f"Aligning needs at least 3 pairs of points, got {len(source)} and {len(target)}."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise InputError("Aligning needs finite landmark coordinates; got NaN or infinity.")
    for name, points in (("moved", source), ("target", target)):
        offset = points - points.mean(axis=0)
        spread_squared = np.linalg.eigvalsh(offset.T @ offset)
        if spread_squared[1] <= 1e-14 * spread_squared[2] or spread_squared[2] == 0:
            raise InputError(
                f"Aligning needs points that span a plane; the {name} points lie on one line."
            )
