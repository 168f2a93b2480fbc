"""Hair of locks that grow from the scalp, as people wear it; `synthetic.locks` has their paths.

Each lock is a flat ribbon that faces outwards and thins towards its tip. Under the locks lies a
thin dark layer, so that no skin shows through, and the skin itself darkens where roots stand ever
denser behind the hairline.
"""

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import KDTree

from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.synthetic.locks import (
    Scalp,
    Style,
    clumped,
    curled,
    grown,
    kept_off_the_face,
    outside_of,
    unit,
)
from fit3dmm.synthetic.noise import random_waves
from fit3dmm.synthetic.parts import Hair, Material, Part, plain_part

_COLOURS = np.array(
    [[0.009, 0.008, 0.007], [0.016, 0.011, 0.008], [0.032, 0.019, 0.011], [0.060, 0.033, 0.018],
     [0.115, 0.067, 0.034], [0.20, 0.13, 0.068], [0.25, 0.24, 0.23], [0.11, 0.038, 0.016]]
)  # fmt: skip
_FREQUENCY = np.array([0.14, 0.19, 0.19, 0.17, 0.12, 0.08, 0.08, 0.03])
_DARK_SKIN = 0.14
_CARRIED_EVERY = 3
"""Of a ribbon's cross-sections every third has its shadows found; the others take their mean."""

STYLES = {
    "buzz": Style((2.5, 6.0), 9000, 3, 0.9, (0.4, 1.2), 0.6, 0.0, 0.5, 0.0, upright=0.8),
    "short": Style((16.0, 38.0), 8000, 6, 1.7, (0.8, 8.0), 0.7, 0.10, 0.45, 0.45),
    "swept": Style((45.0, 90.0), 6500, 9, 2.0, (1.0, 13.0), 0.75, 0.18, 0.5, 0.5),
    "medium": Style((110.0, 190.0), 4500, 11, 3.2, (2.0, 10.0), 0.65, 0.5, 0.45, 0.6, upright=0.15),
    "long": Style((230.0, 380.0), 4500, 15, 3.6, (2.0, 10.0), 0.55, 0.7, 0.45, 0.65, upright=0.12),
    "curly": Style((35.0, 80.0), 6500, 12, 1.9, (1.0, 14.0), 0.8, 0.10, 0.15, 0.3, 4.0, 0.9),
    "crop of curls": Style((9.0, 20.0), 10000, 6, 1.4, (0.8, 4.0), 0.8, 0.0, 0.1, 0.3, 2.0, 0.9),
}
_ODDS = {
    "bald": 0.07, "buzz": 0.12, "short": 0.28, "swept": 0.13, "medium": 0.14, "long": 0.18,
    "curly": 0.08,
}  # fmt: skip
_ODDS_DARK = {
    "bald": 0.10, "buzz": 0.22, "crop of curls": 0.26, "curly": 0.22, "short": 0.04,
    "medium": 0.06, "long": 0.10,
}  # fmt: skip


