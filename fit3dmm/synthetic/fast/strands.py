"""Hair: strands grown over the mean head, and the ribbons that a picture shows of them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.synthetic.fast.sitters import Sitters
from fit3dmm.synthetic.noise import random_waves

_KINDS = ("cropped", "short", "medium", "long", "afro", "back")
_CHANCES = (0.22, 0.24, 0.18, 0.16, 0.1, 0.1)


@dataclass(frozen=True)
class Strands:
    """Lines that stand on the skin of a mean head."""

    points_mm: Float[np.ndarray, "strands points 3"]
    """Roots first, in `model`."""
    roots: Int[np.ndarray, "strands"]
    """Vertices that they move with."""
    width_mm: float
    """At the root."""
    shade: Float[np.ndarray, "strands"]
    """Each strand's own brightness."""
    ground: Float[np.ndarray, "vertices"]
    """How much of the skin's colour gives way to the hair's."""

    def without(self, covered: Bool[np.ndarray, "vertices"]) -> "Strands":
        """Those that do not stand on covered vertices."""
        kept = ~covered[self.roots]
        if kept.all():
            return self
        return replace(
            self, points_mm=self.points_mm[kept], roots=self.roots[kept], shade=self.shade[kept]
        )


@dataclass(frozen=True)
class Growth:
    """How strands leave the skin."""

    length_mm: float
    points: int
    strands: int
    width_mm: float
    gravity: float
    """0 keeps to the flow, 1 hangs."""
    lift_mm: float
    """Height over the skin at which strands lie."""
    curl: float = 0.0
    """Share of each step that goes anywhere."""
    flow: tuple[float, float, float] = (0.0, 0.0, -0.6)
    """Direction of combing in `model`, besides away from the parting."""
    parting_mm: float | None = None
    """x of the parting."""


def hair_style(sitters: Sitters, draw: np.random.Generator) -> Strands:
    """A head of hair of a random kind, length, parting and hairline."""
    kind = str(draw.choice(_KINDS, p=_CHANCES))
    parting = float(draw.normal(0, 18)) if draw.uniform() < 0.6 else None
    growth = {
        "cropped": Growth(draw.uniform(2, 9), 3, 3600, 1.3, 0.1, 1.5),
        "short": Growth(draw.uniform(18, 50), 5, 3000, 1.7, 0.35, 5.0, 0.1),
        "medium": Growth(draw.uniform(60, 140), 8, 2600, 2.0, 0.6, 7.0, 0.12),
        "long": Growth(draw.uniform(180, 330), 11, 2300, 2.3, 0.8, 8.0, 0.1),
        "afro": Growth(draw.uniform(15, 75), 6, 3400, 2.0, 0.0, 0.0, 0.9),
        "back": Growth(draw.uniform(80, 130), 7, 2600, 1.9, 0.0, 4.0, 0.05, (0.0, 0.5, -1.6)),
    }[kind]
    flow = np.asarray(growth.flow) + draw.normal(0, 0.25, 3)
    if kind in ("short", "medium") and draw.uniform() < 0.45:
        # Combed to the front: a fringe.
        flow = np.array([draw.normal(0, 0.4), -0.2, draw.uniform(0.3, 1.0)])
    growth = replace(growth, flow=tuple(flow.tolist()), parting_mm=parting)
    cover = _hairline(sitters, draw)
    strands = grow(sitters, cover, growth, draw)
    return replace(strands, ground=np.clip(cover * 1.2, 0, 0.85).astype(np.float32))


