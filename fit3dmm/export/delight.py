"""What light and expression leave in a texture that is divided by the fitted light, taken out.

Harmonics are a rough light: how the photo differs from the fitted colours at large (`export.tint`)
is mostly light, too. And folds that an expression makes are shade of a shape that goes with it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE, luminance
from fit3dmm.export.covered import below_nose
from fit3dmm.export.regions import region
from fit3dmm.export.resting import resting
from fit3dmm.export.smoothing import averaged, broad_sums, ramp
from fit3dmm.export.view import BLACK_LINEAR
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Scene

_LANDMARKS, _CORNERS = "ibug68", (48, 54)


@dataclass(frozen=True)
class DelightSettings(Settings):
    """How much of what is broad or folded stays: judgements by looking, not measurements."""

    tint_kept: float = ranged(0.25, 0.0, 1.0)
    """Share of the differences at large that is the skin's own: flushed cheeks, a pale forehead."""
    fine_rounds: int = 4
    """Rounds of averaging over the edges of the mesh before its coarse ones are taken."""
    broad_rounds: int = 6
    """Rounds over those of the base mesh (some 7 mm) beyond which it is tint."""
    fold_darkness: tuple[float, float] = ranged((0.0, 0.15), 0.0)
    """Natural logarithm by which a place is darker than its surroundings from which it says less of
    what these look like without the fold, and hardly anything."""
    deep: tuple[float, float] = (0.3, 0.6)
    """The same from which what is seen is the dark of a fold, or of a corner of the mouth, and not
    the skin's colour."""
    corner_mm: tuple[float, float] = (5.0, 8.0)
    """Distance from a corner of the mouth within which the dark of an opened mouth is none of the
    skin's, and beyond which it may be."""
    strained: tuple[float, float] = (0.03, 0.1)
    """Relative change of lengths by the expression, from which on a place is folded, and where it
    is wholly so."""
    strain_rounds: int = 10
    """Rounds over which a fold reaches beyond the strain."""
    crease_removed: float = ranged(0.95, 0.0, 1.0)
    """Share of the shade that is taken out where a place is wholly folded."""
    chroma_kept: float = ranged(0.5, 0.0, 1.0)
    """Share of the skin's differences in hue that stays: most are the camera's, and light of other
    colours from other sides. Lips keep all."""


def flattened(
    tint: Float[Tensor, "vertices 3"], skin: Float[Tensor, "vertices"], settings: DelightSettings
) -> Float[Tensor, "vertices 3"]:
    """The tint with most of its differences over the face taken out.

    Args:
        tint: natural logarithm of the photo's colour over the fitted one, at large.
        skin: how well each vertex of the face's skin is seen.
        settings: how much stays.
    """
    seen = skin > 0.5 * skin.max()
    middle = tint[seen].median(0).values if seen.any() else tint.mean(0)
    return middle + settings.tint_kept * (tint - middle)


def creases(
    log_ratio: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    beard: Float[Tensor, "vertices"],
    model: MorphableModel,
    scene: Scene,
    edges: Int[Tensor, "edges 2"],
    settings: DelightSettings,
) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "vertices"]]:
    """What the folds of an expression make of the skin's colours.

    Surroundings say what a place looks like at rest; those that are dark themselves say little.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one with its tint.
        seen: how well the photo shows each vertex.
        beard: how surely there is hair, which is dark by itself.
        model: the one that was fitted.
        scene: the fitted one.
        edges: between the vertices of its surface.
        settings: what a fold is.

    Returns:
        The natural logarithm of their shade and their redness, and how surely a place shows nothing
        but the dark of a fold, 0..1.
    """
    strain = _strain(model, scene, edges)
    folded = ramp(strain, settings.strained)
    folded = averaged(folded, edges, settings.strain_rounds)
    own = region(model, "lips", "brows", "eyes", "mouth_interior")
    # Around the lips, too, where skin is none of the region that says what skin looks like; but not
    # on the lids, which are dark with lashes.
    skin = model.regions["skin"].maximum(below_nose(model))
    folded = folded * (1 - own) * skin * (1 - beard)
    if not folded.any():
        return torch.zeros_like(log_ratio), torch.zeros_like(folded)

    def broad(weight: Tensor) -> Float[Tensor, "vertices 3"]:
        # Means of what is seen: beside the lips' edge lies no skin.
        rounds = (settings.fine_rounds, settings.broad_rounds)
        sums = model.surface.lift(broad_sums(log_ratio, weight, model, edges, rounds))
        return sums[:, :3] / sums[:, 3:].clamp_min(1e-3)

    to_light = log_ratio.new_tensor(LUMINANCE)
    darker = (broad(seen) - log_ratio) @ to_light
    around = broad(seen * (1 - 0.9 * folded * ramp(darker, settings.fold_darkness)))
    shade = log_ratio - around
    # Lips and skin end in the corners of a mouth that is broad or open.
    ends = (1 - beard) * _corners(model, settings) * ramp(strain, settings.strained)
    deep = folded.maximum(ends) * ramp(-(shade @ to_light), settings.deep)
    return settings.crease_removed * (folded * (seen > 0.05))[:, None] * shade, deep


@kept(most=1)
def _corners(model: MorphableModel, settings: DelightSettings) -> Float[Tensor, "vertices"]:
    """1 at the corners of the mouth, 0 away from them, and where a model does not say where they
    are."""
    points = model.shape_mm(model.zeros())
    if _LANDMARKS not in model.landmarks:
        return torch.zeros_like(points[:, 0])
    marks = model.landmarks[_LANDMARKS].locate(points, model.surface.triangles)
    away_mm = torch.cdist(points, marks[list(_CORNERS)]).amin(1)
    return 1 - ramp(away_mm, settings.corner_mm)


def chroma_kept(model: MorphableModel, settings: DelightSettings) -> Float[Tensor, "vertices"]:
    """Share of the differences in hue that stays at each vertex."""
    return settings.chroma_kept + (1 - settings.chroma_kept) * region(model, "lips")


def of_kept_hue(
    colour: Float[Tensor, "n 3"], base: Float[Tensor, "n 3"], kept: Float[Tensor, "n 1"]
) -> Float[Tensor, "n 3"]:
    """Colours as light and dark as they are, whose hue comes nearer to that of others.

    Args:
        colour: linear, and so are the others.
        base: whose hue is the likely one.
        kept: share of the differences that stays.
    """
    ratio = colour.clamp_min(BLACK_LINEAR) / base.clamp_min(BLACK_LINEAR)
    hue = ratio ** (kept - 1)
    return colour * hue * (luminance(colour) / luminance(colour * hue).clamp_min(1e-6))[..., None]


def _strain(
    model: MorphableModel, scene: Scene, edges: Int[Tensor, "edges 2"]
) -> Float[Tensor, "vertices"]:
    """Root mean square relative change of the lengths around each vertex by the expression."""
    a, b = edges.long().unbind(-1)
    fitted = scene.coefficients
    at_rest = fitted.neutral().replace(expression=resting(model, fitted))
    faces = (fitted, at_rest)
    shown, rest = ((p[a] - p[b]).norm(dim=-1) for p in map(model.shape_mm, faces))
    change = ((shown - rest) / rest.clamp_min(1e-3)).square()
    sums = torch.zeros(model.n_vertices, 2).to(change)
    values = torch.stack([change, torch.ones_like(change)], 1)
    sums = sums.index_add(0, a, values).index_add(0, b, values)
    return (sums[:, 0] / sums[:, 1].clamp_min(1)).sqrt()
