"""What the photo tells of the rest of the head: skin of the face's hue on neck and ears, stubble of
the hair's colour on the scalp, and brows."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import luminance
from fit3dmm.export.smoothing import averaged, base_edges, ramp
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import HAIR, SKIN, Predicted


@dataclass(frozen=True)
class HairSettings(Settings):
    """What is taken for hair and how it is drawn: judgements by looking, not measurements."""

    sure: float = ranged(0.6, 0.0, 1.0)
    """Probability from which a cell of the cover map counts as hair."""
    darker: tuple[float, float] = ranged((0.1, 0.45), 0.0, 1.0)
    """Quantiles of their lightness between which they tell the colour: gloss, and the bright wall
    that is seen past hair, are lighter."""
    fewest_cells: int = 12
    """Cells that must show hair before its colour is told."""
    shade: float = 0.75
    """Share of the light on the face that reaches the hair among hair."""
    range_linear: tuple[float, float] = (0.008, 0.5)
    """The darkest and the lightest hair."""
    warmth: tuple[float, float] = ranged((1.08, 1.22), 1.0)
    """Least ratio of red to green and of green to blue in hair: the pigments are brown, and what
    looks grey or blue in a photo is white hair among it, and the sky."""
    skin_hue: float = ranged(0.35, 0.0, 1.0)
    """Share of the skin's hue in that of short hair: the scalp shines through it."""
    lightest: float = ranged(1.1, 0.0, 2.0)
    """Luminance of short hair over the skin's, at most: white stubble is hardly lighter."""
    density: tuple[float, float] = ranged((0.04, 0.85), 0.0, 1.0)
    """How much of the scalp is hidden by hair: where the photo shows a bald one, and a full one."""
    full: tuple[float, float] = (0.12, 0.45)
    """Share of the scalp seen that is hair at which it begins to count, and counts as full: short
    hair and a high forehead are no bald head."""
    unseen: float = ranged(0.5, 0.0, 1.0)
    """How full hair is where a hat or the edge of the photo hides it."""
    hairline_rounds: int = ranged(3, 0)
    """Rounds of averaging over the edges of the base mesh (some 7 mm) over which hair begins."""
    grain: float = ranged(0.14, 0.0)
    """How much lighter and darker single places of short hair are, as a share of the logarithm by
    which it is darker than the skin."""
    single: float = ranged(1.0, 0.0)
    """How much more so at the hairline, where hairs stand singly."""
    brows: float = ranged(0.35, 0.0, 1.0)
    """How much of brows that the photo does not show takes that colour."""


@dataclass(frozen=True)
class Hair:
    """What the photo tells of a person's hair."""

    colour_linear: Float[Tensor, "3"] | None
    """Albedo; None where too little is seen."""
    fullness: float
    """0 for a bald scalp, 1 for one that hair covers."""


def seen_hair(
    photo: Photo,
    predicted: Predicted | None,
    light_linear: Float[Tensor, "3"],
    scalp_px: Float[Tensor, "scalp 2"],
    settings: HairSettings,
) -> Hair:
    """Colour and fullness of the hair.

    Args:
        photo: the one that was fitted.
        predicted: what the network saw; without it nothing is told.
        light_linear: what white that faces the camera would show.
        scalp_px: where the photo shows the scalp, in the `photo` frame.
        settings: what counts as hair.
    """
    if predicted is None:
        return Hair(None, settings.unseen)
    cells = predicted.cover.shape[-1]
    T_cells_crop = Similarity.in_plane(cells / predicted.crop_size_px, (0.0, 0.0))
    T_cells_photo = T_cells_crop @ predicted.T_crop_photo
    shown = extract_crop(photo, T_cells_photo, cells)
    there = (predicted.cover[HAIR] > settings.sure) & (shown.inside > 0.99)
    on_head = there & _near(T_cells_photo @ scalp_px, cells)
    if int(on_head.sum()) >= settings.fewest_cells:
        # The map is coarse: beside the head the wall behind it counts as hair, too.
        there = on_head
    colour = None
    if int(there.sum()) >= settings.fewest_cells:
        seen = _darker_part(shown.image_linear[there], settings).to(light_linear)
        colour = (seen / (settings.shade * light_linear)).clamp(*settings.range_linear)
        # From white to black and red, no hair is bluer than it is red; but the sky in it is.
        colour = colour.cummin(0).values
    told = predicted.cover_at(scalp_px)
    hair, bare = told[HAIR].sum(), told[SKIN].sum()
    enough = float(hair + bare) > 0.25 * len(scalp_px) and len(scalp_px) > 0
    fullness = float(ramp(hair / (hair + bare), settings.full)) if enough else settings.unseen
    return Hair(colour, fullness)


