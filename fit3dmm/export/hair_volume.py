"""How far a person's hair stands off their head, as an offset for each vertex of the scalp.

A photo shows the outline of the hair. Rays from the middle of the skull tell where it ends, and how
far vertices must be raised for the head to reach there; what no outline tells follows from what is
beside it and from what is usual of the person. It is one sparse linear least-squares problem,
solved a few times over because the vertices that make the outline change as they are raised.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Float, Int
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_outline import HairOutline, HairOutlineSettings, polar
from fit3dmm.export.regions import to_region_mm
from fit3dmm.export.smoothing import averaged, base_edges, ramp
from fit3dmm.geometry.edge_graph import laplacian
from fit3dmm.model.morphable import MorphableModel

# Of `standing` before it tapers, below which there is a hairline.
_BARE = 0.5
# Of the base mesh: where hair is thinner nobody sees it.
_LEAST_GROWN = 0.02
_LEAST_MM = 1.0


@dataclass(frozen=True)
class HairVolumeSettings(Settings):
    """What is measured and what is taken for likely: judgements by looking, not measurements."""

    outline: HairOutlineSettings = field(default_factory=HairOutlineSettings)
    """What counts as hair in a photo."""
    most_mm: float = ranged(60.0, 0.0)
    """The thickest hair: more hangs or stands by itself."""
    slant: float = ranged(0.45, 0.0, 1.0)
    """Least share of a vertex's direction that is seen along a ray."""
    outline_sigma_mm: float = ranged(2.5, 0.0)
    """How surely an outline tells the thickness."""
    robust_mm: float = ranged(6.0, 0.0)
    """From where on an outline is more likely wrong than the hair."""
    slope: float = ranged(0.12, 0.0)
    """Usual difference of thickness between neighbours over their distance."""
    usual_share: float = ranged(0.6, 0.0)
    """Thickness where no outline tells it, over the mean of what outlines tell."""
    usual_sigma_mm: float = ranged(40.0, 0.0)
    """How much it differs from that."""
    grown: tuple[float, float] = ranged((0.3, 0.7), 0.0, 1.0)
    """Cover of hair from which it stands off, and wholly so."""
    taper_mm: float = ranged(18.0, 1.0)
    """From the hairline to where it is as thick as it gets."""
    taper_rounds: int = ranged(2, 0)
    """Rounds of averaging over the edges of the fine mesh (some 3 mm) that make this smooth."""
    grazing: tuple[float, float] = (0.25, 0.55)
    """Cosines between its surface and the view from which the photo's colours are taken, and wholly
    so: at its rim hair mixes with what is behind."""
    by_ears_mm: tuple[float, float] = ranged((10.0, 30.0), 0.0)
    """Distances from the ears from which they are: what hangs behind an ear is seen slantwise."""
    by_ears_from_mm: tuple[float, float] = ranged((6.0, 14.0), 0.0)
    """Thicknesses from which that matters."""
    rim_mm: tuple[float, float] = (1.0, 5.0)
    """Distances within the outline from which they are."""
    rounds: int = ranged(4, 1)
    """How often the outline's vertices are looked for."""
    least_rays: int = ranged(8, 1)
    """Rays that must tell something."""


def standing(
    grown: Float[Tensor, "vertices"], model: MorphableModel, settings: HairVolumeSettings
) -> Float[Tensor, "vertices"]:
    """How much of its thickness hair has at each vertex, 0..1: none at the hairline.

    Args:
        grown: how densely hair grows, 0..1 (`export.hair_cover` on the scalp).
        model: the one that was fitted.
        settings: how it begins.
    """
    share = ramp(grown, settings.grown)
    points, near = _mean_points(model), to_region_mm(model, "scalp") < settings.taper_mm
    hairy = (share > 0).nonzero()[:, 0]
    bare = (near & (share < _BARE)).nonzero()[:, 0]
    if not len(hairy) or not len(bare):
        return share
    tree, places = KDTree(points[bare.cpu().numpy()]), points[hairy.cpu().numpy()]
    away_mm = tree.query(places, distance_upper_bound=settings.taper_mm)[0]
    x = torch.from_numpy(away_mm).to(share) / settings.taper_mm
    # A parabola: hair leaves the skin steeply.
    risen = torch.zeros_like(share)
    risen[hairy] = 1 - (1 - x.clamp(0, 1)).square()
    rounds = settings.taper_rounds
    return averaged(share * risen, model.surface.topology.edges, rounds) * share


