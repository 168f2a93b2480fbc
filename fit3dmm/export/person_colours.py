"""What no photo shows of a head, as what they show makes likely: skin, hair, eyes and teeth.

Eyes, teeth and tongue are clean ones (`export.organs`) with irises of the photo's colour
(`export.iris`), neck and ears have the face's hue, and scalp and brows the colour of the hair
(`export.hair_colour`).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.beard import Beard
from fit3dmm.export.hair_colour import Hair, with_hair, with_skin_hue
from fit3dmm.export.hair_cover import hair_cover
from fit3dmm.export.iris import iris_change, iris_weight
from fit3dmm.export.lids import at_creases, under_lids
from fit3dmm.export.lips import LipSettings, with_lips
from fit3dmm.export.organs import organs, with_clean_organs
from fit3dmm.export.stubble import grain_strength
from fit3dmm.export.texture_seen import Seen, Shown
from fit3dmm.export.texture_settings import TextureSettings
from fit3dmm.model.morphable import MorphableModel


def base_colours(
    model: MorphableModel,
    shown: Sequence[Shown],
    seen: Sequence[Seen],
    albedo: Float[Tensor, "vertices 3"],
    tint: Float[Tensor, "vertices 3"],
    settings: TextureSettings,
) -> tuple[Float[Tensor, "vertices 3"], Float[Tensor, "vertices"]]:
    """Linear albedo of the whole head, and how strong the grain of short hair is on it.

    Args:
        model: the one that was fitted.
        shown: the photos with their fits.
        seen: what they show.
        albedo: the fitted one.
        tint: of the skin, as a natural logarithm.
        settings: how hair, eyes and teeth are drawn.
    """
    order = sorted(range(len(shown)), key=lambda k: -float(seen[k].layer.px_per_mm.mean()))
    finest = [(shown[k], seen[k]) for k in order]
    base = albedo * ((1 - organs(model)[:, None]) * tint).exp()
    grainy = torch.zeros_like(base[:, 0])
    if any(bool(one.layer.weight.any()) for one in seen):
        face = model.regions["face"] * model.regions["skin"]
        skin = (face[:, None] * base).sum(0) / face.sum().clamp_min(1e-6)
        base = with_skin_hue(base, skin, model)
        hair = _hair(model, finest, settings)
        base = with_hair(base, hair, model, skin, settings.hair)
        base = _with_beard(base, [one.beard for one in seen if one.beard is not None], settings)
        grainy = grain_strength(base, hair.cover, skin, model, settings.hair)
        base = base * at_creases(model, settings.lids)[:, None]
        base = with_lips(base, [one for _, one in finest], tint, model, LipSettings())
    base = base * _iris_change(model, finest, albedo, settings).exp()
    iris = iris_weight(model, settings.iris)
    clean = with_clean_organs(base, iris, model, settings.organs)
    return clean * under_lids(model, settings.lids)[:, None], grainy


def _hair(
    model: MorphableModel, finest: Sequence[tuple[Shown, Seen]], settings: TextureSettings
) -> Hair:
    """Its colour by the finest photo that tells one, its places by all of them."""
    sights = [seen.hair.sight for _, seen in finest if seen.hair is not None]
    told = (seen.hair.colour_linear for _, seen in finest if seen.hair is not None)
    colour = next((one for one in told if one is not None), None)
    if not sights:
        return Hair(None, torch.full_like(model.regions["face"], settings.hair.cover.unseen))
    return Hair(colour, hair_cover(sights, model, settings.hair.cover))


def _with_beard(
    base: Float[Tensor, "vertices 3"], beards: Sequence[Beard], settings: TextureSettings
) -> Float[Tensor, "vertices 3"]:
    """White beards where no photo shows them well."""
    for beard in beards:
        share = settings.beard.density * beard.beyond[:, None]
        base = torch.lerp(base, beard.colour_linear.expand_as(base), share)
    return base


def _iris_change(
    model: MorphableModel,
    finest: Sequence[tuple[Shown, Seen]],
    albedo: Float[Tensor, "vertices 3"],
    settings: TextureSettings,
) -> Float[Tensor, "vertices 3"]:
    """By the photo that shows the eyes finest of those that show them well enough."""
    change = torch.zeros_like(albedo)
    for one, seen in finest:
        if one.points_px is not None:
            expected = albedo * seen.tint.exp() * seen.light_linear
            where = (seen.view, one.points_px, seen.points_cam_mm)
            change = iris_change(model, *where, expected, settings.iris)
            if bool(change.any()):
                return _no_purple(change, albedo)
    return change


def _no_purple(
    change: Float[Tensor, "vertices 3"], albedo: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "vertices 3"]:
    """The same for irises of a colour that irises have: from brown to blue they pass through green
    and grey, so that green is never the least; purple is the light's, or a lens's."""
    weight = change.abs().amax(1, keepdim=True)
    middle = ((albedo * change.exp()).log() * weight).sum(0) / weight.sum()
    lacking = (torch.minimum(middle[0], middle[2]) - middle[1]).clamp_min(0)
    share = weight[:, 0] / weight.max()
    return change + torch.stack(
        [torch.zeros_like(share), lacking * share, torch.zeros_like(share)], 1
    )
