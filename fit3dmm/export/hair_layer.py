"""What a photo shows of the hair on a head, as a layer of the texture, and what it hides of the
face."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import luminance
from fit3dmm.export.hair_cover import Sight
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.regions import region, to_region_mm
from fit3dmm.export.smoothing import averaged, averaged_on_base, base_edges, feathered, ramp
from fit3dmm.export.view import BLACK_LINEAR
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import MorphableModel

_LANDMARKS, _BROWS = "ibug68", slice(17, 27)


@dataclass(frozen=True)
class HairLayerSettings(Settings):
    """What of the hair is taken from a photo: judgements by looking, not measurements."""

    shown: tuple[float, float] = ranged((0.45, 0.85), 0.0, 1.0)
    """Probabilities from which a place of the scalp shows hair, and wholly so."""
    below_mm: tuple[float, float] = (18.0, 34.0)
    """Distance down from the model's scalp over which hair gives way to the face: a low hairline
    is the person's own, a fringe is not of the skin that it lies on."""
    thicknesses_mm: tuple[float, ...] = ranged((0.0, 6.0, 12.0, 18.0), 0.0)
    """How far hair may stand off the scalp: what is seen there is seen in place of the scalp."""
    rim_mm: float = 6.0
    """How much farther it must reach than there."""
    stands: float = ranged(0.8, 0.0, 1.0)
    """Probability of hair from which it does."""
    above_brows_mm: tuple[float, float] = (22.0, 32.0)
    """Height over the brows from which it is."""
    beside_mm: tuple[float, float] = (4.0, 12.0)
    """The same distance elsewhere: at the temples, and before the ears."""
    over_brows_mm: tuple[float, float] = (2.0, 8.0)
    """Height over the brows from which a forehead may be hidden by a fringe as a whole."""
    fringe: tuple[float, float] = ranged((0.45, 0.65), 0.0, 1.0)
    """Shares of the forehead that hair hides from which a fringe hangs over it, and surely so."""
    hides: tuple[float, float] = ranged((0.2, 0.5), 0.0, 1.0)
    """Probabilities from which hair hides the face, and wholly so."""
    rim_rounds: int = ranged(5, 0)
    """Rounds of averaging over the edges of the base mesh (some 7 mm) over which single strands and
    the shadow reach beyond what is hidden."""
    rim: tuple[float, float] = ranged((0.06, 0.25), 0.0, 1.0)
    """Averages from which a place is beside hidden ones."""
    feather_rounds: int = 4
    """The width over which the layer fades, in edges."""
    broad_rounds: int = ranged(5, 0)
    """Rounds of averaging over the edges of the base mesh beyond which differences of lightness are
    the light's."""
    broad_removed: float = ranged(0.85, 0.0, 1.0)
    """Share of these that is taken out: hair is seen in a gloss and a shade that harmonics don't
    know."""


def sight_of_hair(
    seen: HairMap | None,
    photo_px: Float[Tensor, "vertices 2"],
    facing: Float[Tensor, "vertices"],
    in_front: Float[Tensor, "vertices"],
    grazing: tuple[float, float],
) -> Sight:
    """What a photo tells of the hair on each vertex.

    Args:
        seen: where it shows hair.
        photo_px: where it shows the vertices.
        facing: cosine between their normals and the view.
        in_front: 1 for what no other part of the head hides.
        grazing: cosines from which one is seen, and seen well.
    """
    if seen is None:
        return Sight(torch.zeros_like(facing), torch.zeros_like(facing))
    hair, skin = seen.at(photo_px).unbind(-1)
    # What is neither is the wall beside the head, or a hat: it tells nothing.
    known = ramp(hair + skin, (0.4, 0.8))
    return Sight(hair / (hair + skin).clamp_min(1e-3), known * in_front * ramp(facing, grazing))


def hair_thickness_mm(
    seen: HairMap | None,
    points_cam_mm: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    camera: Camera,
    model: MorphableModel,
    settings: HairLayerSettings,
) -> Float[Tensor, "vertices"]:
    """How far hair stands off the scalp at least, so that the photo shows it at all.

    Args:
        seen: where the photo shows hair.
        points_cam_mm: the fitted surface.
        normals: its own, in `cam`.
        camera: of the photo.
        model: the one that was fitted.
        settings: how thick hair may be.
    """
    n = model.surface.n_base
    found = torch.zeros_like(points_cam_mm[:n, 0])
    if seen is None:
        return torch.zeros_like(points_cam_mm[:, 0])
    scalp = model.regions["scalp"][:n]
    known = torch.zeros_like(scalp)

    def hair_at(thick_mm: float) -> Tensor:
        at = camera.project(points_cam_mm[:n] + thick_mm * normals[:n])
        return seen.at(at)[:, 0] > settings.stands

    for thick_mm in sorted(settings.thicknesses_mm):
        there = hair_at(thick_mm)
        if thick_mm > 0:
            # A thin rim about a head is its own blurred border.
            there = there & hair_at(thick_mm + settings.rim_mm)
        there = there * (scalp > 0.3) * (1 - known)
        found, known = found + there * thick_mm, known + there
    sums = averaged(torch.stack([found * known, known], 1), base_edges(model), 2)
    smooth = sums[:, 0] / sums[:, 1].clamp_min(1e-2) * ramp(scalp, (0.0, 0.5))
    return model.surface.lift(smooth[:, None])[:, 0]


