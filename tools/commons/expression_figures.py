"""What people's expressions showed: how the artists' units fall short, and which units go together.

Both were measured by fitting photos (measure_expressions.py): a smile pulls more of the face than
the mouth, and nobody moves one unit alone. expression_figures.json holds the result: for three
units what they lack, at points that are spread over the left half of the face, and the second
moments of the activations. No photo and nobody's face is in it.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.interpolate import RBFInterpolator

from commons.head import Head

TABLE = Path(__file__).with_name("expression_figures.json")
# Half-width of the band about the midline in which the left and the right half of a smile blend.
_BLEND_MM = 22.0
# The figures' points lie some 7 mm apart; nothing finer is read into them.
_SMOOTHING = 0.02
# Behind the lips the mouth's lining follows them and comes to rest over this depth.
_LINING_MM = 15.0


@dataclass(frozen=True)
class ExpressionFigures:
    """Measured on the units as they were before."""

    vertices: np.ndarray
    """(points,) of MakeHuman's base mesh, on the left or on the midline."""
    lacking_mm: dict[str, np.ndarray]
    """By unit, (points, 3) what it lacks at full activation; of paired units without the side."""
    names: tuple[str, ...]
    sigma: np.ndarray
    """(names,) root of the second moment of each activation."""
    correlation: np.ndarray
    """(names, names) of the activations about rest: second moments over those sigmas."""


@cache
def read_expression_figures() -> ExpressionFigures:
    table = json.loads(TABLE.read_text())
    return ExpressionFigures(
        vertices=np.array(table["vertices"]),
        lacking_mm={name: np.array(rows) for name, rows in table["lacking_mm"].items()},
        names=tuple(table["names"]),
        sigma=np.array(table["sigma"]),
        correlation=np.array(table["correlation"]),
    )


def lacking_units_mm(
    figures: ExpressionFigures, head: Head, mean_mm: np.ndarray
) -> dict[str, np.ndarray]:
    """(base, 3) displacements by which each unit is to be corrected, left and right apart."""
    row = {int(v): i for i, v in enumerate(head.vertex)}
    left = np.array([row[v] for v in figures.vertices])
    places = np.concatenate([left, head.mirror[left]])
    places, first = np.unique(places, return_index=True)
    moved = np.flatnonzero(head.in_part("skin", "mouth"))
    fading = _fading(head, mean_mm)[moved, None]
    to_left = left_share(mean_mm)
    found = {}
    for name, at_points in figures.lacking_mm.items():
        both = np.concatenate([at_points, at_points * [-1, 1, 1]])[first]
        spread = RBFInterpolator(mean_mm[places], both, kernel="linear", smoothing=_SMOOTHING)
        whole = np.zeros_like(mean_mm)
        whole[moved] = spread(mean_mm[moved]) * fading
        whole = (whole + whole[head.mirror] * [-1, 1, 1]) / 2
        if name in figures.names:
            found[name] = whole
        else:
            found[f"{name}Left"], found[f"{name}Right"] = to_left * whole, (1 - to_left) * whole
    return found


def left_share(mean_mm: np.ndarray) -> np.ndarray:
    """(base, 1) the left one's share of what both sides move, smooth across the middle."""
    share = np.clip(mean_mm[:, :1] / (2 * _BLEND_MM) + 0.5, 0, 1)
    return share**2 * (3 - 2 * share)


def _fading(head: Head, mean_mm: np.ndarray) -> np.ndarray:
    """(base,) 1 on the skin, falling to 0 behind the lips."""
    behind_mm = mean_mm[head.lip_rim, 2].mean() - mean_mm[:, 2]
    inside = head.in_part("mouth")
    return np.where(inside, np.clip(1 - behind_mm / _LINING_MM, 0, 1), 1.0)


def spread_of_activations(
    figures: ExpressionFigures, names: tuple[str, ...], usual_sigma: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Prior sigmas (units,) and the lower triangular factor of their covariance.

    Photos of calm and smiling people say little about frowns and blinks: a unit's sigma is never
    less than a share of what is usual. Units without figures go with no other.

    Args:
        usual_sigma: (units,) by common knowledge.
    """
    sigma, correlation = np.array(usual_sigma, dtype=float), np.eye(len(names))
    at = np.array([names.index(name) for name in figures.names])
    sigma[at] = np.maximum(figures.sigma, _LEAST_SHARE * sigma[at])
    correlation[np.ix_(at, at)] = figures.correlation
    factor = np.linalg.cholesky(correlation) * sigma[:, None]
    return np.linalg.norm(factor, axis=1), factor


_LEAST_SHARE = 0.8