def _near(points_px: Float[Tensor, "points 2"], cells: int) -> Bool[Tensor, "cells cells"]:
    """The cells that points lie in, and the next ones."""
    near = torch.zeros(1, 1, cells, cells)
    column, row = points_px.long().clamp(0, cells - 1).unbind(-1)
    near[0, 0, row, column] = 1
    return torch.nn.functional.max_pool2d(near, 3, 1, 1)[0, 0] > 0


def _darker_part(colours: Float[Tensor, "cells 3"], settings: HairSettings) -> Float[Tensor, "3"]:
    light = luminance(colours)
    low, high = (light.quantile(one) for one in settings.darker)
    return colours[(light >= low) & (light <= high)].median(0).values


def with_skin_hue(
    albedo: Float[Tensor, "vertices 3"], skin_linear: Float[Tensor, "3"], model: MorphableModel
) -> Float[Tensor, "vertices 3"]:
    """Albedo whose skin beyond the face has the hue of the person's, as light as it is.

    Args:
        albedo: linear, of what the photo does not show.
        skin_linear: colour of the person's skin.
        model: the one that was fitted.
    """
    beyond = (1 - model.regions["face"]) * model.regions["skin"]
    hued = luminance(albedo)[:, None] * skin_linear / luminance(skin_linear)
    return albedo + beyond[:, None] * (hued - albedo)


def with_hair(
    albedo: Float[Tensor, "vertices 3"],
    hair: Hair,
    model: MorphableModel,
    skin_linear: Float[Tensor, "3"],
    settings: HairSettings,
) -> Float[Tensor, "vertices 3"]:
    """Albedo with a scalp of the person's skin and hair, and brows of that colour.

    Args:
        albedo: linear, of what the photo does not show.
        hair: of the person.
        model: the one that was fitted.
        skin_linear: colour of the person's skin.
        settings: how hair is drawn.
    """
    if "scalp" not in model.regions:
        return albedo
    scalp = model.regions["scalp"][:, None]
    mean_scalp = _mean(model.albedo_mean_linear, scalp)
    if hair.colour_linear is None:
        # Without a colour the model's own scalp says how much darker than skin stubble is.
        stubble = mean_scalp / _mean(model.albedo_mean_linear, model.regions["face"][:, None])
        colour = skin_linear * stubble * 0.6
    else:
        colour = _short(warm(hair.colour_linear, settings), skin_linear, settings)
    low, high = settings.density
    # Strands let through a share of what the skin reflects: shares of light multiply.
    share = (low + (high - low) * hair.fullness) * grown(model, settings)[:, None]
    bare = albedo + scalp * (skin_linear - albedo)
    albedo = bare * (colour / skin_linear) ** share
    if hair.colour_linear is not None and "brows" in model.regions:
        brows = settings.brows * model.regions["brows"][:, None]
        albedo = albedo + brows * (warm(hair.colour_linear, settings) - albedo)
    return albedo


@kept(most=2)
def grown(model: MorphableModel, settings: HairSettings) -> Float[Tensor, "vertices"]:
    """Where hair grows, 0..1: the scalp, whose border fades over a finger's width."""
    scalp = model.regions.get("scalp", torch.zeros_like(model.regions["face"]))
    base = scalp[: model.surface.n_base, None]
    wide = averaged(base, base_edges(model), settings.hairline_rounds)
    return model.surface.lift(wide)[:, 0]


def warm(colour: Float[Tensor, "3"], settings: HairSettings) -> Float[Tensor, "3"]:
    """The nearest colour that hair has, as light as it was."""
    red, green, blue = colour.unbind()
    of_red, of_green = settings.warmth
    green = torch.minimum(green, red / of_red)
    hued = torch.stack([red, green, torch.minimum(blue, green / of_green)])
    return hued * (luminance(colour) / luminance(hued))


def _short(
    colour: Float[Tensor, "3"], skin_linear: Float[Tensor, "3"], settings: HairSettings
) -> Float[Tensor, "3"]:
    """What hair of this colour looks like when it is shorn."""
    light, of_skin = luminance(colour), luminance(skin_linear)
    hued = (colour / light) ** (1 - settings.skin_hue) * (
        skin_linear / of_skin
    ) ** settings.skin_hue
    least = torch.minimum(light, settings.lightest * of_skin)
    return hued * (least / luminance(hued))


def _mean(values: Float[Tensor, "n 3"], weight: Float[Tensor, "n 1"]) -> Float[Tensor, "3"]:
    return (weight * values).sum(0) / weight.sum().clamp_min(1e-6)
