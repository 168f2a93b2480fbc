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
    values: Float[Tensor, "vertices *c"], edges: Int[Tensor, "edges 2"], rounds: int
) -> Float[Tensor, "vertices *c"]:
    """Each vertex takes the mean of its neighbours and itself, some times over."""
    sums, count = _sums(edges, len(values))
    columns = values.reshape(len(values), -1)
    for _ in range(rounds):
        columns = apply_sparse(sums, columns) / count
    return columns.reshape(values.shape)


def averaged_on_base(
    values: Float[Tensor, "vertices"], model: MorphableModel, rounds: int
) -> Float[Tensor, "vertices"]:
    """The same over the edges of the base mesh (some 7 mm)."""
    base = values[: model.surface.n_base, None]
    return model.surface.lift(averaged(base, base_edges(model), rounds))[:, 0]


def broad_sums(
    values: Float[Tensor, "vertices c"],
    weight: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    rounds: tuple[int, int],
) -> Float[Tensor, "base c_and_weight"]:
    """Averages of weighted values, and of the weights, first over the edges of the mesh and then
    over those of the base mesh; one over the other is the mean of what counts (normalised
    convolution, Knutsson and Westin 1993)."""
    weighted = torch.cat([values * weight[:, None], weight[:, None]], 1)
    fine = averaged(weighted, edges, rounds[0])[: model.surface.n_base]
    return averaged(fine, base_edges(model), rounds[1])


def with_rim(
    values: Float[Tensor, "vertices"],
    edges: Int[Tensor, "edges 2"],
    rounds: int,
    limits: tuple[float, float],
) -> Float[Tensor, "vertices"]:
    """Values with what lies beside them: where their averages pass the limits of a ramp."""
    return ramp(averaged(values, edges, rounds), limits).maximum(values)


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
        smooth = torch.minimum(averaged(smooth, edges, 1), smooth)
    return smooth
