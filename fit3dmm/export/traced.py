"""Strands of a fringe and rims of glasses: thin lines that go on from what hides the face.

Cells of the network's map are some 4 mm of a face wide, and rules that judge a place with its
surroundings see no line. But lines hang together: from what is surely hidden they are followed
along the mesh for as long as colours speak for them (hysteresis: Canny 1986). What looks alike and
hangs on nothing, a wrinkle or a mole, stays.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.covered import below_nose
from fit3dmm.export.hair_layer import above_brows_mm
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import broad_sums, ramp, with_rim
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.predicted import GLASSES, Predicted
from fit3dmm.observe.white_references import EYES

# Vertices of a kind that say anything.
_FEWEST = 30
_BROWS_IN, _BROWS, _LIDS = "ibug68", (slice(17, 22), slice(22, 27)), slice(36, 48)
_PER_PIECE = 4
# Before the base mesh's vertices stand for what lies about them.
_FINE_ROUNDS = 4


@dataclass(frozen=True)
class TraceSettings(Settings):
    """What a strand and a rim look like: judgements by looking, not measurements."""

    sure: float = ranged(0.5, 0.0, 1.0)
    """How surely a place is hidden from which lines go on."""
    hairy: float = ranged(0.2, 0.0, 1.0)
    """Share of the way from the skin's colour to the hair's from which a strand goes on."""
    least_hairy: float = ranged(0.15, 0.0)
    """Natural logarithm of lightness that this is at least: wrinkles are shallower."""
    apart: float = ranged(0.4, 0.0)
    """Least difference between hair and skin: of hair of the skin's lightness nothing is known."""
    below_brows_mm: float = 8.0
    """How far down between the brows strands are followed."""
    brow_mm: float = 4.5
    """Nearer to the line of a brow than this all hair is the brow's."""
    socket_mm: float = 13.0
    """Nearer to the edge of a lid than this lies the shade of the socket."""
    wearing: tuple[float, float] = ranged((0.018, 0.025), 0.0, 1.0)
    """Mean probability of glasses about the eyes from which they are worn, and surely so. Seven of
    24 portraits had 0.026 to 0.181, the others 0.001 to 0.017."""
    line: float = ranged(0.1, 0.0)
    """Natural logarithm by which a rim, or the light along it, differs from its surroundings."""
    around_rounds: int = ranged(1, 0)
    """Rounds of averaging over the edges of the base mesh (some 7 mm) that make these."""
    eye_mm: float = 34.0
    """Distance from the middle of an iris within which rims lie."""
    lid_mm: float = 5.0
    """Nearer to the edge of a lid than this lie its lashes and folds."""
    shade_rounds: int = ranged(4, 0)
    """Rounds of averaging over which the blur and the shadow of a line reach."""
    shade: tuple[float, float] = ranged((0.08, 0.3), 0.0, 1.0)
    """Averages from which a place is beside a line."""


def strands(
    log_ratio: Float[Tensor, "vertices 3"],
    log_albedo: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    hidden: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: TraceSettings,
) -> Float[Tensor, "vertices"]:
    """How surely a strand of the hair above hangs over each vertex of the forehead, 0..1.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        log_albedo: of the fitted colour.
        seen: how well the photo shows each vertex.
        hidden: how surely hair is known to hide it.
        model: for its regions.
        edges: between the vertices of its surface.
        settings: what a strand is.
    """
    none = torch.zeros_like(seen)
    if "scalp" not in model.regions:
        return none
    forehead = _forehead(model, settings)
    roots = (hidden > settings.sure) & (forehead | (model.regions["scalp"] > 0.5)) & (seen > 0.05)
    face = (model.regions["skin"] > 0.5) & (model.regions["face"] > 0.5) & (below_nose(model) < 0.5)
    skin = (forehead | face) & (seen > 0.3) & (hidden < 0.1)
    if int(roots.sum()) < _FEWEST or int(skin.sum()) < _FEWEST:
        return none
    # The scalp's fitted colour is a shade of its own.
    of_skin = log_albedo[skin].median(0).values
    light = (log_ratio + log_albedo - of_skin) @ log_ratio.new_tensor(LUMINANCE)
    middle, hair = light[skin].median(), light[roots].median()
    way = hair - middle
    if abs(float(way)) < settings.apart:
        return none
    like = (light - middle) / way
    least = max(settings.hairy, settings.least_hairy / abs(float(way)))
    lines = forehead & (seen > 0.05) & (like > least)
    hanging = (_hanging_on(roots, lines, edges) & forehead).float()
    return with_rim(hanging, edges, settings.shade_rounds, settings.shade)


