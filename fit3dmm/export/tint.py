"""How a photo's skin differs from the fitted albedo at large: a smooth field over the head."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float
from scipy.sparse.linalg import SuperLU, splu

from fit3dmm._kept import kept
from fit3dmm._settings import Settings
from fit3dmm.geometry.edge_graph import edge_graph, laplacian
from fit3dmm.geometry.subdivision import unique_edges
from fit3dmm.model.surface import Surface


@dataclass(frozen=True)
class TintSettings(Settings):
    """How smooth the tint is, and what is none: judgements, not measurements."""

    reach_edges: float = 3.0
    """Differences over fewer edges of the base mesh than this (some 7 mm each) are detail."""
    outlier: float = 0.35
    """A natural logarithm of a colour ratio beyond this is hair, an object or a highlight, and
    counts a quarter."""
    rounds: int = 4
    """Times that outliers are found anew."""
    tether: float = 1e-5
    """Weight of the field's own square, which decides where nothing was seen at all."""


def smooth_tint(
    log_ratio: Float[np.ndarray, "vertices 3"],
    weight: Float[np.ndarray, "vertices"],
    surface: Surface,
    settings: TintSettings,
) -> Float[np.ndarray, "base 3"]:
    """The smooth field that explains what was seen, and goes on evenly where nothing was.

    It minimises the weighted squared differences plus those between neighbours on the base mesh
    (a membrane), with the weights of outliers lowered in a few rounds (Geman, McClure 1987).

    Args:
        log_ratio: natural logarithm of seen over fitted colour.
        weight: how well each vertex is seen; 0 for not.
        surface: whose vertices they are.
        settings: of the field.

    Returns:
        The field on the base mesh: `surface.lift` carries it to the surface.
    """
    lift, stiffness = _matrices(surface)
    per_base = len(weight) / surface.n_base
    membrane = settings.reach_edges**2 * stiffness + settings.tether * sp.eye_array(surface.n_base)
    # From the median of all: hair over a whole forehead must not count as its tint.
    seen = log_ratio[weight > 0.5 * weight.max(initial=0)]
    start = np.median(seen, axis=0) if len(seen) else np.zeros(log_ratio.shape[1])
    field = np.tile(start, (surface.n_base, 1))
    # Of most of a head a photo shows nothing.
    (counted,) = np.nonzero(weight > 0)
    lift, weight = lift[counted], weight[counted].astype(np.float64)
    sink, log_ratio = sp.csr_matrix(lift.T), log_ratio[counted].astype(np.float64)
    for _ in range(settings.rounds):
        distance = np.linalg.norm(log_ratio - lift @ field, axis=1) / settings.outlier
        robust = 1 / (1 + distance**2) ** 2
        w = weight * robust / per_base
        weighed = lift.copy()
        weighed.data *= np.repeat(w, np.diff(lift.indptr))
        system = _factorised(sp.csc_matrix(sink @ weighed + membrane))
        field = system.solve(sink @ (w[:, None] * log_ratio))
    return field.astype(np.float32)


def _factorised(matrix: sp.csc_matrix) -> SuperLU:
    """Of a symmetric positive matrix: an order made for those is seven times as fast to factorise,
    and such a matrix needs no pivots off its diagonal."""
    return splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )


@kept(most=1)
def _matrices(surface: Surface) -> tuple[sp.csr_matrix, sp.csr_array]:
    """From base to surface, and differences between neighbours."""
    edges = unique_edges(surface.base_faces.cpu().numpy())[0]
    return _lift_matrix(surface), laplacian(edge_graph(edges, surface.n_base))


def _lift_matrix(surface: Surface) -> sp.csr_matrix:
    if surface.operator is None:
        return sp.csr_matrix(sp.identity(surface.n_base))
    operator = surface.operator.cpu()
    values, columns, starts = operator.values(), operator.col_indices(), operator.crow_indices()
    arrays = (values.double().numpy(), columns.numpy(), starts.numpy())
    return sp.csr_matrix(arrays, shape=tuple(operator.shape))
