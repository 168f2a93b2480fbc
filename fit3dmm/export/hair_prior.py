"""What a cell of the map of hair may show, and how likely: by where the fitted head lies, and by
what the network saw."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt, uniform_filter
from scipy.spatial import KDTree
from torch import Tensor

from fit3dmm.export.covered import below_nose
from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.regions import region, to_region_mm
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import BACKGROUND, HAIR, OTHER, SKIN, Predicted

_SIDES = 3


class Kind(IntEnum):
    """What a cell may show. Hair is seen in the light and in the shade of other hair. What is
    behind looks otherwise to the left, above and to the right: three kinds, from `BEHIND` on."""

    SKIN = 0
    LIT = 1
    SHADE = 2
    CLOTHES = 3
    BEHIND = 4


N_KINDS = Kind.BEHIND + _SIDES
OF_HAIR = [Kind.LIT, Kind.SHADE]


@dataclass(frozen=True)
class PlacedPriors:
    """What each cell shows, as far as its place tells."""

    prior: Float[np.ndarray, "kinds n n"]
    """Of each kind, not yet divided by their sum."""
    sure: Bool[np.ndarray, "n n"]
    """Surely skin."""
    away_mm: Float[np.ndarray, "n n"]
    """From the head, in the picture."""
    on_scalp: Bool[np.ndarray, "n n"]
    """Where the fitted head has its scalp, or where hair stands off it."""
    vertex: Int[np.ndarray, "n n"]
    """Of the head's outside, that is nearest in the picture."""


def placed_priors(
    model: MorphableModel,
    T_map_photo: Similarity,
    photo_px: Float[Tensor, "vertices 2"],
    facing: Float[Tensor, "vertices"],
    mm_per_cell: float,
    n: int,
    settings: HairMapSettings,
) -> PlacedPriors:
    """What each of `n` x `n` cells shows, as far as its place tells.

    Args:
        model: the one that was fitted.
        T_map_photo: to the map, whose cells are of side 1.
        photo_px: where the photo shows the model's vertices.
        facing: cosine between their normals and the view.
        mm_per_cell: of the head in the map.
        n: side of the map.
        settings: what is taken for hair.
    """
    places = (T_map_photo @ photo_px).cpu()

    def splat(shown: Tensor, values: Tensor, beyond: float) -> np.ndarray:
        at = places[shown].long().clamp(0, n - 1)
        filled = torch.full((n * n,), beyond)
        rows = at[:, 1] * n + at[:, 0]
        return filled.scatter_reduce(0, rows, values[shown].cpu(), "amin").reshape(n, n).numpy()

    seen = facing > 0.05
    outer, beyond = head_outside(model) & seen, 1e3
    near = splat(outer, to_region_mm(model, "scalp"), beyond)
    on_head = uniform_filter((near < beyond).astype(np.float32), 3) > 0.3
    nearest: Any = distance_transform_edt(near >= beyond, return_indices=True)
    holes, (row, column) = nearest
    near, away_mm = near[row, column], holes * mm_per_cell * ~on_head
    bearded = splat(outer, 1 - below_nose(model), 1.0)[row, column] < 0.5
    neck = region(model, "neck") > 0.5
    on_neck = uniform_filter(splat(neck & seen, 0 * facing, 1.0), 3) < 0.7
    on_neck &= ~on_head
    core = splat(_core(model) & (facing > 0.4), 0 * facing, 1.0) < 0.5
    chin = float(places[outer, 1].max())
    low = np.clip((np.arange(n)[:, None] + 0.5 - chin) * mm_per_cell / 20.0, 0, 1)
    down, out = settings.reach_mm
    on_face = np.where(bearded, settings.beard, settings.on_face)
    hair = np.where(
        on_head,
        settings.on_scalp * np.exp(-((near / down) ** 2)) + on_face,
        0.6 * np.exp(-away_mm / out) * np.exp(-near / 150.0) * (1 - 0.7 * low),
    )
    skin = np.where(on_head, 1 - hair, 0.3 * np.exp(-((away_mm / 4.0) ** 2)))
    skin, hair = np.where(on_neck, 0.8, skin), np.where(on_neck, 0.08, hair)
    clothes = np.where(on_head, 0.01, low * (1 - skin - hair)).clip(0.0)
    behind = np.where(on_head | on_neck, 0.02, 1 - hair - skin - clothes).clip(0.02)
    middle = places[outer].mean(0)
    column = np.arange(n)[None] + 0.5 - float(middle[0])
    row = np.minimum(np.arange(n)[:, None] + 0.5 - float(middle[1]), 0)
    # Shares of the sides, with soft borders.
    sides = np.stack([-column + 0 * row, -row + 0 * column, column + 0 * row])
    sides = np.exp((sides - sides.max(0)) / (0.1 * n))
    behind = behind * sides / sides.sum(0)
    prior = np.stack([skin, hair / 2, hair / 2, clothes, *behind])
    return PlacedPriors(prior, core, away_mm, near < 10.0, _nearest(places, outer, n))


def _nearest(places: Tensor, shown: Tensor, n: int) -> Int[np.ndarray, "n n"]:
    """The vertex that is seen nearest to the middle of each cell."""
    rows = torch.nonzero(shown)[:, 0].cpu().numpy()
    middles = np.stack(np.meshgrid(*[np.arange(n) + 0.5] * 2, indexing="xy"), -1)
    return rows[KDTree(places.numpy()[rows]).query(middles)[1]]


def told_by_network(
    predicted: Predicted, T_map_photo: Similarity, n: int
) -> Float[np.ndarray, "kinds n n"]:
    """What the network makes of each cell; beyond what it saw, nothing."""
    grid = (torch.stack(torch.meshgrid(torch.arange(n), torch.arange(n), indexing="xy"), -1)) + 0.5
    photo_px = T_map_photo.inverse() @ grid.reshape(-1, 2)
    cover = predicted.cover_at(photo_px)
    seen = predicted.looked_at(photo_px)
    told = cover[[SKIN, HAIR, HAIR, OTHER, *[BACKGROUND] * _SIDES]]
    told = torch.where(seen, told, torch.ones_like(told))
    return told.reshape(N_KINDS, n, n).numpy()


def head_outside(model: MorphableModel) -> Bool[Tensor, "vertices"]:
    """Vertices of the head's outside, without the neck."""
    outer = (1 - region(model, "eyes")) * (1 - region(model, "mouth_interior"))
    return (outer > 0.5) & (region(model, "neck") < 0.5)


def _core(model: MorphableModel) -> Tensor:
    """Skin that is neither near hair nor brows, lips or a beard."""
    skin = model.regions["face"] * model.regions["skin"] * (1 - below_nose(model))
    return (skin > 0.9) & (to_region_mm(model, "scalp") > 35)
