"""How densely the scalp is grown over, where photos show it and where they do not.

What is seen of it says what the rest is like: the other side is its mirror image, hair above the
ears goes on around the back, and a bald forehead goes on over the crown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.smoothing import ramp
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class HairCoverSettings(Settings):
    """What is taken from the photo, and how far: judgements by looking, not measurements."""

    grazing: tuple[float, float] = (0.1, 0.35)
    """Cosine of the angle between normal and view from which a place tells of its hair, and from
    which it does so wholly."""
    grown: tuple[float, float] = ranged((0.25, 0.75), 0.0, 1.0)
    """Probabilities of hair between which a place is bare, and grown over."""
    reach_mm: float = 12.0
    """What is seen nearer than this counts alike."""
    rise: float = 2.5
    """How much farther than around the head a place is, for the same way, up the head."""
    mirrored: float = ranged(0.3, 0.0, 1.0)
    """How much the other side says, compared with the side itself."""
    likely: tuple[float, float] = ranged((0.15, 0.5), 0.0, 1.0)
    """What the seen places say of the others, from which these are grown over, and wholly so."""
    any_hair: tuple[float, float] = ranged((0.15, 0.3), 0.0, 1.0)
    """Shares of the seen scalp that hair covers from which there is some, and surely so."""
    unseen: float = ranged(0.5, 0.0, 1.0)
    """How densely hair grows where no photo shows any of the scalp: a hat, an edge."""


@dataclass(frozen=True)
class Sight:
    """What one photo tells of each vertex."""

    hair: Float[Tensor, "vertices"]
    """Probability of hair."""
    weight: Float[Tensor, "vertices"]
    """How well it is seen, 0..1."""


def hair_cover(
    sights: Sequence[Sight], model: MorphableModel, settings: HairCoverSettings
) -> Float[Tensor, "vertices"]:
    """How densely hair grows on each vertex of the scalp, 0..1, by all photos.

    Args:
        sights: of the photos.
        model: the one that was fitted.
        settings: what is taken from them.
    """
    total = torch.stack([one.weight for one in sights]).sum(0)
    hair = torch.stack([one.weight * ramp(one.hair, settings.grown) for one in sights]).sum(0)
    hair = hair / total.clamp_min(1e-6)
    sure = torch.stack([one.weight for one in sights]).amax(0)
    rows, kernel = _kernel(model, settings)
    # The skin beside the hairline says nothing of a bald head.
    within = model.regions["scalp"][: model.surface.n_base][rows]
    seen = sure[: model.surface.n_base][rows] * ramp(within, (0.5, 0.95))
    if float(seen.sum()) < 3:
        return torch.full_like(hair, settings.unseen)
    # A few odd places on a bald head are no hair.
    share = (seen * hair[: model.surface.n_base][rows]).sum() / seen.sum()
    hair = hair * ramp(share, settings.any_hair)
    base = torch.zeros_like(model.mean_mm[:, :1])
    values = hair[: model.surface.n_base][rows]
    base[rows, 0] = (kernel @ (seen * values)) / (kernel @ seen).clamp_min(1e-12)
    likely = ramp(model.surface.lift(base)[:, 0], settings.likely)
    return torch.lerp(likely, hair, sure)


@kept(most=1)
def _kernel(
    model: MorphableModel, settings: HairCoverSettings
) -> tuple[Tensor, Float[Tensor, "scalp scalp"]]:
    """Vertices of the base mesh on and beside the scalp, and how much each says of the others.

    Shepard's interpolation (1968): by the inverse fourth power of the distance.
    """
    mean = model.mean_mm
    near = _beside_scalp(model)
    rows = near.nonzero()[:, 0]
    around = mean[rows] * mean.new_tensor([1.0, settings.rise, 1.0])

    def says(points: Tensor) -> Tensor:
        return (torch.cdist(around, points).square() + settings.reach_mm**2) ** -2

    across = around * around.new_tensor([-1.0, 1.0, 1.0])
    return rows, says(around) + settings.mirrored * says(across)


def _beside_scalp(model: MorphableModel) -> Bool[Tensor, "base"]:
    return model.regions["scalp"][: model.surface.n_base] > 0.02
