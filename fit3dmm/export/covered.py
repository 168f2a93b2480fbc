"""What the network says lies before the face: hair, glasses, hands, the background beside it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import averaged, ramp, with_rim
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import GLASSES, HAIR, HAND, OTHER, SKIN, Predicted

# Below the foot of the nose (iBUG's point) hair is a beard, and stays.
_NOSE_FOOT, _EDGE_MM = 33, 3.0
_LANDMARKS = "ibug68"


@dataclass(frozen=True)
class CoverSettings(Settings):
    """How far the cover map is trusted: judgements by looking, not measurements.

    A cell of the map is some 4 mm of the face wide, and a thin frame of glasses takes a part of
    it: where glasses are suspected, what is darker or lighter than skin is theirs.
    """

    things: tuple[float, float] = (0.1, 0.3)
    """Probabilities of glasses, hands and other things from which a place counts as hidden, and
    wholly so."""
    suspected: tuple[float, float] = (0.015, 0.06)
    """Probabilities of what hides a face, averaged over the surroundings, from which single strands
    and frames are suspected."""
    odd: tuple[float, float] = (0.12, 0.3)
    """Natural logarithm of the photo's lightness over the fitted one that is theirs there."""
    bare: tuple[float, float] = (0.35, 0.65)
    """Probability of the face itself at which a place begins to count as seen, and does wholly."""
    beard_half_width_mm: float = 48.0
    """Hair farther from the middle is none of a beard."""
    beard: tuple[float, float] = (0.05, 0.25)
    """Probabilities of hair, averaged over what lies around, from which the dark of a fold may be a
    beard's, and is."""
    bearded: tuple[float, float] = (0.04, 0.12)
    """The same over mouth and chin as a whole: of a beard the map knows the rim better than the
    middle."""
    rim_rounds: int = 5
    """Rounds of averaging over the edges of the mesh over which these reach: their shadow."""
    rim: tuple[float, float] = (0.05, 0.3)
    """Averages from which a place is beside them."""
    suspicion_rounds: int = ranged(24, 0)
    """The same over which they are suspected."""


def covered(
    predicted: Predicted,
    photo_px: Float[Tensor, "vertices 2"],
    lightness: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: CoverSettings,
) -> Float[Tensor, "vertices"]:
    """How surely something other than the face is seen at each vertex, 0..1.

    Args:
        predicted: what the network saw.
        photo_px: where the photo shows the vertices.
        lightness: natural logarithm of the photo's lightness over the fitted one with its tint.
        model: for its regions and landmarks.
        edges: between the vertices of its surface.
        settings: how far the map is trusted.
    """
    told = predicted.cover_at(photo_px.to(predicted.cover)).to(lightness)
    beard = _beard(model, settings)
    hair = told[HAIR] * (1 - beard)
    hidden = 1 - ramp(told[SKIN] + told[HAIR] * beard, settings.bare)
    things = told[[GLASSES, HAND, OTHER]].sum(0)
    hidden = hidden.maximum(ramp(things, settings.things))
    spread = averaged(hair + things, edges, settings.suspicion_rounds)
    odd = ramp(spread, settings.suspected) * ramp(lightness.abs(), settings.odd)
    odd = odd * (1 - region(model, "brows", "lips").maximum(beard))
    return hidden.maximum(with_rim(odd, edges, settings.rim_rounds, settings.rim))


def beard_seen(
    predicted: Predicted,
    photo_px: Float[Tensor, "vertices 2"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: CoverSettings,
) -> Float[Tensor, "vertices"]:
    """How surely a beard is at each vertex, 0..1.

    Args:
        predicted: what the network saw.
        photo_px: where the photo shows the vertices.
        seen: how well it does.
        model: for its landmarks.
        edges: between the vertices of its surface.
        settings: how far the map is trusted.
    """
    hair = predicted.cover_at(photo_px.to(predicted.cover))[HAIR].to(seen)
    # A cell of the map is as wide as a moustache.
    spread = averaged(hair, edges, settings.rim_rounds)
    place = _beard(model, settings)
    whole = float((place * seen * hair).sum() / (place * seen).sum().clamp_min(1e-6))
    everywhere = ramp(torch.tensor(whole), settings.bearded).to(seen)
    return ramp(spread, settings.beard).maximum(place * everywhere)


def _beard(model: MorphableModel, settings: CoverSettings) -> Float[Tensor, "vertices"]:
    """1 where hair is the face's own: about mouth and chin."""
    away_mm = model.shape_mm(model.zeros())[:, 0].abs()
    width = settings.beard_half_width_mm
    return below_nose(model) * (1 - ramp(away_mm, (0.85 * width, width)))


@kept(most=1)
def below_nose(model: MorphableModel) -> Float[Tensor, "vertices"]:
    """1 below the foot of the nose; 0 where a model does not say where that is."""
    points = model.shape_mm(model.zeros())
    if _LANDMARKS not in model.landmarks:
        return torch.zeros_like(points[:, 0])
    marks = model.landmarks[_LANDMARKS].locate(points, model.surface.triangles)
    foot_mm = float(marks[_NOSE_FOOT, 1])
    return ramp(-points[:, 1], (-foot_mm - _EDGE_MM, -foot_mm + _EDGE_MM))
