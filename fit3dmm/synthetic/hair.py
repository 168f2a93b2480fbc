"""Hair as a shell over the scalp, and, where it is long, a curtain behind and beside the neck.

The first edition's: strands.py has what looks like hair.
"""

import numpy as np
from jaxtyping import Float, Int

from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.synthetic.noise import random_waves
from fit3dmm.synthetic.parts import Hair, Material, Part, grid_triangles, plain_part

_COLOURS = np.array(
    [[0.009, 0.008, 0.007], [0.018, 0.013, 0.010], [0.075, 0.040, 0.020],
     [0.22, 0.13, 0.06], [0.42, 0.29, 0.15], [0.30, 0.29, 0.28], [0.20, 0.06, 0.02]]
)  # fmt: skip
_DARK_SKIN = 0.12
_LENGTH_MM = {"short": (2.0, 6.0), "medium": (13.0, 24.0), "long": (12.0, 22.0)}


def shell_hair(
    head_mm: Float[np.ndarray, "vertices 3"],
    triangles: Int[np.ndarray, "triangles 3"],
    regions: dict[str, np.ndarray],
    landmarks68_mm: Float[np.ndarray, "68 3"],
    tone: float,
    fringe: bool,
    generator: np.random.Generator,
) -> Hair:
    """Hair of a person; some have none.

    Args:
        head_mm: the head with its expression.
        triangles: the head's.
        regions: the model's.
        landmarks68_mm: of the head with its expression.
        tone: mean luminance of the face's albedo.
        fringe: it hangs over the forehead to the brows, and counts as an occluder.
        generator: of random numbers.
    """
    style = generator.choice(["none", "short", "medium", "long"], p=[0.15, 0.35, 0.25, 0.25])
    if fringe and style in ("none", "short"):
        style = "medium"
    colours = _COLOURS[:2] if tone < _DARK_SKIN else _COLOURS
    colour = colours[generator.integers(len(colours))] * generator.uniform(0.8, 1.2)
    no_roots = np.zeros(len(head_mm))
    if style == "none":
        return Hair((), no_roots, colour)
    normals = vertex_normals(Mesh(head_mm, triangles))
    length = generator.uniform(*_LENGTH_MM[str(style)])
    cover = smoothstep(regions["scalp"], 0.15, 0.75)
    waves = random_waves(head_mm, 14.0, generator)
    thick = cover * length * (1 + 0.15 * waves) * _fuller_above(head_mm, landmarks68_mm)
    parts = [_shell(head_mm, normals, triangles, thick, colour, generator)]
    if style == "long":
        parts.append(_curtain(head_mm, regions, landmarks68_mm, length, colour, generator))
    if fringe:
        hanging = _fringe_cover(head_mm, regions, landmarks68_mm, generator)
        thick = hanging * generator.uniform(3.0, 7.0)
        parts.append(_shell(head_mm, normals, triangles, thick, colour, generator, hides=True))
    return Hair(tuple(parts), no_roots, colour)


def _fuller_above(head_mm: np.ndarray, points_mm: np.ndarray) -> np.ndarray:
    """More hair on the crown than at the sides."""
    brow_y = points_mm[17:27, 1].mean()
    return 0.6 + 0.8 * smoothstep(head_mm[:, 1], brow_y, brow_y + 80)


def _shell(
    head_mm: np.ndarray,
    normals: np.ndarray,
    triangles: np.ndarray,
    thickness_mm: np.ndarray,
    colour: np.ndarray,
    generator: np.random.Generator,
    hides: bool = False,
) -> Part:
    kept = triangles[(thickness_mm[triangles] > 0.25).all(axis=1)]
    used, corners = np.unique(kept, return_inverse=True)
    outside = head_mm[used] + normals[used] * (thickness_mm[used, None] + 0.3)
    shell = plain_part(outside, corners.reshape(-1, 3), colour, Material.HAIR, hides)
    return _with_locks(shell, generator)


def _with_locks(part: Part, generator: np.random.Generator) -> Part:
    """Lighter and darker locks, long along the hair."""
    stretched = part.vertices_mm * [1.0, 0.25, 0.6]
    locks = np.exp(0.3 * random_waves(stretched, 2.5, generator))
    colour = part.albedo_linear * locks[:, None]
    return Part(part.vertices_mm, part.triangles, colour, part.material, part.hides)


def _fringe_cover(
    head_mm: np.ndarray,
    regions: dict[str, np.ndarray],
    points_mm: np.ndarray,
    generator: np.random.Generator,
) -> np.ndarray:
    """The forehead down to about the brows, with a ragged edge and slanting to one side."""
    x, y, z = head_mm.T
    brow_y = points_mm[17:27, 1].mean()
    edge = brow_y + generator.uniform(-2, 14) + generator.uniform(-0.25, 0.25) * x
    edge = edge + 4 * np.sin(x / generator.uniform(2.5, 5.0) + generator.uniform(0, 6))
    front = smoothstep(z, points_mm[36, 2] - 45, points_mm[36, 2] - 25)
    skin = 1 - regions["eyes"] - regions["ears"]
    return smoothstep(y - edge, -1.0, 3.0) * front * np.clip(skin, 0, 1)


def _curtain(
    head_mm: np.ndarray,
    regions: dict[str, np.ndarray],
    points_mm: np.ndarray,
    thickness_mm: float,
    colour: np.ndarray,
    generator: np.random.Generator,
) -> Part:
    """From one temple around the back of the head to the other, down to the shoulders."""
    middle = np.array([0.0, 0.0, head_mm[:, 2].min() * 0.5 + points_mm[[0, 16], 2].mean() * 0.5])
    scalp = regions["scalp"] > 0.5
    half_width = np.abs(head_mm[scalp, 0]).max() + thickness_mm * 0.7
    back = middle[2] - head_mm[:, 2].min() + thickness_mm * 0.8
    rows, columns = 60, 160
    reach = generator.uniform(1.62, 1.95)
    around = np.linspace(-reach, reach, columns)
    top, bottom = points_mm[17:27, 1].mean() + 45, points_mm[8, 1] - generator.uniform(10, 75)
    y = np.linspace(top, bottom, rows)[:, None]
    swing = 1 + 0.03 * np.sin(9 * around + 0.02 * y) + 0.006 * np.sin(31 * around)
    ears_y = points_mm[[0, 16], 1].mean()
    inwards = 0.93 + 0.13 * smoothstep(y, top, ears_y)
    inwards = inwards - 0.16 * smoothstep(y, points_mm[8, 1] + 30, points_mm[8, 1] - 30)
    # Angle 0 is behind the head.
    x = half_width * np.sin(around) * swing * inwards
    z = middle[2] - back * np.cos(around) * swing * inwards
    points = np.stack([x, np.broadcast_to(y, x.shape), z], -1).reshape(-1, 3)
    # Seen from outside columns run to the left, so the triangles are turned over.
    outwards = grid_triangles(rows, columns)[:, ::-1].copy()
    part = plain_part(points, outwards, colour, Material.HAIR)
    return _with_locks(part, generator)
