"""The albedo model: 1,000 painted people, and what they have in common as linear components.

Components come in blocks. Three hold the tone of the skin with all that goes with it (dark brows
and brown eyes on dark skin). The others are local (skin, brows, eyes, lips, scalp), so that brows
say nothing about irises, and random draws combine as people do.
"""

from dataclasses import dataclass

import numpy as np

from commons.brows import read_brows
from commons.eyes import read_eyes
from commons.fine import FineHead, refine_head
from commons.head import Head
from commons.people import (
    FLUSHES,
    SHADOWS,
    Paints,
    People,
    draw_blotches,
    draw_people,
    draw_placements,
    paint,
)
from commons.skins import LUMINANCE, read_skins
from commons.sources import Sources
from commons.zones import find_zones

LEVEL = 2
N_PEOPLE = 1000
# Components of each block, and how much more a square millimetre there counts than one of skin.
BLOCKS = {
    "skin": (26, 1.0),
    "brows": (14, 2.0),
    "lips": (6, 2.0),
    "eyes": (5, 4.0),
    "scalp": (1, 0.1),
}
_N_TONE = 3
_DARK_END_COUNTS = 0.75
_UNDERTONE_MARGIN = 1.15
"""What the bend of the line from dark to light must be able to take up."""
MEAN_STEP = 1 / 2048
"""The mean is rounded to this, so that it compresses."""
_LOCAL_MODES_ARE_SYMMETRIC = ("brows", "lips", "eyes", "scalp")


@dataclass(frozen=True)
class Albedo:
    """Linear RGB on the vertices of a subdivision level."""

    level: int
    mean_linear: np.ndarray
    """(vertices, 3)"""
    basis_linear: np.ndarray
    """(components, vertices, 3), times sigma, by falling variance."""
    names: tuple[str, ...]
    """Block and number of each component, such as `brows 3`."""
    explained: float
    """Share of the variance of people who were not used, weighted as in the analysis."""
    regions: dict[str, np.ndarray]
    """(vertices,) weights 0..1 that come from the textures: lips, brows, beard, scalp."""
    notes: str


def build_albedo(
    sources: Sources, head: Head, shape_mm: np.ndarray, seed: int = 1, n_people: int = N_PEOPLE
) -> Albedo:
    """Read the assets onto the mean shape (base, 3), paint people, and find the components."""
    fine = refine_head(head, shape_mm, LEVEL)
    rng = np.random.default_rng(seed)
    paints = read_paints(sources, fine, shape_mm, rng)
    people = draw_people(n_people, rng, paints)
    painted = _painted(people, paints)
    masks = _block_masks(paints)
    importance = np.sum([share * masks[name] for name, (_, share) in BLOCKS.items()], axis=0)
    weight = importance * fine.mass

    mean, basis, names = _components(painted, people.skin_linear, masks, weight, fine)
    mean = np.round(mean / MEAN_STEP) * MEAN_STEP
    order = np.argsort(-_variance(basis, weight), kind="stable")
    basis, names = basis[order], tuple(names[k] for k in order)
    held_out = _painted(draw_people(100, rng, paints), paints) - mean.astype(np.float32)
    return Albedo(
        level=LEVEL,
        mean_linear=mean,
        basis_linear=basis,
        names=names,
        explained=explained_variance(basis, held_out, weight),
        regions=albedo_regions(paints),
        notes=(
            f"{n_people} people painted from 20 MakeHuman skins, 12 brows and 9 irises (CC0). "
            "The head is shown with short-cropped hair of a shade that varies (`scalp 1`), and "
            "stubble is a shade of the lower face (`skin 1`); hairstyles and beards are not "
            "modelled: the regions `face` and `skin` end at the hairline."
        ),
    )


def read_paints(
    sources: Sources, fine: FineHead, shape_mm: np.ndarray, rng: np.random.Generator
) -> Paints:
    """Everything that people are painted with."""
    brows = read_brows(sources, shape_mm, fine)
    zones = find_zones(fine)
    return Paints(
        fine=fine,
        skins=read_skins(sources, fine),
        brows=brows,
        eyes=read_eyes(sources, fine),
        zones=zones,
        flushes=np.stack([getattr(zones, name) for name in FLUSHES]),
        shadows=np.stack([getattr(zones, name) for name in SHADOWS]),
        brow_coverage=draw_placements(brows, rng),
        blotches=draw_blotches(fine, rng),
    )


def _painted(people: People, paints: Paints) -> np.ndarray:
    """(people, vertices, 3) float32."""
    painted = np.empty((len(people), paints.fine.n_vertices, 3), dtype=np.float32)
    for person in range(len(people)):
        painted[person] = paint(person, people, paints)
    return painted


def albedo_regions(paints: Paints) -> dict[str, np.ndarray]:
    """(vertices,) weights 0..1; the first rows are those of the base vertices."""
    brows = np.zeros(paints.fine.n_vertices)
    brows[paints.brows.area] = np.clip(2 * paints.brow_coverage.mean(axis=(0, 1)), 0, 1)
    return {
        "lips": paints.skins.lips,
        "brows": paints.fine.symmetric(brows),
        "beard": paints.zones.beard,
        "scalp": paints.skins.hair,
    }


