"""Regions of a model's head by name, and how far from them each vertex of the mean head lies."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.model.morphable import MorphableModel


def region(model: MorphableModel, *names: str) -> Float[Tensor, "vertices"]:
    """How far each vertex belongs to any of some regions, 0..1; 0 for those that a model lacks."""
    none = torch.zeros_like(model.regions["face"])
    return torch.stack([model.regions.get(name, none) for name in names]).amax(0)


@kept(most=4)
def to_region_mm(
    model: MorphableModel, name: str, without_mm: float = math.inf
) -> Float[Tensor, "vertices"]:
    """Millimetres from each vertex to a region, on the mean head; `without_mm` if it has none."""
    base, inside = model.mean_mm, region(model, name)
    places = base[inside[: len(base)] > 0.5]
    if not len(places):
        return torch.full_like(inside, without_mm)
    return model.surface.lift(torch.cdist(base, places).amin(1)[:, None])[:, 0]
