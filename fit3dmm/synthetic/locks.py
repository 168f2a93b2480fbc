"""Paths of locks of hair over a head: grown, combed, curled, pulled down, kept out of the head."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from fit3dmm.geometry.smoothstep import smoothstep

_DOWN = np.array([0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Style:
    """How hair is worn. Lengths are drawn between two bounds."""

    length_mm: tuple[float, float]
    locks: int
    steps: int
    width_mm: float
    lift_mm: tuple[float, float]
    """Least and most height over the skin at which locks lie."""
    stiff: float
    """How much a step keeps of the last one's direction."""
    gravity: float
    combed: float
    clumped: float
    """How far tips are drawn to the middle of their strand."""
    curl_mm: float = 0.0
    upright: float = 0.35
    """How much of the first direction is straight off the skin."""


@dataclass(frozen=True)
class Scalp:
    """The head that hair grows on."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    normals: Float[np.ndarray, "vertices 3"]
    tree: KDTree
    points68_mm: Float[np.ndarray, "68 3"]
    part_x_mm: float
    """Where the parting runs."""

    @property
    def brow_y(self) -> float:
        return float(self.points68_mm[17:27, 1].mean())

    @property
    def temple_z(self) -> float:
        """Depth of the eyes' outer corners."""
        return float(self.points68_mm[[36, 45], 2].mean())


def grown(
    scalp: Scalp,
    rows: np.ndarray,
    lengths_mm: np.ndarray,
    lift_mm: np.ndarray,
    style: Style,
    generator: np.random.Generator,
) -> Float[np.ndarray, "steps locks 3"]:
    """Step by step along what combs and pulls, pushed out of the head."""
    place = scalp.vertices_mm[rows] + generator.normal(0, 0.8, (len(rows), 3))
    normal = scalp.normals[rows]
    towards = unit(
        style.upright * normal
        + (1 - style.upright) * _combed(scalp, place, normal, length_mm=float(lengths_mm.mean()))
        + generator.normal(0, 0.15, place.shape)
    )
    step = (lengths_mm / (style.steps - 1))[:, None]
    path = [place]
    for k in range(1, style.steps):
        place = place + step * towards
        # As a lock gets longer it must first clear the skin, then it lies on what is below.
        at = lift_mm * min(1.0, 2.5 * k / style.steps)
        place, normal = outside_of(scalp, place, at)
        comb = _combed(scalp, place, normal, float(lengths_mm.mean()))
        wish = (
            style.stiff * towards
            + style.combed * (1 - k / style.steps) ** 2 * comb
            + style.gravity * (0.3 + 1.7 * k / style.steps) * _DOWN
            + _inwards(scalp, place)
            + generator.normal(0, 0.05, place.shape)
        )
        towards = unit(wish)
        path.append(place)
    return np.stack(path)


def _inwards(scalp: Scalp, place_mm: np.ndarray) -> np.ndarray:
    """Below the ears hair hangs in towards the neck."""
    nose = scalp.points68_mm[33]
    axis = np.array([0.0, 0.0, scalp.temple_z - 75])
    below = smoothstep(place_mm[:, 1], nose[1] + 25, nose[1] - 40)
    off = (axis - place_mm) * [1.0, 0.0, 1.0] / 110.0
    return 0.45 * below[:, None] * off


def outside_of(
    scalp: Scalp, place_mm: np.ndarray, lift_mm: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places at least so high over the head, and the normals of the skin below them."""
    near = scalp.tree.query(place_mm)[1]
    normal = scalp.normals[near]
    height = ((place_mm - scalp.vertices_mm[near]) * normal).sum(axis=1)
    return place_mm + normal * np.maximum(lift_mm - height, 0)[:, None], normal


def _combed(scalp: Scalp, place_mm: np.ndarray, normal: np.ndarray, length_mm: float) -> np.ndarray:
    """Along the skin: short hair runs away from the crown, longer hair to the sides and back."""
    crown = np.array([0.35 * scalp.part_x_mm, place_mm[:, 1].max(), scalp.temple_z - 105])
    away = unit(place_mm - crown)
    side = np.sign(place_mm[:, :1] - scalp.part_x_mm + 1e-6)
    aside = side * np.array([1.0, 0.0, 0.0]) + np.array([0.0, -0.25, -0.55])
    share = smoothstep(np.array([length_mm]), 25.0, 70.0)
    wish = (1 - share) * away + share * aside
    return unit(wish - (wish * normal).sum(axis=1, keepdims=True) * normal)


def clumped(paths: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Tips come together in strands, whose guides are some of the locks."""
    if amount == 0:
        return paths
    n = paths.shape[1]
    guides = generator.choice(n, max(n // 14, 1), replace=False)
    own = KDTree(paths[0, guides]).query(paths[0])[1]
    along = np.linspace(0, 1, len(paths))[:, None, None]
    return paths + amount * along * (paths[:, guides[own]] - paths)


def curled(paths: np.ndarray, radius_mm: float, generator: np.random.Generator) -> np.ndarray:
    """Along a screw about each path."""
    n = paths.shape[1]
    along = np.linspace(0, 1, len(paths))[:, None]
    phase = generator.uniform(0, 2 * np.pi, n) + generator.uniform(12, 18, n) * along
    first = unit(np.cross(paths[-1] - paths[0], generator.normal(size=(n, 3))))
    second = unit(np.cross(paths[-1] - paths[0], first))
    reach = radius_mm * np.minimum(3 * along, 1.0)
    return paths + reach[..., None] * (
        np.cos(phase)[..., None] * first + np.sin(phase)[..., None] * second
    )


def kept_off_the_face(
    scalp: Scalp, paths: np.ndarray, regions: dict[str, np.ndarray]
) -> np.ndarray:
    """A lock ends where it would come before the face: who is photographed puts it aside."""
    inner = np.clip(regions["face"] - regions["scalp"], 0, 1)
    face = np.flatnonzero(inner > 0.6)
    distance = (
        KDTree(scalp.vertices_mm[face]).query(paths.reshape(-1, 3))[0].reshape(paths.shape[:2])
    )
    front = paths[..., 2] > scalp.temple_z - 45
    before = (distance < 14.0) & front & (paths[..., 1] < scalp.brow_y + 40)
    stop = np.maximum.accumulate(before, axis=0)
    last = np.maximum(np.argmax(stop, axis=0) - 1, 0)
    columns = np.arange(paths.shape[1])
    ends = np.where(stop.any(axis=0), last, len(paths) - 1)
    keep = np.minimum(np.arange(len(paths))[:, None], ends[None])
    return paths[keep, columns[None]]


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