def hidden_by_hair(
    sight: Sight, model: MorphableModel, settings: HairLayerSettings
) -> Float[Tensor, "vertices"]:
    """How surely hair lies over the face at each vertex, 0..1."""
    hair = ramp(sight.hair, settings.hides) * (sight.weight > 0)
    rim = averaged_on_base(hair, model, settings.rim_rounds)
    hidden = hair.maximum(ramp(rim, settings.rim))
    # Where a fringe hangs, what is seen between its strands is in their shade.
    forehead = forehead_zone(model, settings)
    fringe = float((forehead * hidden).sum() / forehead.sum().clamp_min(1e-6))
    return hidden.maximum(ramp(torch.tensor(fringe), settings.fringe).to(hidden) * forehead)


def shown_hair(
    sight: Sight,
    model: MorphableModel,
    edges: Tensor,
    settings: HairLayerSettings,
) -> Float[Tensor, "vertices"]:
    """Weight of the hair that is seen on the scalp, 0..1."""
    weight = ramp(sight.hair, settings.shown) * sight.weight * hair_zone(model, settings)
    return feathered(weight, edges, settings.feather_rounds)


@kept(most=1)
def hair_zone(model: MorphableModel, settings: HairLayerSettings) -> Float[Tensor, "vertices"]:
    """Where hair of the head is the skin's own, 0..1: the scalp, and down to a low hairline."""
    to_scalp, above = to_region_mm(model, "scalp"), above_brows_mm(model)
    near = 1 - ramp(to_scalp, settings.beside_mm)
    low = (1 - ramp(to_scalp, settings.below_mm)) * ramp(above, settings.above_brows_mm)
    return near.maximum(low) * (1 - region(model, "ears"))


@kept(most=1)
def forehead_zone(model: MorphableModel, settings: HairLayerSettings) -> Float[Tensor, "vertices"]:
    """The forehead, from the brows up to the hairline."""
    above = ramp(above_brows_mm(model), settings.over_brows_mm)
    bare = model.regions["face"] * (1 - region(model, "brows"))
    return above * bare * ramp(to_region_mm(model, "scalp"), (4.0, 12.0))


@kept(most=1)
def above_brows_mm(model: MorphableModel) -> Float[Tensor, "vertices"]:
    """Height of each vertex over the brows of the mean head; below 0 on no forehead."""
    points = model.shape_mm(model.zeros())
    if _LANDMARKS not in model.landmarks:
        return torch.full_like(points[:, 0], -1.0)
    marks = model.landmarks[_LANDMARKS].locate(points, model.surface.triangles)
    return points[:, 1] - marks[_BROWS, 1].mean()


def hair_factor(
    colour_linear: Float[Tensor, "vertices 3"],
    light_linear: Float[Tensor, "vertices 3"],
    share: Float[Tensor, "vertices"],
    albedo_linear: Float[Tensor, "3"] | None,
    model: MorphableModel,
    settings: HairLayerSettings,
) -> Float[Tensor, "vertices 3"]:
    """Natural logarithm of what the photo's colour is multiplied with where hair is seen.

    Args:
        colour_linear: of the photo at each vertex.
        light_linear: what white hair would show there.
        share: how well hair is seen.
        albedo_linear: of all the hair that the photo shows: the scalp's alone lies in the gloss of
            the crown, and would be another colour than what goes on behind. None where it is not
            told.
        model: the one that was fitted.
        settings: how far it is made even.
    """
    n, factor = model.surface.n_base, -light_linear.clamp_min(BLACK_LINEAR).log()
    weight = share[:n]
    if float(weight.sum()) < 1:
        return factor
    logs = colour_linear[:n].clamp_min(BLACK_LINEAR).log() + factor[:n]
    well = weight > 0.5 * weight.max()
    if albedo_linear is not None:
        lift = albedo_linear.log() - logs[well].median(0).values
        factor, logs = factor + lift, logs + lift
    seen = luminance(logs.exp()).log()
    middle = seen[well].median()
    weighted = torch.stack([(seen - middle) * weight, weight], 1)
    sums = averaged(weighted, base_edges(model), settings.broad_rounds)
    broad = model.surface.lift(sums[:, :1] / sums[:, 1:].clamp_min(1e-2))
    return factor - settings.broad_removed * broad