def rims(
    predicted: Predicted,
    photo_px: Float[Tensor, "vertices 2"],
    log_ratio: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    hidden: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: TraceSettings,
) -> Float[Tensor, "vertices"]:
    """How surely a rim of glasses, or light along it, is seen at each vertex, 0..1.

    Args:
        predicted: what the network saw.
        photo_px: where the photo shows the vertices.
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        seen: how well the photo shows each vertex.
        hidden: how surely something is known to hide it.
        model: for its regions and landmarks.
        edges: between the vertices of its surface.
        settings: what a rim is.
    """
    about = _about_eyes(model, settings)
    told = predicted.cover_at(photo_px.to(predicted.cover))[GLASSES].to(seen)
    place = about & (seen > 0.05)
    if int(place.sum()) < _FEWEST:
        return torch.zeros_like(seen)
    worn = float(ramp(told[place].mean(), settings.wearing))
    if worn == 0:
        return torch.zeros_like(seen)
    light = log_ratio @ log_ratio.new_tensor(LUMINANCE)
    rounds = (_FINE_ROUNDS, settings.around_rounds)
    sums = model.surface.lift(broad_sums(light[:, None], seen, model, edges, rounds))
    differs = (light - sums[:, 0] / sums[:, 1].clamp_min(1e-3)).abs() > settings.line
    sure = about & (hidden > settings.sure)
    bare = region(model, "brows") < 0.1
    lines = _hanging_on(sure, place & differs & bare, edges)
    return worn * with_rim(lines.float(), edges, settings.shade_rounds, settings.shade)


def _hanging_on(
    roots: Bool[Tensor, "vertices"],
    lines: Bool[Tensor, "vertices"],
    edges: Int[Tensor, "edges 2"],
) -> Bool[Tensor, "vertices"]:
    """Vertices of lines from which a way along them leads to a root."""
    either = (roots | lines).cpu().numpy()
    pairs = edges.cpu().numpy()
    a, b = pairs[either[pairs].all(1)].T
    n = len(either)
    links = sp.coo_array((np.ones(len(a), np.int8), (a, b)), shape=(n, n))
    _, piece = connected_components(links, directed=False)
    rooted = np.zeros(n, bool)
    rooted[piece[roots.cpu().numpy()]] = True
    return lines & torch.from_numpy(rooted[piece]).to(lines.device)


@kept(most=1)
def _forehead(model: MorphableModel, settings: TraceSettings) -> Bool[Tensor, "vertices"]:
    """Down to between the brows, and without these; nothing where a model has no such points."""
    face = model.regions["face"] > 0.2
    points = model.shape_mm(model.zeros())
    if _BROWS_IN not in model.landmarks:
        return torch.zeros_like(face)
    at = model.landmarks[_BROWS_IN].locate(points, model.surface.triangles)
    away_mm = torch.stack([_to_line(points, at[one]) for one in _BROWS]).amin(0)
    free = (away_mm > settings.brow_mm) & (region(model, "brows") < 0.1)
    lids_mm = torch.cdist(points, at[_LIDS]).amin(1)
    above = above_brows_mm(model) > -settings.below_brows_mm
    return face & free & above & (lids_mm > settings.socket_mm)


def _to_line(
    points: Float[Tensor, "points 3"], line: Float[Tensor, "n 3"]
) -> Float[Tensor, "points"]:
    """Distance from a line through some points; they lie closer together than it matters."""
    along = torch.linspace(0, len(line) - 1, _PER_PIECE * (len(line) - 1) + 1)
    first = along.long().clamp_max(len(line) - 2)
    dense = torch.lerp(line[first], line[first + 1], (along - first).to(line)[:, None])
    return torch.cdist(points, dense).amin(1)


@kept(most=1)
def _about_eyes(model: MorphableModel, settings: TraceSettings) -> Bool[Tensor, "vertices"]:
    """Skin about the eyes, without the lids' edges; none where a model does not say where that
    is."""
    face = model.regions["face"] > 0.5
    marks = model.landmarks.get(MEDIAPIPE_POINTS)
    if marks is None:
        return torch.zeros_like(face)
    points = model.shape_mm(model.zeros())
    at = marks.locate(points, model.surface.triangles)
    irises = torch.stack([at[iris.start] for _, _, iris in EYES])
    lids = at[[k for upper, lower, _ in EYES for k in (*upper, *lower)]]
    skin = face & (region(model, "eyes") < 0.5)
    near = torch.cdist(points, irises).amin(1) < settings.eye_mm
    return skin & near & (torch.cdist(points, lids).amin(1) > settings.lid_mm)