def beard_style(sitters: Sitters, draw: np.random.Generator) -> Strands:
    """A beard that stands off the skin, and moves with the jaw."""
    shape = str(draw.choice(["full", "goatee", "moustache"], p=[0.55, 0.25, 0.2]))
    points = sitters.landmarks68_mm(sitters.mean_mm)
    x, y = sitters.mean_mm[:, 0], sitters.mean_mm[:, 1]
    cover = sitters.beard.copy()
    if shape == "goatee":
        cover = cover * smoothstep(-np.abs(x), -32.0, -22.0)
    if shape == "moustache":
        cover = cover * smoothstep(y, points[57, 1], points[54, 1] + 2)
        cover = cover * smoothstep(-np.abs(x), -34.0, -28.0)
    growth = Growth(
        float(np.exp(draw.uniform(np.log(3), np.log(35)))), 4, 2200, 1.2, 0.75, 1.0, 0.35,
        (0.0, -0.5, 0.4),
    )  # fmt: skip
    return grow(sitters, cover, growth, draw)


def brow_style(sitters: Sitters, draw: np.random.Generator) -> Strands:
    """Hairs of the brows, combed outwards."""
    growth = Growth(draw.uniform(3, 7), 3, 260, 0.5, 0.0, 0.3, 0.1, (0.0, 0.2, -0.3), 0.0)
    thick = draw.uniform(0.35, 0.75)
    cover = smoothstep(sitters.regions["brows"], thick, thick + 0.25)
    grown = grow(sitters, cover, growth, draw)
    # The model's own brows are painted on already.
    return replace(grown, ground=np.zeros_like(grown.ground))


def grow(
    sitters: Sitters,
    cover: Float[np.ndarray, "vertices"],
    growth: Growth,
    draw: np.random.Generator,
) -> Strands:
    """Let strands grow step by step; they slide along the head and do not enter it.

    Args:
        sitters: the model, prepared for drawing people.
        cover: how densely each vertex is grown over, 0..1.
        growth: what grows.
        draw: random numbers.
    """
    triangles = sitters.triangles
    corners = sitters.mean_mm[triangles]
    area = np.linalg.norm(
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1
    )
    weight = area * cover[triangles].mean(axis=1)
    if weight.sum() <= 0:
        raise ValueError("Nothing is grown over: `cover` must be above 0 somewhere.")
    chosen = draw.choice(len(triangles), growth.strands, p=weight / weight.sum())
    bary = draw.dirichlet(np.ones(3), growth.strands).astype(np.float32)
    here = np.einsum("sk,skc->sc", bary, corners[chosen])
    normal = sitters.normals[triangles[chosen, 0]].astype(np.float64)
    heading = normal + np.asarray(growth.flow)
    if growth.parting_mm is not None:
        side = np.tanh((here[:, :1] - growth.parting_mm) / 12)
        heading = heading + side * [0.9, 0.0, 0.0]
    heading += 0.2 * draw.normal(size=heading.shape)
    tree, rows = sitters.skin_tree
    step = growth.length_mm / (growth.points - 1)
    lengths = step * np.exp(draw.normal(0, 0.18, growth.strands))[:, None]
    line = [here]
    for k in range(1, growth.points):
        stray = draw.normal(size=heading.shape)
        heading = _unit(heading) * (1 - growth.gravity * 0.6) + growth.gravity * 0.6 * np.array(
            [0.0, -1.0, 0.0]
        )
        heading = _unit(heading) * (1 - 0.5 * growth.curl) + growth.curl * stray
        nearest = rows[tree.query(here)[1]]
        above = ((here - sitters.mean_mm[nearest]) * sitters.normals[nearest]).sum(axis=1)
        # Strands settle at their height over the skin: those below are lifted out.
        wanted = growth.lift_mm * min(1.0, k / 2)
        push = np.clip((wanted - above) / max(step, 2.0), -0.15, 1.0)[:, None]
        heading = _unit(heading) + push * sitters.normals[nearest]
        here = here + lengths * _unit(heading)
        nearest = rows[tree.query(here)[1]]
        above = ((here - sitters.mean_mm[nearest]) * sitters.normals[nearest]).sum(axis=1)
        here = here + np.maximum(0.6 - above, 0)[:, None] * sitters.normals[nearest]
        line.append(here)
    points = np.stack(line, axis=1)
    locks = np.exp(0.3 * random_waves(points[:, -1], 14.0, draw))
    return Strands(
        points_mm=points.astype(np.float32),
        roots=triangles[chosen, 0].astype(np.int64),
        width_mm=growth.width_mm,
        shade=(locks * np.exp(draw.normal(0, 0.18, growth.strands))).astype(np.float32),
        ground=np.clip(0.6 * cover, 0, 1).astype(np.float32),
    )


