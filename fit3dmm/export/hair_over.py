"""A fringe, from a photo to the sheet that an avatar has."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.hair_colour import HairSettings
from fit3dmm.export.hair_front import front
from fit3dmm.export.hair_hanging import HangingHair
from fit3dmm.export.hair_panel import panel, panel_picture
from fit3dmm.export.hair_raised import outward, raised
from fit3dmm.export.texture_seen import HairSeen, Shown
from fit3dmm.export.texture_settings import TextureSettings
from fit3dmm.model.morphable import MorphableModel


def hair_over(
    shown: Shown,
    seen: HairSeen,
    raised_mm: Float[Tensor, "vertices"],
    model: MorphableModel,
    hair: HairSettings,
    settings: TextureSettings,
) -> HangingHair | None:
    """The hair that hangs over the forehead; None where none does.

    Args:
        shown: the photo that shows it best, with its fit.
        seen: what that shows of the hair.
        raised_mm: how far hair stands off the scalp.
        model: the one that was fitted.
        hair: what colours it has, and what light falls on it.
        settings: how it hangs, and how it is drawn.
    """
    grid = front(model, settings.fringe.front)
    if seen.fringe is None or grid is None:
        return None
    scene, strands = shown.scene, settings.below.strands
    skin_mm = model.shape_mm(scene.coefficients.neutral())
    points = panel(
        seen.fringe,
        grid,
        skin_mm,
        raised(model, skin_mm, raised_mm),
        outward(model).to(skin_mm),
        settings.panel,
    )
    sheet = HangingHair(points, np.zeros((*strands.size_px, 3), np.uint8))
    picture = panel_picture(sheet, shown, seen, hair, strands, settings.panel)
    return replace(sheet, srgb=picture)