def _block_masks(paints: Paints) -> dict[str, np.ndarray]:
    """(vertices,) weights that add up to 1 everywhere."""
    zones, fine = paints.zones, paints.fine
    reach = np.zeros(fine.n_vertices)
    reach[paints.brows.area] = (paints.brow_coverage.max(axis=(0, 1)) > 0.02).astype(float)
    brows = np.clip(2 * fine.smooth(fine.symmetric(reach)[:, None], 1.5)[:, 0], 0, 1)
    eyes = np.maximum.reduce([zones.eyes, zones.lid_rims, zones.linings, zones.lashes])
    mouth = np.maximum.reduce([zones.mouth, zones.teeth, zones.gums, zones.tongue])
    masks: dict[str, np.ndarray] = {"eyes": eyes}
    for name, mask in (("brows", brows), ("scalp", paints.skins.hair)):
        masks[name] = np.clip(mask, 0, 1) * (1 - np.sum(list(masks.values()), axis=0))
    masks["lips"] = np.clip(paints.skins.lips + mouth, 0, 1) * (
        1 - np.sum(list(masks.values()), axis=0)
    )
    masks["skin"] = 1 - np.sum(list(masks.values()), axis=0)
    return masks


def _components(
    painted: np.ndarray, skin_linear: np.ndarray, masks: dict, weight: np.ndarray, fine: FineHead
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Mean, basis (components, vertices, 3) and component names; uses `painted` up."""
    tone_mean, tone_axes = _tone_axes(skin_linear)
    tone = skin_linear - tone_mean
    # Errors count by how dark the skin is: a light patch shows most on a dark face.
    root = 1 / np.sqrt(skin_linear @ LUMINANCE)[:, None]
    root /= np.sqrt((root**2).mean())
    regressors = np.concatenate([np.ones((len(tone), 1)), tone], axis=1)
    solve = (np.linalg.pinv(regressors * root) * root.T).astype(np.float32)
    fitted = np.tensordot(solve, painted, axes=1)
    mean, *with_tone = [fine.symmetric(one.astype(np.float64)) for one in fitted]
    with_tone = np.stack(with_tone)
    basis = [np.tensordot(tone_axes, with_tone, axes=1)]
    names = [f"tone {k + 1}" for k in range(_N_TONE)]
    rest = painted
    for person in range(len(rest)):
        rest[person] -= mean + np.tensordot(tone[person], with_tone, axes=1)
    for block, (count, _) in BLOCKS.items():
        vertices = np.flatnonzero(masks[block] > 1e-3)
        local = rest[:, vertices]
        if block in _LOCAL_MODES_ARE_SYMMETRIC:
            local = (local + rest[:, fine.mirror[vertices]]) / 2
        local *= (root * masks[block][vertices]).astype(np.float32)[..., None]
        found = np.zeros((count, fine.n_vertices, 3))
        found[:, vertices] = _principal(local, vertices, weight, count)
        basis.append(found)
        names += [f"{block} {k + 1}" for k in range(count)]
    return mean, np.concatenate(basis), names


def _tone_axes(skin_linear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (3,) and axes (3, 3) times sigma of the skins' colours: lightness, then the two others.

    The line from dark to light is bent: an ordinary one would miss the dark end, where an error of
    0.02 is another hue, so errors count more there. The bend itself is no variance of undertone.
    """
    luminance = skin_linear @ LUMINANCE
    lightness = (luminance - luminance.mean()) / luminance.std()
    root = luminance[:, None] ** -_DARK_END_COUNTS
    line = np.stack([np.ones_like(lightness), lightness], axis=1)
    mean, main = np.linalg.lstsq(line * root, skin_linear * root, rcond=None)[0]
    bend = np.concatenate([line, lightness[:, None] ** 2], axis=1)
    beside = skin_linear - bend @ np.linalg.lstsq(bend * root, skin_linear * root, rcond=None)[0]
    beside *= root / np.sqrt((root**2).mean())
    values, vectors = np.linalg.eigh(beside.T @ beside / len(beside))
    others = (vectors * np.sqrt(np.maximum(values, 0))).T[::-1][: _N_TONE - 1]
    return mean, np.concatenate([main[None], _UNDERTONE_MARGIN * others])


def _principal(samples: np.ndarray, vertices, weight: np.ndarray, count: int) -> np.ndarray:
    """(count, vertices, 3) leading components times sigma, by a weighted covariance."""
    n = len(samples)
    root = np.sqrt(weight[vertices]).astype(np.float32)[:, None]
    gram = np.zeros((n, n))
    for part in np.array_split(np.arange(len(vertices)), 1 + len(vertices) // 8192):
        flat = (samples[:, part] * root[part]).reshape(n, -1)
        gram += flat @ flat.T
    _, vectors = np.linalg.eigh(gram)
    leading = vectors[:, ::-1][:, :count]
    # Unit columns of `leading` give components whose coefficients have unit variance.
    found = np.tensordot(leading.T.astype(np.float32), samples, axes=1) / np.sqrt(n - 1)
    # The sign of an eigenvector is arbitrary: more of a component is lighter.
    sign = np.sign((found.sum(axis=2) * weight[vertices]).sum(axis=1))
    return found * np.where(sign == 0, 1, sign)[:, None, None]


def _variance(basis: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return np.einsum("kvc,v->k", basis**2, weight)


def explained_variance(basis: np.ndarray, samples: np.ndarray, weight: np.ndarray) -> float:
    """Share of the weighted squares of centred (people, vertices, 3) samples in the basis' span."""
    root = np.sqrt(weight)[:, None]
    columns = (basis * root).reshape(len(basis), -1).T
    wanted = (samples * root).reshape(len(samples), -1).T
    inside = columns @ np.linalg.solve(columns.T @ columns, columns.T @ wanted)
    return float(1 - ((wanted - inside) ** 2).sum() / (wanted**2).sum())