def strand_hair(
    head_mm: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    regions: dict[str, np.ndarray],
    landmarks68_mm: Float[np.ndarray, "68 3"],
    tone: float,
    fringe: bool,
    generator: np.random.Generator,
) -> Hair:
    """Hair of a person.

    Args:
        head_mm: the head with its expression.
        triangles: the head's.
        regions: the model's.
        landmarks68_mm: of the head with its expression.
        tone: mean luminance of the face.
        fringe: it hangs over the forehead to the brows, and counts as an occluder.
        generator: of random numbers.
    """
    odds = _ODDS_DARK if tone < _DARK_SKIN else _ODDS
    names = list(odds)
    name = names[generator.choice(len(names), p=list(odds.values()))]
    if fringe and name in ("bald", "buzz", "crop of curls"):
        name = "medium"
    share = _FREQUENCY * (1 if tone > _DARK_SKIN else np.array([6, 4, 1, 0, 0, 0, 1, 0]))
    colour = _COLOURS[generator.choice(len(_COLOURS), p=share / share.sum())]
    colour = colour * generator.uniform(0.8, 1.25)
    scalp = Scalp(
        head_mm,
        vertex_normals(Mesh(head_mm, triangles)),
        KDTree(head_mm),
        landmarks68_mm,
        float(generator.choice([-28.0, -16.0, 0.0, 16.0, 28.0])),
    )
    cover = _hairline(scalp, regions, generator)
    if name == "bald":
        # A shaved ring is left of most.
        ring = cover * smoothstep(head_mm[:, 1], scalp.brow_y + 45, scalp.brow_y + 5)
        return Hair((), 0.35 * generator.uniform() * ring, colour)
    style = STYLES[name]
    length_mm = float(generator.uniform(*style.length_mm))
    parts = [_under_layer(scalp, triangles, cover, style, length_mm, colour, generator)]
    roots = _roots(cover, style.locks, generator)
    parts.append(_locks(scalp, roots, style, length_mm, regions, colour, generator))
    if fringe:
        parts.append(_fringe(scalp, cover, colour, generator))
    densest = 0.5 if name == "buzz" else 0.85
    return Hair(tuple(parts), densest * smoothstep(cover, 0.02, 0.7), colour)


def _hairline(
    scalp: Scalp, regions: dict[str, np.ndarray], generator: np.random.Generator
) -> np.ndarray:
    """How densely hair grows, with an uneven edge that recedes at the temples of some."""
    edge = regions["scalp"] + 0.12 * random_waves(scalp.vertices_mm, 7.0, generator)
    x, y, z = scalp.vertices_mm.T
    back = generator.uniform(0, 1) ** 2
    corner = np.exp(-(((np.abs(x) - 38) / 14) ** 2)) * smoothstep(
        z, scalp.temple_z - 40, scalp.temple_z
    )
    edge = edge - 0.7 * back * corner * smoothstep(y, scalp.brow_y, scalp.brow_y + 30)
    return smoothstep(edge, 0.25, 0.8) * np.clip(1 - regions["ears"], 0, 1)


def _roots(cover: np.ndarray, locks: int, generator: np.random.Generator) -> np.ndarray:
    """Rows of the head's vertices, denser where hair is."""
    return generator.choice(len(cover), locks, p=cover / cover.sum())


def _under_layer(
    scalp: Scalp,
    triangles: np.ndarray,
    cover: np.ndarray,
    style: Style,
    length_mm: float,
    colour: np.ndarray,
    generator: np.random.Generator,
) -> Part:
    """A dark layer that ends inside the hairline."""
    inside = smoothstep(cover, 0.75, 1.0)
    waves = 1 + 0.2 * random_waves(scalp.vertices_mm, 9.0, generator)
    most = min(0.35 * length_mm * style.upright, 0.5 * style.lift_mm[1])
    thick = inside * (0.3 + most * waves)
    kept = triangles[(inside[triangles] > 0.05).all(axis=1)]
    used, corners = np.unique(kept, return_inverse=True)
    outside = scalp.vertices_mm[used] + scalp.normals[used] * thick[used, None]
    return plain_part(outside, corners.reshape(-1, 3), 0.55 * colour, Material.HAIR)


def _locks(
    scalp: Scalp,
    rows: np.ndarray,
    style: Style,
    length_mm: float,
    regions: dict[str, np.ndarray],
    colour: np.ndarray,
    generator: np.random.Generator,
) -> Part:
    """All locks as ribbons."""
    lengths = length_mm * generator.uniform(0.6, 1.0, len(rows)) ** 0.5
    # Hair over ears and neck is cut shorter than on the crown.
    low = smoothstep(scalp.vertices_mm[rows, 1], scalp.brow_y + 50, scalp.brow_y - 10)
    if length_mm < 100:
        lengths *= 1 - 0.65 * low
    lift = generator.uniform(*style.lift_mm, len(rows)) * (1 - 0.7 * low)
    paths = grown(scalp, rows, lengths, lift, style, generator)
    paths = clumped(paths, style.clumped, generator)
    if style.curl_mm:
        paths = curled(paths, style.curl_mm, generator)
    paths = kept_off_the_face(scalp, paths, regions)
    widths = style.width_mm * generator.uniform(0.6, 1.3, len(rows))
    return _ribbons(scalp, paths, widths, colour, generator)


