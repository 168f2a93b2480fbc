"""Anthropometric measures of a head as functions of its base vertices, and what surveys found.

The figures and their sources lie in anthropometry.json.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from commons.head import Head
from fit3dmm.geometry.subdivision import composed_operator, refine_levels

# Anatomical points as vertices of MakeHuman's base mesh, on the midline or on the subject's left.
_POINTS = {
    "glabella": 234,
    "sellion": 132,
    "pronasale": 5054,
    "subnasale": 343,
    "labiale_superius": 466,
    "stomion": 493,
    "labiale_inferius": 492,
    "sublabiale": 724,
    "pogonion": 733,
    "menton": 5296,
    "alare": 7098,
    "cheilion": 7122,
    "tragion": 12098,
    "euryon": 7674,
}
# Lateral points that the 1988 headboard survey places relative to the tragion (mean of the sexes):
# millimetres forward and up. The vertex nearest to that place on the average head stands for it.
_FROM_TRAGION = {
    "zygion": (32.4, 0.0),
    "gonion": (13.9, -61.1),
    "frontotemporale": (72.2, 41.6),
    "ectoorbitale": (58.7, 14.0),
}
_SELLION_AHEAD_OF_TRAGION_MM = 94.9
_RIGHT = "_right"

# Each measure is the distance between two points, along the given axes.
_ALL = (0, 1, 2)
_MEASURES: dict[str, tuple[str, str, tuple[int, ...]]] = {
    "head_breadth": ("euryon", "euryon_right", _ALL),
    "head_length": ("glabella", "opisthocranion", _ALL),
    "bizygomatic_breadth": ("zygion", "zygion_right", _ALL),
    "bigonial_breadth": ("gonion", "gonion_right", _ALL),
    "minimum_frontal_breadth": ("frontotemporale", "frontotemporale_right", _ALL),
    "ectoorbitale_breadth": ("ectoorbitale", "ectoorbitale_right", _ALL),
    "bitragion_breadth": ("tragion", "tragion_right", _ALL),
    "menton_sellion_length": ("menton", "sellion", _ALL),
    "menton_subnasale_length": ("menton", "subnasale", _ALL),
    "subnasale_sellion_length": ("subnasale", "sellion", _ALL),
    "nose_breadth": ("alare", "alare_right", _ALL),
    "nose_protrusion": ("subnasale", "pronasale", _ALL),
    "lip_length": ("cheilion", "cheilion_right", _ALL),
    "interpupillary_breadth": ("pupil", "pupil_right", _ALL),
    "endocanthion_breadth": ("endocanthion", "endocanthion_right", _ALL),
    "exocanthion_breadth": ("exocanthion", "exocanthion_right", _ALL),
    "philtrum_length": ("subnasale", "labiale_superius", _ALL),
    "upper_vermilion_height": ("labiale_superius", "stomion", _ALL),
    "lower_vermilion_height": ("stomion", "labiale_inferius", _ALL),
    "subnasale_tragion_length": ("subnasale", "tragion", _ALL),
    "nasion_tragion_length": ("sellion", "tragion", _ALL),
    "gnathion_tragion_length": ("menton", "tragion", _ALL),
    "tragion_to_top_of_head": ("vertex_of_head", "tragion", (1,)),
    "tragion_to_back_of_head": ("opisthocranion", "tragion", (2,)),
}
# How far a vertex of a mesh can stand for a point of the surveys, in mm: those that are rows of the
# mesh or edges that anybody finds, the others of the skin, and palpated or pressed-in bony ones.
# What surveys know best is how large heads are, all measures together: shape is better known from
# 3D points. (Held to 0.7 mm, all measures together took the mean face away from a scanned head,
# 1.12 mm in the median instead of 0.94 before them, whatever the size.)
_EXACT_ERROR_MM, _POINT_ERROR_MM, _BONY_ERROR_MM = 1.0, 2.5, 6.0
# Error of the mean of all measures, each as a share of itself.
_SIZE_ERROR = 0.002
# The middle of a lid opening lies this much nearer to the nose than the pupil.
_PUPIL_OUTWARD_MM = 1.8
_SURFACE_LEVEL = 2
_EXACT = (
    "endocanthion_breadth", "exocanthion_breadth", "lip_length", "menton_sellion_length",
    "nose_breadth", "bizygomatic_breadth",
)  # fmt: skip
_BONY = ("bigonial_breadth", "minimum_frontal_breadth", "ectoorbitale_breadth", "head_length")


@dataclass(frozen=True)
class Survey:
    """What was measured in people: men and women, each with a mean and one spread for both.

    Together, in equal parts, their variance is that within a sex and the square of half the gap.
    """

    names: tuple[str, ...]
    men_mm: np.ndarray
    """(measures,)"""
    women_mm: np.ndarray
    sd_within_mm: np.ndarray
    """(measures,) of one sex."""
    correlation_within: np.ndarray
    """(measures, measures) of one sex; NaN where nobody published it."""
    error_mm: np.ndarray
    """(measures + 1,) sigma of the difference between the survey's definition and the mesh's, and
    last that of the size, as a share."""
    sources: tuple[tuple[str, ...], ...]

    @property
    def with_size(self) -> np.ndarray:
        """(measures + 1, measures) the measures and, last, the mean of all as shares of themselves:
        how large a head is."""
        shares = 1 / (len(self.names) * self.mean_mm)
        return np.concatenate([np.eye(len(self.names)), shares[None]])

    @property
    def mean_mm(self) -> np.ndarray:
        """(measures,) of men and women in equal parts."""
        return (self.men_mm + self.women_mm) / 2

    @property
    def half_gap_mm(self) -> np.ndarray:
        """(measures,) from that mean to the men's; the women's lies as far on the other side."""
        return (self.men_mm - self.women_mm) / 2

    @property
    def sd_mm(self) -> np.ndarray:
        """(measures,) of both sexes together."""
        return np.hypot(self.sd_within_mm, self.half_gap_mm)


def on_surface(head: Head) -> sp.csr_matrix:
    """(base, base) where the smooth surface passes the base vertices: up to a millimetre inside
    them, and people were measured on their surface."""
    n = head.n_base
    return composed_operator(refine_levels(head.quads, n, _SURFACE_LEVEL), n)[:n]


def points_of(head: Head, shape_mm: np.ndarray) -> dict[str, np.ndarray]:
    """Name -> base vertices whose mean position is the point.

    Most are single vertices. Those that are extremes of the shape are found on the one given.
    """
    row = {int(v): i for i, v in enumerate(head.vertex)}
    skin = np.flatnonzero(head.in_part("skin"))
    left = skin[shape_mm[skin, 0] > 1]
    middle = skin[np.abs(shape_mm[skin, 0]) < 0.1]
    found = {name: row[vertex] for name, vertex in _POINTS.items()}
    found["opisthocranion"] = int(middle[shape_mm[middle, 2].argmin()])
    found["vertex_of_head"] = int(middle[shape_mm[middle, 1].argmax()])
    tragion = shape_mm[found["tragion"]]
    # The average head may still be too small: its own depth is the yardstick.
    size = (shape_mm[found["sellion"]] - tragion)[2] / _SELLION_AHEAD_OF_TRAGION_MM
    for name, (forward, up) in _FROM_TRAGION.items():
        wanted = tragion[[1, 2]] + size * np.array([up, forward])
        distance = np.linalg.norm(shape_mm[left][:, [1, 2]] - wanted, axis=1)
        near = left[distance < distance.min() + 4]
        found[name] = int(near[shape_mm[near, 0].argmax()])
    rim = head.lid_rims[0]
    found["endocanthion"] = int(rim[shape_mm[rim, 0].argmin()])
    found["exocanthion"] = int(rim[shape_mm[rim, 0].argmax()])
    points = {name: np.array([vertex]) for name, vertex in found.items()}
    points |= {f"{name}{_RIGHT}": head.mirror[v] for name, v in points.items()}
    return points | _pupils(points)


def _pupils(points: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The eyeballs are placed behind the lids afterwards (organs.py): the lids' corners speak."""
    return {
        f"pupil{side}": np.concatenate(
            [points[f"{name}{side}"] for name in ("endocanthion", "exocanthion")]
        )
        for side in ("", _RIGHT)
    }


