"""Lips where no photo shows them: their lining, and what a smile has rolled in.

A model's lips are of one red, and beside those of the photo the lining of a mouth that is shut
shone as an orange seam. So lips have the colour of what is seen of them, and are dim where they
meet.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.regions import region, to_region_mm
from fit3dmm.export.smoothing import ramp
from fit3dmm.export.texture_seen import Seen
from fit3dmm.export.view import BLACK_LINEAR
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class LipSettings(Settings):
    """Judgements by looking at avatars, not measurements."""

    well_seen: float = ranged(0.5, 0.0, 1.0)
    """Weight of the photo from which a lip's colour counts."""
    fewest: int = 40
    """Vertices that must be seen so before lips take their colour."""
    dim: float = ranged(0.5, 0.0, 1.0)
    """What is taken from the light on lips where they meet the lining of the mouth."""
    dim_mm: tuple[float, float] = ranged((0.5, 4.5), 0.0)
    """Distance from the lining within which that is all, and beyond which it is nothing."""


def with_lips(
    base: Float[Tensor, "vertices 3"],
    seen: Sequence[Seen],
    tint: Float[Tensor, "vertices 3"],
    model: MorphableModel,
    settings: LipSettings,
) -> Float[Tensor, "vertices 3"]:
    """Albedo whose lips are of the person's colour, by the first photo that shows enough of them.

    Args:
        base: linear, of what photos do not show.
        seen: what they show.
        tint: of the skin, as a natural logarithm.
        model: the one that was fitted.
        settings: how lips are drawn.
    """
    lips = region(model, "lips")
    for one in seen:
        well = (one.layer.weight > settings.well_seen) & (lips > 0.5)
        if int(well.sum()) < settings.fewest:
            continue
        photo = one.view.at(one.view.image_linear, one.layer.places_px[well])
        colour = photo * (one.layer.log_factor + tint)[well].exp()
        change = (colour.clamp_min(BLACK_LINEAR) / base[well].clamp_min(BLACK_LINEAR)).log()
        # As far as lips go, and no harder an edge than the model's.
        base = base * (lips[:, None] * change.median(0).values).exp()
        break
    from_lining = ramp(to_region_mm(model, "mouth_interior"), settings.dim_mm)
    return base * (1 - settings.dim * lips * (1 - from_lining))[:, None]