def hair_volume_mm(
    outlines: Sequence[HairOutline],
    share: Float[Tensor, "vertices"],
    model: MorphableModel,
    settings: HairVolumeSettings,
) -> Float[Tensor, "vertices"] | None:
    """By how much each vertex is raised; None where too little is told, or nothing stands off.

    Args:
        outlines: of the photos.
        share: see `standing`.
        model: the one that was fitted.
        settings: what is likely.
    """
    shares = share.cpu().numpy().astype(np.float64)
    rows = np.flatnonzero(shares > 0)
    if not len(rows) or not outlines:
        return None
    lift = _lift(model)[rows]
    used = np.flatnonzero(np.asarray(lift.sum(0)).ravel() > _LEAST_GROWN)
    lift = sp.csr_array(sp.diags_array(shares[rows]) @ lift[:, used])
    smooth = _smoothness(model, used) / settings.slope**2
    found = np.zeros(len(used))
    usual = 0.0
    for round_ in range(settings.rounds):
        told = [_told(one, rows, lift @ found, shares[rows], settings) for one in outlines]
        vertex, target, sigma = (np.concatenate(part) for part in zip(*told, strict=True))
        if len(vertex) < settings.least_rays:
            return None
        usual = settings.usual_share * float(np.median(target))
        matrix = lift[vertex]
        weight = 1 / sigma**2
        if round_:
            # Cauchy's: a wall that is taken for hair is no hair.
            off = (matrix @ found - target) / settings.robust_mm
            weight = weight / (1 + off**2)
        least = 1 / settings.usual_sigma_mm**2
        normal = matrix.T @ sp.diags_array(weight) @ matrix + smooth
        normal = normal + least * sp.eye_array(len(used))
        right = matrix.T @ (weight * target) + least * usual
        found = splu(sp.csc_array(normal)).solve(right).clip(0, settings.most_mm)
    raised = np.zeros(len(shares))
    raised[rows] = lift @ found
    return torch.from_numpy(raised).to(share) if raised.max() > _LEAST_MM else None


def _told(
    outline: HairOutline,
    rows: Int[np.ndarray, "rows"],
    raised_mm: Float[np.ndarray, "rows"],
    shares: Float[np.ndarray, "rows"],
    settings: HairVolumeSettings,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which of the vertices make the outline now, by how much they should be raised, and sigmas."""
    direction = outline.directions_cam[rows].astype(np.float64)
    points = outline.points_cam_mm[rows] + raised_mm[:, None] * direction
    focal = float(outline.camera.focal_px)
    from_middle = outline.camera.project(torch.from_numpy(points)).numpy() - outline.middle_px
    ray, radius = polar(torch.from_numpy(from_middle), settings.outline.rays)
    order = np.argsort(radius, kind="stable")
    outermost = np.full(settings.outline.rays, -1)
    outermost[ray[order]] = order
    vertex = outermost[(outermost >= 0) & outline.tells]
    ray = ray[vertex]
    # Pixels along the ray for a millimetre of hair.
    unit = from_middle[vertex] / radius[vertex, None]
    depth = -points[vertex, 2:]
    moved = direction[vertex, :2] * [1, -1] * focal / depth
    moved = moved + from_middle[vertex] * direction[vertex, 2:] / depth
    seen = (moved * unit).sum(1)
    target = raised_mm[vertex] + (outline.end_px[ray] - radius[vertex]) / np.maximum(seen, 1e-6)
    target = target.clip(0, settings.most_mm)
    slanted = seen * depth[:, 0] / focal
    counts = (slanted > settings.slant) & (shares[vertex] > 0.6)
    # A photo that ends says nothing of hair that reaches its end.
    counts &= ~(outline.cut[ray] & (target < raised_mm[vertex]))
    sigma = settings.outline_sigma_mm / np.maximum(slanted, 1e-6)
    return vertex[counts], target[counts], sigma[counts]


@kept(most=1)
def _mean_points(model: MorphableModel) -> Float[np.ndarray, "vertices 3"]:
    return model.shape_mm(model.zeros()).cpu().numpy()


@kept(most=1)
def _lift(model: MorphableModel) -> sp.csr_array:
    """`surface.lift` as SciPy has it."""
    operator = model.surface.operator
    if operator is None:
        return sp.csr_array(sp.eye_array(model.surface.n_base))
    parts = (operator.values(), operator.col_indices(), operator.crow_indices())
    values, column, start = (part.cpu().numpy() for part in parts)
    return sp.csr_array((values.astype(np.float64), column, start), shape=tuple(operator.shape))


def _smoothness(model: MorphableModel, used: Int[np.ndarray, "used"]) -> sp.csr_array:
    """x^T S x is the sum over the edges among these base vertices of squared slopes."""
    n = model.surface.n_base
    edges = base_edges(model).cpu().numpy()
    mean = model.mean_mm.double().cpu().numpy()
    slope = 1 / np.linalg.norm(mean[edges[:, 0]] - mean[edges[:, 1]], axis=1).clip(1e-3)
    half = sp.coo_array((slope**2, (edges[:, 0], edges[:, 1])), shape=(n, n)).tocsr()
    return laplacian((half + half.T)[used][:, used])