def measure(
    points: dict[str, np.ndarray], names: tuple[str, ...], shape_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Values (measures,) in mm and their Jacobian (measures, base, 3)."""
    values = np.zeros(len(names))
    jacobian = np.zeros((len(names), *shape_mm.shape))
    for i, name in enumerate(names):
        first, second, axes = _MEASURES[name]
        a, b = points[first], points[second]
        offset = np.zeros(3)
        offset[list(axes)] = (shape_mm[a].mean(axis=0) - shape_mm[b].mean(axis=0))[list(axes)]
        values[i] = np.linalg.norm(offset)
        jacobian[i, a] += offset / values[i] / len(a)
        jacobian[i, b] -= offset / values[i] / len(b)
    return values, jacobian


def read_survey() -> Survey:
    """The preferred source of each measure."""
    table = _table()
    names = tuple(name for name in _MEASURES if name in table["measurements"])
    sex = {s: [_preferred(name, s) for name in names] for s in ("men", "women")}
    # Where a sex was not measured its mean is the other's, scaled as the heads' sizes are.
    men, women = (np.array([p[0] for p in sex[s]]) for s in ("men", "women"))
    ratio = np.nanmedian(women / men)
    men, women = (
        np.where(np.isnan(men), women / ratio, men),
        np.where(np.isnan(women), men * ratio, women),
    )
    pupils = names.index("interpupillary_breadth")
    men[pupils] -= 2 * _PUPIL_OUTWARD_MM
    women[pupils] -= 2 * _PUPIL_OUTWARD_MM
    return Survey(
        names=names,
        men_mm=men,
        women_mm=women,
        sd_within_mm=np.nanmean([[p[1] for p in sex[s]] for s in ("men", "women")], axis=0),
        correlation_within=_correlations(table, names),
        error_mm=np.array([*map(_error_mm, names), _SIZE_ERROR]),
        sources=tuple(tuple(sorted({sex[s][i][2] for s in sex} - {""})) for i in range(len(names))),
    )


def _error_mm(name: str) -> float:
    if name in _EXACT:
        return _EXACT_ERROR_MM
    return _BONY_ERROR_MM if name in _BONY else _POINT_ERROR_MM


@cache
def _table() -> dict:
    return json.loads((Path(__file__).parent / "anthropometry.json").read_text())


def _preferred(name: str, sex: str) -> tuple[float, float, str]:
    """Mean, deviation and source of the first entry, which anthropometry.md prefers."""
    entries = _table()["measurements"][name].get(sex, [])
    if not entries:
        return np.nan, np.nan, ""
    return entries[0]["mean_mm"], entries[0]["sd_mm"], entries[0]["source"]


def _correlations(table: dict, names: tuple[str, ...]) -> np.ndarray:
    """Mean of the published correlations within a sex; NaN for pairs that nobody published."""
    total = np.zeros((len(names), len(names)))
    count = np.zeros_like(total)
    for block in table["correlations"]:
        rows = [(i, block["names"].index(n)) for i, n in enumerate(names) if n in block["names"]]
        matrix = np.array(block["matrix"], dtype=float)
        for i, a in rows:
            for j, b in rows:
                total[i, j] += matrix[a, b]
                count[i, j] += 1
    correlation = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    np.fill_diagonal(correlation, 1.0)
    return correlation


@dataclass(frozen=True)
class Comparison:
    """One measure of people and of a model, in mm."""

    name: str
    men_mm: tuple[float, float]
    """People's mean, and the model's with its first component, the sexes, at 1."""
    women_mm: tuple[float, float]
    """The same with it at -1."""
    sd_mm: tuple[float, float]
    """Of both sexes together."""


def compare_points(
    names: tuple[str, ...], mean_mm: np.ndarray, components_mm: np.ndarray
) -> Iterator[Comparison]:
    """Each measure of people beside that of a model that has the points.

    Args:
        names: of the points, as in the landmark set `anthropometry`.
        mean_mm: (points, 3)
        components_mm: (components, points, 3), each one standard deviation, the sexes first.
    """
    survey = read_survey()
    points = {name: np.array([i]) for i, name in enumerate(names)}
    points |= _pupils(points)
    _, jacobian = measure(points, survey.names, mean_mm)
    spread = components_mm.reshape(len(components_mm), -1) @ jacobian.reshape(len(jacobian), -1).T
    men, women = (measure(points, survey.names, mean_mm + s * components_mm[0])[0] for s in (1, -1))
    deviations = np.sqrt((spread**2).sum(axis=0))
    for i, name in enumerate(survey.names):
        yield Comparison(
            name,
            (float(survey.men_mm[i]), float(men[i])),
            (float(survey.women_mm[i]), float(women[i])),
            (float(survey.sd_mm[i]), float(deviations[i])),
        )