def _fringe(
    scalp: Scalp,
    cover: np.ndarray,
    colour: np.ndarray,
    generator: np.random.Generator,
) -> Part:
    """Locks from the front of the hairline that hang over the forehead, to one side."""
    x, y, z = scalp.vertices_mm.T
    front = cover * smoothstep(z, scalp.temple_z - 30, scalp.temple_z) * (np.abs(x) < 62)
    front = front * smoothstep(y, scalp.brow_y + 25, scalp.brow_y + 45)
    rows = generator.choice(len(front), 1500, p=front / front.sum())
    end_y = scalp.brow_y + generator.uniform(-4, 12) + generator.uniform(-0.3, 0.3) * x[rows]
    lengths = np.maximum(y[rows] - end_y, 5.0) * 1.15 + generator.normal(0, 4.0, len(rows))
    lean = generator.uniform(-0.5, 0.5)
    steps = 9
    place = scalp.vertices_mm[rows] + generator.normal(0, 0.8, (len(rows), 3))
    lift = generator.uniform(1.0, 6.0, len(rows))
    towards = unit(np.array([0.5 * lean, 0.1, 1.0]) + generator.normal(0, 0.1, place.shape))
    path = [place]
    for k in range(1, steps):
        place = place + np.maximum(lengths, 4.0)[:, None] / (steps - 1) * towards
        place, _ = outside_of(scalp, place, lift * min(1.0, 2 * k / steps))
        down = np.array([lean, -1.0, 0.05])
        towards = unit(0.5 * towards + 0.6 * down + generator.normal(0, 0.05, place.shape))
        path.append(place)
    paths = clumped(np.stack(path), 0.5, generator)
    ribbons = _ribbons(scalp, paths, generator.uniform(1.0, 2.4, len(rows)), colour, generator)
    return Part(
        ribbons.vertices_mm, ribbons.triangles, ribbons.albedo_linear, ribbons.material, True,
        ribbons.spared,
    )  # fmt: skip


def _ribbons(
    scalp: Scalp,
    paths: Float[np.ndarray, "steps locks 3"],
    widths_mm: Float[np.ndarray, "locks"],
    colour: np.ndarray,
    generator: np.random.Generator,
) -> Part:
    """Flat, facing away from the head."""
    steps, n = paths.shape[:2]
    tangent = unit(np.gradient(paths, axis=0))
    middle = scalp.vertices_mm.mean(axis=0)
    outwards = unit(paths - middle)
    across = unit(np.cross(tangent, outwards))
    along = np.linspace(0, 1, steps)[:, None]
    half = 0.5 * widths_mm * (0.6 + 0.4 * np.minimum(4 * along, 1)) * (1 - 0.85 * along**2)
    left, right = paths - half[..., None] * across, paths + half[..., None] * across
    vertices = np.stack([left, right], axis=2).transpose(1, 0, 2, 3).reshape(-1, 3)
    one = np.arange(steps - 1)[:, None] * 2
    quad = np.concatenate([one + np.array(corners) for corners in ([0, 2, 3], [0, 3, 1])])
    triangles = (np.arange(n)[:, None, None] * 2 * steps + quad).reshape(-1, 3)
    # Locks of one strand are alike, roots darker and tips paler.
    strand = 0.16 * random_waves(paths[0], 6.0, generator) + generator.normal(0, 0.14, n)
    shade = np.exp(strand)[:, None] * (0.75 + 0.4 * along.T)
    albedo = np.repeat((shade[..., None] * colour)[:, :, None], 2, axis=2).reshape(-1, 3)
    spared = np.ones((n, steps, 2), dtype=bool)
    spared[:, ::_CARRIED_EVERY, 0] = False
    return Part(
        vertices, triangles, np.clip(albedo, 0.003, 0.9),
        np.full(len(triangles), int(Material.HAIR)), spared=spared.reshape(-1),
    )  # fmt: skip
