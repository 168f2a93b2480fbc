"""Shadows that fall on one side of a face, taken out of its texture.

Harmonics are too smooth for the shadow that a nose casts on a cheek or a lip, and what they leave
of it is a dark patch under any other light. Faces are alike on both sides, but for what is small:
where a patch is darker than its mirror image, and than the face, it lies in the dark. Brows are
left alone: one is raised higher than the other.
"""

from dataclasses import dataclass

from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import LUMINANCE
from fit3dmm.export.regions import region
from fit3dmm.export.smoothing import broad_sums, ramp
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class ShadowSettings(Settings):
    """What a shadow is, and how much of it goes: judgements by looking, not measurements."""

    fine_rounds: int = ranged(4, 0)
    """Rounds of averaging over the edges of the mesh before its coarse ones are taken."""
    broad_rounds: int = ranged(1, 0)
    """Rounds over those of the base mesh (some 7 mm): what is smaller is a mark, and stays."""
    darker: tuple[float, float] = ranged((0.15, 0.35), 0.0)
    """Natural logarithm by which a patch is darker than the other side's from which it may lie in a
    shadow, and does."""
    removed: float = ranged(0.85, 0.0, 1.0)
    """Share of the difference that is taken out."""
    seen: tuple[float, float] = ranged((0.2, 0.5), 0.0, 1.0)
    """How well the other side must be seen to say anything, and to be believed."""


def shadow(
    log_ratio: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: ShadowSettings,
) -> Float[Tensor, "vertices 3"]:
    """Natural logarithm of what shadows leave of the light that was fitted; 0 where none falls.

    Args:
        log_ratio: natural logarithm of the photo's reflectance, without folds, over the fitted one
            with its tint.
        seen: how well the photo shows each vertex as the face's own.
        model: for its mirror.
        edges: between the vertices of its surface.
        settings: what a shadow is.
    """
    bare = 1 - region(model, "brows")
    to_light = log_ratio.new_tensor(LUMINANCE)
    rounds = (settings.fine_rounds, settings.broad_rounds)
    sums = broad_sums(log_ratio, seen * bare, model, edges, rounds)
    broad = sums[:, :3] / sums[:, 3:].clamp_min(1e-3)
    other = model.surface.base_mirror.long()
    light = broad @ to_light
    # What shines on the other side makes no shadow of this one.
    below = (light[other].clamp_max(0) - light).clamp_min(0)
    sure = ramp(sums[:, 3], settings.seen) * ramp(sums[other, 3], settings.seen)
    share = settings.removed * ramp(below, settings.darker) * sure
    # Light that reaches a shadow has gone through skin: it is redder.
    hue = (broad - light[:, None]) - (broad - light[:, None])[other]
    dark = share[:, None] * (hue - below[:, None])
    return bare[:, None] * model.surface.lift(dark)
