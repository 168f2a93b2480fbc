"""Lips that touch: the seam between them, as subdivision draws it, closed in mean and modes."""

import numpy as np
import scipy.sparse as sp

from commons.head import PARTS, Head
from fit3dmm.geometry.subdivision import composed_operator, refine_levels

_LEVEL = 2
# How far the upper lip's edge is put below the lower one's: a seam that only just touches shows
# the teeth between its triangles.
_OVERLAP_MM = 0.25
_RIDGE = 0.02


class LipSeam:
    """What lies between the rims of the lips, and what closes it."""

    def __init__(self, head: Head, mean_mm: np.ndarray) -> None:
        """
        Args:
            mean_mm: (cut, 3) a shape whose lips are nearly closed.
        """
        self.rim = head.lip_rim
        bare = head.bare
        upper, lower = _edges_of_lips(bare, mean_mm)
        x_upper, x_lower = upper @ mean_mm[:, 0], lower @ mean_mm[:, 0]
        order = np.argsort(x_lower)
        lower, x_lower = lower[order], x_lower[order]
        inside = (x_upper > x_lower[0]) & (x_upper < x_lower[-1])
        upper, x_upper = upper[inside], x_upper[inside]
        after = np.clip(np.searchsorted(x_lower, x_upper), 1, len(x_lower) - 1)
        share = (x_upper - x_lower[after - 1]) / (x_lower[after] - x_lower[after - 1])
        opposite = sp.diags(1 - share) @ lower[after - 1] + sp.diags(share) @ lower[after]
        self.gap = sp.csr_matrix(upper - opposite)
        """(seam, cut): upper lip less lower lip, of any values."""
        own = self.gap[:, self.rim].toarray()
        self._closing = np.linalg.solve(own.T @ own + _RIDGE * np.eye(len(self.rim)), own.T)
        # Lips that meet at a point can't overlap there.
        width = np.abs(mean_mm[self.rim, 0]).max()
        self._overlap_mm = _OVERLAP_MM * np.clip((width - np.abs(x_upper)) / 4.0, 0, 1)

    def closed(self, mean_mm: np.ndarray) -> np.ndarray:
        """The shape (cut, 3) with lips that overlap a little."""
        gap = self.gap @ mean_mm
        gap[:, 0] = 0
        gap[:, 1] += self._overlap_mm
        result = mean_mm.copy()
        result[self.rim] -= self._closing @ gap
        return result

    def together(self, modes_mm: np.ndarray) -> np.ndarray:
        """(n, rim, 3) displacements (n, cut, 3) of the rim under which the seam stays as it is."""
        result = modes_mm[:, self.rim].copy()
        for mode, own in zip(modes_mm, result, strict=True):
            own -= self._closing @ (self.gap @ mode)
        return result


def _edges_of_lips(bare: Head, mean_mm: np.ndarray) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(points, cut) operators of the subdivided upper and lower rim, without their common ends."""
    steps = refine_levels(bare.quads, bare.n_base, _LEVEL)
    operator = composed_operator(steps, bare.n_base)
    of_quad = bare.quad_part[np.arange(len(steps[-1].quads)) % len(bare.quads)]
    skin, mouth = (
        np.unique(steps[-1].quads[of_quad == PARTS.index(name)]) for name in ("skin", "mouth")
    )
    fine = operator[np.intersect1d(skin, mouth)]
    # Each point belongs to the lip whose rim vertices weigh most in it.
    x = mean_mm[bare.lip_rim, 0]
    first, last = sorted((int(x.argmax()), int(x.argmin())))
    number = np.arange(len(bare.lip_rim))
    one = (number > first) & (number < last)
    other = (number < first) | (number > last)
    weights = fine[:, bare.lip_rim].toarray()
    on_one, on_other = weights[:, one].sum(axis=1), weights[:, other].sum(axis=1)
    # Between the corner and its neighbours the two lips' points are told apart alike.
    halves = [fine[on_one > on_other + 1e-6], fine[on_other > on_one + 1e-6]]
    return tuple(halves) if _rises(one, other, mean_mm, bare) else tuple(halves[::-1])


def _rises(one: np.ndarray, other: np.ndarray, mean_mm: np.ndarray, bare: Head) -> bool:
    """Whether the skin beside one half of the rim lies above that beside the other."""
    heights = []
    for half in (one, other):
        beside = np.isin(bare.quads, bare.lip_rim[half]).any(axis=1)
        beside &= bare.quad_part == PARTS.index("skin")
        heights.append(mean_mm[np.unique(bare.quads[beside]), 1].mean())
    return heights[0] > heights[1]
