import numpy as np
import pytest
import scipy.sparse as sp

from fit3dmm._errors import InputError
from fit3dmm.evaluate.nonrigid import Deformation
from fit3dmm.geometry.subdivision import unique_edges


def strip(n=12):
    vertices = np.array([[k // 2 * 1.0, k % 2, 0.1 * (k // 2) ** 2] for k in range(2 * n)])
    triangles = [[k, k + 1, k + 2] if k % 2 == 0 else [k + 1, k, k + 2] for k in range(2 * n - 2)]
    return vertices, np.array(triangles)


def test_edges_by_hand():
    edges = unique_edges(np.array([[0, 1, 2], [2, 1, 3]]))[0]
    np.testing.assert_array_equal(edges, [[0, 1], [0, 2], [1, 2], [1, 3], [2, 3]])


def test_an_affine_motion_costs_nothing():
    vertices, triangles = strip()
    linear = np.array([[1.1, 0.2, 0], [0, 0.9, 0.1], [0.1, 0, 1.3]])
    target = vertices @ linear + [3, -2, 1]
    bend = Deformation(len(vertices), unique_edges(triangles)[0])
    affine = bend.solve(vertices, 50.0, np.ones(4), np.ones(len(vertices)), target)
    np.testing.assert_allclose(bend.apply(vertices, affine), target, atol=1e-8)


def test_agrees_with_the_stacked_least_squares():
    """The normal equations, and the conjugate gradients of later steps, against the definition."""
    vertices, triangles = strip()
    rng = np.random.default_rng(0)
    edges, n = unique_edges(triangles)[0], len(vertices)
    bend = Deformation(n, edges)
    source = vertices
    for step in range(4):
        axes, weight = np.array([2.0, 2, 3, 2]), rng.uniform(0, 2, n)
        target = source + 0.1 * rng.normal(size=(n, 3))
        ours = bend.solve(source, 5.0, axes, weight, target)
        incidence = sp.lil_matrix((len(edges), n))
        for row, (i, j) in enumerate(edges):
            incidence[row, i], incidence[row, j] = -1, 1
        stiff = 5.0 * sp.kron(incidence, sp.diags(axes)).toarray()
        data = np.zeros((n, 4 * n))
        for i in range(n):
            data[i, 4 * i : 4 * i + 4] = weight[i] * np.append(source[i], 1)
        stacked = np.concatenate([stiff, data])
        right = np.concatenate([np.zeros((len(stiff), 3)), weight[:, None] * target])
        theirs = np.linalg.lstsq(stacked, right, rcond=None)[0]
        np.testing.assert_allclose(ours, theirs, atol=1e-5, err_msg=f"step {step}")
        source = bend.apply(source, ours)


def test_pieces_are_refused():
    with pytest.raises(InputError, match="got 2"):
        Deformation(4, np.array([[0, 1], [2, 3]]))
