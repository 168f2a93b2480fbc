"""The graph of a mesh's edges as sparse matrices, on which values and shapes are smoothed."""

import numpy as np
import scipy.sparse as sp
from jaxtyping import Int


def edge_graph(edges: Int[np.ndarray, "edges 2"], n_vertices: int) -> sp.csr_array:
    """(n, n) symmetric matrix: 1 where two vertices share an edge.

    Args:
        edges: each once, as `subdivision.unique_edges` gives them.
    """
    ones = np.ones(len(edges))
    half = sp.coo_array((ones, (edges[:, 0], edges[:, 1])), shape=(n_vertices, n_vertices)).tocsr()
    return half + half.T


def laplacian(graph: sp.csr_array) -> sp.csr_array:
    """(n, n) matrix L of a weighted graph: x^T L x is the sum over its edges of the weight times
    the squared difference of their ends."""
    return sp.csr_array(sp.diags_array(np.asarray(graph.sum(axis=1)).ravel()) - graph)
