"""Hair that hangs below the ears, from a photo to the sheet that an avatar has."""

from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings
from fit3dmm.export.hair_beside import HairBesideSettings
from fit3dmm.export.hair_colour import HairSettings
from fit3dmm.export.hair_curtain import HairCurtainSettings, curtain
from fit3dmm.export.hair_hanging import HangingHair
from fit3dmm.export.hair_raised import raised
from fit3dmm.export.hair_strands import HairStrandsSettings, strands
from fit3dmm.export.texture_seen import HairSeen, Shown
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class HairBelowSettings(Settings):
    """How hair hangs."""

    beside: HairBesideSettings = field(default_factory=HairBesideSettings)
    """Where a photo shows it."""
    curtain: HairCurtainSettings = field(default_factory=HairCurtainSettings)
    """Where it is besides."""
    strands: HairStrandsSettings = field(default_factory=HairStrandsSettings)
    """What it looks like."""


def hair_below(
    shown: Shown,
    seen: HairSeen,
    raised_mm: Float[Tensor, "vertices"],
    model: MorphableModel,
    hair: HairSettings,
    settings: HairBelowSettings,
) -> HangingHair | None:
    """The hair that hangs down; None where none does, or too little is seen of it.

    Args:
        shown: the photo that shows it best, with its fit.
        seen: what that shows of the hair.
        raised_mm: how far hair stands off the scalp.
        model: the one that was fitted.
        hair: what colours it has, and what light falls on it.
        settings: how hair hangs.
    """
    if seen.beside is None:
        return None
    scene = shown.scene
    head_mm = raised(model, model.shape_mm(scene.coefficients.neutral()), raised_mm)
    outside = model.in_parts("skin").cpu()
    points = curtain(seen.beside, head_mm.cpu().numpy()[outside].astype(float), settings.curtain)
    sheet = HangingHair(points, np.zeros((*settings.strands.size_px, 3), np.uint8))
    picture = strands(sheet, shown, seen, hair, settings.strands)
    return None if picture is None else replace(sheet, srgb=picture)
