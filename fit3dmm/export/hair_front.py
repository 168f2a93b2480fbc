"""The front of a head in polar coordinates about its skull: where hair over the forehead is looked
for, and where it is laid.

Columns are azimuths from the subject's right to the left, rows are elevations from the top down.
A place lies on the mean head, between three vertices of it, so that it is the same place on all.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import Delaunay
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_raised import skull
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import choose_backend

# Degrees beyond the grid in which vertices count.
_MARGIN_DEG = 12.0
# Cosine between a normal and the direction from the middle: what is less is a fold within.
_OUTWARD = 0.2


@dataclass(frozen=True)
class FrontSettings(Settings):
    """Where the grid lies: the brows are at some -3 degrees, the scalp begins at 31 in the middle
    and at 14 over the temples."""

    sideways_deg: float = ranged(58.0, 10.0, 80.0)
    """Azimuth of the outermost columns."""
    top_deg: float = ranged(56.0, 35.0, 75.0)
    """Elevation of the first row."""
    bottom_deg: tuple[float, float] = ranged((-5.0, 6.0), -60.0, 20.0)
    """That of the last one over the nose, and before the ears."""
    beside_deg: tuple[float, float] = ranged((28.0, 58.0), 0.0)
    """Azimuths between which it goes from the first to the second: beside the eyes hair is the
    scalp's, or hangs down to the chin."""
    columns: int = ranged(97, 9)
    rows: int = ranged(64, 9)


@dataclass(frozen=True, eq=False)
class Front:
    """Places of the grid."""

    azimuth_deg: Float[np.ndarray, "columns"]
    elevation_deg: Float[np.ndarray, "rows columns"]
    vertex: Int[Tensor, "places 3"]
    """Of the model's surface, about each place; row by row."""
    share: Float[Tensor, "places 3"]

    def at(self, values: Float[Tensor, "vertices c"]) -> Float[Tensor, "places c"]:
        """Values of the vertices there."""
        return (values[self.vertex] * self.share[..., None].to(values)).sum(1)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.elevation_deg.shape
        return rows, columns


@kept(most=2)
def front(model: MorphableModel, settings: FrontSettings) -> Front | None:
    """The grid on a model's head; None where it has no such head.

    Args:
        model: the one that was fitted.
        settings: where it lies.
    """
    if "scalp" not in model.regions:
        return None
    points = model.shape_mm(model.zeros())
    middle, _ = skull(model)
    away = points - middle
    normals = choose_backend("auto", points.device).vertex_normals(points, model.surface.topology)
    outward = (torch.nn.functional.normalize(away, dim=-1) * normals).sum(-1) > _OUTWARD
    x, y, z = away.double().cpu().numpy().T
    azimuth, elevation = np.degrees(np.arctan2(x, z)), np.degrees(np.arctan2(y, np.hypot(x, z)))
    low = min(settings.bottom_deg) - _MARGIN_DEG
    used = model.in_parts("skin") & outward
    used = used.cpu().numpy() & (np.abs(azimuth) < settings.sideways_deg + _MARGIN_DEG)
    used = np.flatnonzero(used & (elevation > low))
    if len(used) < 4:
        return None
    columns = np.linspace(-settings.sideways_deg, settings.sideways_deg, settings.columns)
    nose, ears = settings.beside_deg
    over, beside = settings.bottom_deg
    share = np.clip((np.abs(columns) - nose) / (ears - nose), 0, 1)
    last = over + share * (beside - over)
    down = np.linspace(0, 1, settings.rows)[:, None]
    elevations = settings.top_deg + down * (last - settings.top_deg)
    places = np.stack([np.broadcast_to(columns, elevations.shape), elevations], -1).reshape(-1, 2)
    net = Delaunay(np.stack([azimuth[used], elevation[used]], 1))
    triangle = net.find_simplex(places)
    if (triangle < 0).any():
        return None
    turned = net.transform[triangle]
    two = np.einsum("nij,nj->ni", turned[:, :2], places - turned[:, 2])
    shares = np.concatenate([two, 1 - two.sum(1, keepdims=True)], 1)
    vertex = torch.from_numpy(used[net.simplices[triangle]]).to(points.device)
    return Front(columns, elevations, vertex, torch.from_numpy(shares).float().to(points.device))
