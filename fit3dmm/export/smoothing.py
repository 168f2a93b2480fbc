"""Values on vertices made smooth: ramps, averages over neighbours, weights that fade."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.geometry.smoothstep import smoothstep
from fit3dmm.geometry.sparse import apply_sparse, sparse_matrix
from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.model.morphable import MorphableModel


def ramp(values: Tensor, ends: tuple[float, float]) -> Tensor:
    """0 below the first end, 1 above the second, smooth between."""
    return smoothstep(values, *ends)


def averaged(
    values: Float[Tensor, "vertices c"], edges: Int[Tensor, "edges 2"], rounds: int
) -> Float[Tensor, "vertices c"]:
    """Each vertex takes the mean of its neighbours and itself, some times over."""
    sums, count = _sums(edges, len(values))
    for _ in range(rounds):
        values = apply_sparse(sums, values) / count
    return values


@kept(most=1)
def base_edges(model: MorphableModel) -> Int[Tensor, "edges 2"]:
    """Those of a model's base mesh: the same tensor each time, which `averaged` knows again."""
    edges = torch.from_numpy(unique_edges(model.surface.base_faces.cpu().numpy())[0])
    return edges.to(model.mean_mm.device)


@kept(most=2)
def _sums(edges: Int[Tensor, "edges 2"], n: int) -> tuple[Tensor, Float[Tensor, "vertices 1"]]:
    """The matrix that adds neighbours and self, and how many these are."""
    here = torch.arange(n, device=edges.device)
    a, b = edges.long().unbind(-1)
    row, column = torch.cat([here, a, b]), torch.cat([here, b, a])
    order = row.argsort(stable=True)
    count = torch.bincount(row, minlength=n)
    starts = torch.nn.functional.pad(count.cumsum(0), (1, 0))
    ones = torch.ones(len(row), device=edges.device)
    return sparse_matrix(starts, column[order], ones, (n, n)), count[:, None].float()


def feathered(
    weight: Float[Tensor, "vertices"], edges: Int[Tensor, "edges 2"], rounds: int
) -> Float[Tensor, "vertices"]:
    """Weights that are 0 where they were and near there, and rise inwards over some edges."""
    smooth = weight
    for _ in range(rounds):
        smooth = torch.minimum(averaged(smooth[:, None], edges, 1)[:, 0], smooth)
    return smooth
