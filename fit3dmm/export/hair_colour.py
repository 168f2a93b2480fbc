"""What the photo tells of the rest of the head: skin of the face's hue on neck and ears, stubble of
the hair's colour on the scalp, and brows."""

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import luminance
from fit3dmm.export.hair_cover import HairCoverSettings
from fit3dmm.export.hair_light import HairLightSettings
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import averaged_on_base, ramp
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class HairSettings(Settings):
    """What hair is and how it is drawn: judgements by looking, not measurements."""

    map: HairMapSettings = field(default_factory=HairMapSettings)
    """Where the photo shows it."""
    cover: HairCoverSettings = field(default_factory=HairCoverSettings)
    """Where it grows beyond what the photo shows."""
    light: HairLightSettings = field(default_factory=HairLightSettings)
    """What falls on it."""
    sure: float = ranged(0.8, 0.0, 1.0)
    """Probability from which a cell of the map tells the colour."""
    near_mm: float = ranged(20.0, 0.0)
    """Distance from the head within which it does."""
    middle: tuple[float, float] = ranged((0.15, 0.75), 0.0, 1.0)
    """Quantiles of their lightness, less the light's, between which cells tell the colour: beyond
    them are gaps, and gloss."""
    fewest_cells: int = 25
    """Cells that must show hair before its colour is told."""
    range_linear: tuple[float, float] = (0.008, 0.7)
    """The darkest and the lightest hair."""
    warmth: tuple[float, float] = ranged((1.08, 1.22), 1.0)
    """Least ratio of red to green and of green to blue in black hair: its pigments are brown, and
    what looks blue in a photo is the sky in its gloss."""
    white_warmth: tuple[float, float] = ranged((1.0, 1.03), 1.0)
    """The same of white hair, and of grey."""
    grey: tuple[float, float] = (0.03, 0.09)
    """Luminance from which hair of no hue is grey and not glossy black, and surely so."""
    skin_hue: float = ranged(0.1, 0.0, 1.0)
    """Share of the skin's hue in that of short hair: the scalp shines through it."""
    density: tuple[float, float] = ranged((0.03, 0.93), 0.0, 1.0)
    """How much of the scalp is hidden by hair: where the photo shows a bald one, and a full one."""
    hairline_rounds: int = ranged(3, 0)
    """Rounds of averaging over the edges of the base mesh (some 7 mm) over which hair begins."""
    grain: float = ranged(0.14, 0.0)
    """How much lighter and darker single places of short hair are, as a share of the logarithm by
    which it is darker than the skin."""
    least_contrast: float = ranged(1.0, 0.0)
    """The least such logarithm that counts: white hair has gaps, too."""
    single: float = ranged(1.0, 0.0)
    """How much more so at the hairline, where hairs stand singly."""
    brows: float = ranged(0.35, 0.0, 1.0)
    """How much of brows that the photo does not show takes that colour."""


@dataclass(frozen=True)
class Hair:
    """What the photos tell of a person's hair."""

    colour_linear: Float[Tensor, "3"] | None
    """Albedo; None where too little is seen."""
    cover: Float[Tensor, "vertices"]
    """How densely the scalp is grown over: 0 where it is bald, 1 where no skin is seen."""


def hair_colour(
    seen: HairMap, light_linear: Float[Tensor, "vertices 3"], settings: HairSettings
) -> Float[Tensor, "3"] | None:
    """Albedo of the hair on a head; None where too little is seen.

    Args:
        seen: where the photo shows hair.
        light_linear: what white hair would show at each vertex (`export.hair_light`).
        settings: what counts as hair.
    """
    there = (seen.hair > settings.sure) & seen.on_scalp & (seen.away_mm < settings.near_mm)
    if int(there.sum()) < settings.fewest_cells:
        return None
    # Cells at the rim show the wall, too.
    inner = -torch.nn.functional.max_pool2d(-there[None].float(), 3, 1, 1)[0] > 0.5
    there = inner if int(inner.sum()) >= settings.fewest_cells else there
    colours = seen.image_linear[there].to(light_linear) / light_linear[seen.vertex[there]]
    level = luminance(colours)
    low, high = (level.quantile(one) for one in settings.middle)
    albedo = colours[(level >= low) & (level <= high)].median(0).values
    albedo = albedo.clamp(*settings.range_linear)
    # No hair is bluer than it is red; but the sky in it is.
    return warm(albedo, settings)


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
        colour = _short(hair.colour_linear, skin_linear, settings)
    low, high = settings.density
    # Strands let through a share of what the skin reflects: shares of light multiply.
    share = (low + (high - low) * hair.cover[:, None]) * grown(model, settings)[:, None]
    shorn = ramp(grown(model, settings), (0.0, 0.3))[:, None].maximum(scalp)
    bare = albedo + shorn * (skin_linear - albedo)
    albedo = bare * (colour / skin_linear) ** share
    if hair.colour_linear is not None and "brows" in model.regions:
        brows = settings.brows * model.regions["brows"][:, None]
        albedo = albedo + brows * (hair.colour_linear - albedo)
    return albedo


@kept(most=2)
def grown(model: MorphableModel, settings: HairSettings) -> Float[Tensor, "vertices"]:
    """Where hair grows, 0..1: the scalp, whose border fades over a finger's width."""
    return averaged_on_base(region(model, "scalp"), model, settings.hairline_rounds)


def warm(colour: Float[Tensor, "3"], settings: HairSettings) -> Float[Tensor, "3"]:
    """The nearest colour that hair has, as light as it was."""
    light = luminance(colour)
    white = ramp(light, settings.grey)
    red, green, blue = colour.unbind()
    of_red, of_green = (
        dark + white * (pale - dark)
        for dark, pale in zip(settings.warmth, settings.white_warmth, strict=True)
    )
    green = torch.minimum(green, red / of_red)
    hued = torch.stack([red, green, torch.minimum(blue, green / of_green)])
    return hued * (light / luminance(hued))


def _short(
    colour: Float[Tensor, "3"], skin_linear: Float[Tensor, "3"], settings: HairSettings
) -> Float[Tensor, "3"]:
    """What hair of this colour looks like when it is shorn."""
    light, of_skin = luminance(colour), luminance(skin_linear)
    hued = (colour / light) ** (1 - settings.skin_hue) * (
        skin_linear / of_skin
    ) ** settings.skin_hue
    return hued * (light / luminance(hued))


def _mean(values: Float[Tensor, "n 3"], weight: Float[Tensor, "n 1"]) -> Float[Tensor, "3"]:
    return (weight * values).sum(0) / weight.sum().clamp_min(1e-6)