def ribbons(
    strands: Strands,
    moved_mm: Float[np.ndarray, "vertices 3"],
    camera_mm: Float[np.ndarray, "3"],
    centre_mm: Float[np.ndarray, "3"],
) -> tuple[
    Float[np.ndarray, "points 3"],
    Int[np.ndarray, "triangles 3"],
    Float[np.ndarray, "points 3"],
    Float[np.ndarray, "points"],
]:
    """Strands as ribbons that face the camera, in `model`.

    Args:
        strands: on the mean head, in `model`.
        moved_mm: of each vertex of the head from the mean head.
        camera_mm: where the camera is, in `model`.
        centre_mm: of the head: hair is lit like the round thing that it lies on.

    Returns:
        Vertices, triangles, normals for shading, and a factor of the colour at each vertex.
    """
    line = strands.points_mm + moved_mm[strands.roots][:, None]
    n, k = line.shape[:2]
    tangent = np.gradient(line, axis=1)
    across = np.cross(tangent, camera_mm - line)
    across = _unit(across)
    along = np.linspace(0, 1, k, dtype=np.float32)
    half = 0.5 * strands.width_mm * (1 - 0.7 * along**2)[None, :, None]
    vertices = np.stack([line - half * across, line + half * across], axis=2)
    outwards = line - centre_mm
    tangent = _unit(tangent)
    outwards = outwards - np.einsum("...c,...c", outwards, tangent)[..., None] * tangent
    outwards = _unit(outwards)
    # Ribbons bulge: their sides look sideways.
    normals = _unit(np.stack([outwards - 0.5 * across, outwards + 0.5 * across], axis=2))
    # Little light reaches the roots.
    shade = strands.shade[:, None] * (0.45 + 0.55 * along)
    a = 2 * (np.arange(n)[:, None] * k + np.arange(k - 1))
    quads = np.stack([a, a + 1, a + 3, a, a + 3, a + 2], -1).reshape(-1, 3)
    return (
        vertices.reshape(-1, 3).astype(np.float32),
        quads,
        normals.reshape(-1, 3).astype(np.float32),
        np.repeat(shade, 2, axis=1).reshape(-1).astype(np.float32),
    )


def _hairline(sitters: Sitters, draw: np.random.Generator) -> np.ndarray:
    """The scalp, with a hairline that is ragged, high or low, and receding at the temples."""
    points = sitters.landmarks68_mm(sitters.mean_mm)
    x, y, z = sitters.mean_mm.T
    ragged = sitters.noise[9.0][draw.integers(len(sitters.noise[9.0]))]
    cover = sitters.regions["scalp"] + 0.12 * ragged
    front = smoothstep(z, points[36, 2] - 60, points[36, 2] - 20)
    if draw.uniform() < 0.3:
        temples = np.exp(-((np.abs(x) - 38) ** 2) / (2 * 16.0**2)) * front
        cover = cover - draw.uniform(0.3, 1.2) * temples
    if draw.uniform() < 0.12:
        top = points[17:27, 1].mean() + 45
        cover = cover - draw.uniform(0.5, 1.5) * smoothstep(y, top, top + 30)
    return smoothstep(cover, 0.25, 0.75) * sitters.outer


def _unit(vectors: np.ndarray) -> np.ndarray:
    # A sum over an axis of three is ten times slower than this.
    length = np.sqrt(np.einsum("...c,...c", vectors, vectors))
    return vectors / (length[..., None] + 1e-9)
