"""What lies about a place that is cut out of the skin goes on in it.

Beside the rim of a pair of glasses, a strand or a highlight the skin is flushed, in the shade of a
brow, or freckled at large, over distances that the tint (`export.tint`) leaves to detail. Filled
with the fitted colour alone, such a place is a pale or a dark line of its shape.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import averaged, base_edges, ramp
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class InfillSettings(Settings):
    """How far surroundings go on: judgements by looking, not measurements."""

    near_rounds: int = ranged(12, 0)
    """Rounds of averaging over the edges of the mesh: the nearest of what is seen counts most."""
    wide_rounds: int = ranged(3, 0)
    """Rounds over those of the base mesh (some 7 mm) where nothing is seen so near."""
    wide: float = ranged(0.1, 0.0)
    """How much these count, compared with the near ones."""
    fitted: float = ranged(0.01, 0.0)
    """How much the fitted colour counts, which decides where nothing is seen at all."""
    most: float = ranged(0.3, 0.0)
    """Natural logarithm of a factor that no surroundings exceed: light that was not explained."""


def surroundings(
    detail: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: InfillSettings,
) -> Float[Tensor, "vertices 3"]:
    """What the skin seen about each vertex is like on average, 0 far from all that is seen.

    Normalised convolution (Knutsson and Westin 1993) at two widths.

    Args:
        detail: natural logarithm of the photo's reflectance, without folds, over the fitted one
            with its tint.
        seen: how well the photo shows each vertex as the face's own.
        model: for its regions.
        edges: between the vertices of its surface.
        settings: how far surroundings go on.
    """
    other = region(model, "brows", "lips", "eyes", "scalp")
    skin = (1 - other) * ramp(model.regions["face"], (0.2, 0.6))
    weight = seen * skin
    bounded = detail.clamp(-2 * settings.most, 2 * settings.most)
    near = averaged(
        torch.cat([bounded * weight[:, None], weight[:, None]], 1), edges, settings.near_rounds
    )
    broad = averaged(near[: model.surface.n_base], base_edges(model), settings.wide_rounds)
    sums = near + settings.wide * model.surface.lift(broad)
    around = sums[:, :3] / (sums[:, 3:] + settings.fitted).clamp_min(1e-9)
    return around.clamp(-settings.most, settings.most) * skin[:, None]
