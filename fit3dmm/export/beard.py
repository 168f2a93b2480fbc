"""White beards: paler than the skin, which other rules take for highlights or things before it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.covered import below_nose
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import averaged, base_edges, ramp
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class BeardSettings(Settings):
    """What a white beard is: judgements by looking, not measurements."""

    lighter: tuple[float, float] = (0.08, 0.3)
    """Natural logarithm of lightness over the fitted skin's from which a place may be white hair,
    and is."""
    paler: tuple[float, float] = (0.02, 0.12)
    """The same of green over red: highlights keep more of the skin's hue than hair does."""
    of_skin: tuple[float, float] = ranged((0.55, 0.65), 0.0, 1.0)
    """Shares of the skin's red over green, as natural logarithms, that the whole has: up to the
    first it is hair, from the second on none. Three white beards of 42 portraits had 0.33 to 0.52,
    and what was taken for one beside the mouths of five people who smile 0.70 to 0.80."""
    whole: tuple[float, float] = (0.1, 0.22)
    """Shares of mouth and chin from which they are one: shine has a smaller part."""
    middle_mm: float = 40.0
    """Distance from the middle within which these are counted."""
    near: tuple[float, float] = (0.12, 0.4)
    """Averages over the surroundings from which a place is within it, and wholly so."""
    rounds: int = ranged(2, 0)
    """Rounds of averaging over the edges of the base mesh (some 7 mm) that make these."""
    half_width_mm: tuple[float, float] = (52.0, 66.0)
    """Distance from the middle over which it ends."""
    beyond_rounds: int = ranged(8, 0)
    """Rounds over which it goes on where the photo does not show it."""
    density: float = ranged(0.75, 0.0, 1.0)
    """How much of the skin is hidden by it there."""


@dataclass(frozen=True)
class Beard:
    """A white beard in one photo."""

    cover: Float[Tensor, "vertices"]
    """How surely it is at each vertex that is seen, 0..1."""
    beyond: Float[Tensor, "vertices"]
    """The same with what lies about these and on the other side."""
    colour_linear: Float[Tensor, "3"]
    """Albedo."""


def white_beard(
    log_ratio: Float[Tensor, "vertices 3"],
    reflectance: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    settings: BeardSettings,
) -> Beard | None:
    """What the photo shows of one; None where there is none.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        reflectance: the photo's.
        seen: how well the photo shows each vertex.
        model: for its regions and landmarks.
        settings: what a beard is.
    """
    zone = beard_zone(model, settings)
    light = log_ratio @ log_ratio.new_tensor(LUMINANCE)
    pale = ramp(light, settings.lighter)
    pale = pale * ramp(log_ratio[:, 1] - log_ratio[:, 0], settings.paler)
    n = model.surface.n_base
    weight = (zone * seen)[:n]
    # Towards the ears long hair hangs over the cheeks.
    middle = weight * _middle(model, settings)[:n]
    share = float((middle * pale[:n]).sum() / middle.sum().clamp_min(1e-6))
    whole = float(ramp(torch.tensor(share), settings.whole))
    if whole == 0:
        return None
    weighted, edges = torch.stack([weight * pale[:n], weight], 1), base_edges(model)
    near = averaged(weighted, edges, settings.rounds)
    there = whole * ramp(near[:, 0] / near[:, 1].clamp_min(0.05), settings.near)
    sure = weight * there > 0.3
    if not sure.any():
        return None
    told = sure & (pale[:n] > 0.5)
    colour = reflectance[:n][told]
    if not len(colour):
        return None
    there = there * (1 - ramp(_share_of_skin_hue(colour, log_ratio[:n][told]), settings.of_skin))
    if not there.any():
        return None
    both = torch.stack([weight * there, weight], 1)
    both = both + both[model.surface.base_mirror]
    wide = averaged(both, edges, settings.beyond_rounds)
    beyond = torch.lerp(wide[:, 0] / wide[:, 1].clamp_min(1e-3), there, weight.clamp(0, 1))
    lifted = model.surface.lift(torch.stack([there, beyond], 1)).clamp(0, 1) * zone[:, None]
    return Beard(lifted[:, 0], lifted[:, 1], colour.median(0).values)


def _share_of_skin_hue(
    colour: Float[Tensor, "n 3"], log_ratio: Float[Tensor, "n 3"]
) -> Float[Tensor, ""]:
    """How much of the fitted skin's red over green is left in places that are paler."""
    red, green, _ = colour.log().median(0).values
    paler_red, paler_green, _ = log_ratio.median(0).values
    hue = red - green
    return hue / (hue - paler_red + paler_green).clamp_min(0.05)


@kept(most=1)
def _middle(model: MorphableModel, settings: BeardSettings) -> Float[Tensor, "vertices"]:
    return (model.shape_mm(model.zeros())[:, 0].abs() < settings.middle_mm).float()


@kept(most=1)
def beard_zone(model: MorphableModel, settings: BeardSettings) -> Float[Tensor, "vertices"]:
    """1 where beards grow: on the face below the nose, and not on the lips."""
    away_mm = model.shape_mm(model.zeros())[:, 0].abs()
    bare = region(model, "lips", "mouth_interior", "ears")
    inner = (1 - bare) * ramp(model.regions["face"], (0.2, 0.6))
    return below_nose(model) * (1 - ramp(away_mm, settings.half_width_mm)) * inner
