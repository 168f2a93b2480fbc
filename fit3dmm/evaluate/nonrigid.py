"""One step of non-rigid ICP: an affine transform a vertex, stiff along the mesh's edges.

B. Amberg, S. Romdhani, T. Vetter, "Optimal step nonrigid ICP algorithms for surface registration",
CVPR 2007, equation 12.
"""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Float, Int
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from fit3dmm._errors import InputError
from fit3dmm.geometry.edge_graph import edge_graph, laplacian

# Steps of conjugate gradients with the factors of an earlier matrix; after more of them new factors
# are the faster way.
_MOST_GRADIENT_STEPS = 12
# Of the right side: far below the six digits in which errors are told.
_RELATIVE_RESIDUAL = 1e-8


class Deformation:
    """Solves the steps on one mesh, and remembers its last factorisation to speed up the next step.

    The weights and the deformed points change little from step to step, so a few conjugate
    gradients, preconditioned with an earlier step's factors, replace most factorisations.
    """

    def __init__(self, n_vertices: int, edges: Int[np.ndarray, "edges 2"]) -> None:
        """Prepare.

        Raises:
            InputError: the mesh is in several pieces, so that a piece could move freely.
        """
        graph = edge_graph(edges, n_vertices)
        pieces, _ = connected_components(graph, directed=False)
        if pieces != 1:
            raise InputError(
                f"Expected a scan region in one connected piece, got {pieces}; keep the largest "
                "and drop vertices without triangles."
            )
        self._laplacian = laplacian(graph)
        self._n = n_vertices
        self._factors: SuperLU | None = None

    def solve(
        self,
        source: Float[np.ndarray, "vertices 3"],
        stiffness: float,
        axes: Float[np.ndarray, "4"],
        weight: Float[np.ndarray, "vertices"],
        target: Float[np.ndarray, "vertices 3"],
    ) -> Float[np.ndarray, "unknowns 3"]:
        """Least-squares transforms, four rows a vertex, which act on (x, y, z, 1).

        Minimises the sum of |stiffness * axes * (difference of transforms)|^2 over the edges and
        weight^2 * |moved - target|^2 over the vertices.

        Args:
            source: the vertices before they move.
            stiffness: how strongly neighbours are held to one transform.
            axes: how much each row of a transform takes part in that: three of the linear part, one
                shift.
            weight: how strongly each vertex is drawn, 0 for none.
            target: where each vertex is drawn.
        """
        n = self._n
        points = _homogeneous(source)
        squared = weight**2
        outer = squared[:, None, None] * points[:, :, None] * points[:, None, :]
        data = sp.bsr_matrix((outer, np.arange(n), np.arange(n + 1)), shape=(4 * n, 4 * n))
        matrix = (stiffness**2 * sp.kron(self._laplacian, sp.diags(axes**2)) + data).tocsc()
        pull = squared[:, None] * target
        right = (points[:, :, None] * pull[:, None, :]).reshape(4 * n, 3)
        if self._factors is not None:
            found = _conjugate_gradients(matrix, right, self._factors)
            if found is not None:
                return found
        # Symmetric and positive definite: no pivoting, and an order made for that.
        factors = splu(
            matrix,
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        self._factors = factors
        return factors.solve(right)

    def apply(
        self, source: Float[np.ndarray, "vertices 3"], affine: Float[np.ndarray, "unknowns 3"]
    ) -> Float[np.ndarray, "vertices 3"]:
        """Move each vertex by its transform."""
        return np.einsum("vi,vic->vc", _homogeneous(source), affine.reshape(self._n, 4, 3))


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)


def _conjugate_gradients(matrix, right: np.ndarray, factors: SuperLU) -> np.ndarray | None:
    """Solve for all columns at once; None where the factors are too far off to help."""
    solution = factors.solve(right)
    residual = right - matrix @ solution
    goal = _RELATIVE_RESIDUAL * np.linalg.norm(right, axis=0)
    direction = conditioned = factors.solve(residual)
    product = (residual * conditioned).sum(axis=0)
    for _ in range(_MOST_GRADIENT_STEPS):
        if (np.linalg.norm(residual, axis=0) <= goal).all():
            return solution
        mapped = matrix @ direction
        length = product / np.maximum((direction * mapped).sum(axis=0), 1e-300)
        solution = solution + length * direction
        residual = residual - length * mapped
        conditioned = factors.solve(residual)
        before, product = product, (residual * conditioned).sum(axis=0)
        direction = conditioned + product / np.maximum(before, 1e-300) * direction
    return None
