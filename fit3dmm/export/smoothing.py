"""Values on vertices made smooth: ramps, averages over neighbours, weights that fade."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.geometry.smoothstep import smoothstep


def ramp(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """0 below the first end, 1 above the second, smooth between."""
    return smoothstep(values, *ends)


def averaged(
    values: Float[Tensor, "vertices c"], edges: Int[Tensor, "edges 2"], rounds: int
) -> Float[Tensor, "vertices c"]:
    """Each vertex takes the mean of its neighbours and itself, some times over."""
    a, b = edges.long().unbind(-1)
    one = torch.ones_like(values[:, :1])
    count = one.index_add(0, a, one[b]).index_add(0, b, one[a])
    for _ in range(rounds):
        values = values.index_add(0, a, values[b]).index_add(0, b, values[a]) / count
    return values


def feathered(
    weight: Float[Tensor, "vertices"], edges: Int[Tensor, "edges 2"], rounds: int
) -> Float[Tensor, "vertices"]:
    """Weights that are 0 where they were and near there, and rise inwards over some edges."""
    smooth = weight
    for _ in range(rounds):
        smooth = torch.minimum(averaged(smooth[:, None], edges, 1)[:, 0], smooth)
    return smooth
