import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fit3dmm._errors import InputError
from fit3dmm.evaluate.realy_error import solve_similarity_l1
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.transform import Similarity


def random_similarity(seed, mirrored=False):
    rng = np.random.default_rng(seed)
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    if (np.linalg.det(rotation) < 0) != mirrored:
        rotation[:, 0] *= -1
    scale, shift = rng.uniform(0.1, 10), rng.normal(size=3) * 50
    return Similarity(*(torch.from_numpy(np.asarray(v)) for v in (rotation, shift, scale)))


def assert_same(a, b, atol=1e-9):
    np.testing.assert_allclose(a.scale, b.scale, rtol=1e-9)
    np.testing.assert_allclose(a.rotation, b.rotation, atol=atol)
    np.testing.assert_allclose(a.translation, b.translation, atol=1e-7)


@given(seed=st.integers(0, 10_000), n=st.integers(4, 40))
@settings(max_examples=40, deadline=None)
def test_both_solvers_undo_a_known_transform(seed, n):
    true = random_similarity(seed)
    points = np.random.default_rng(seed + 1).normal(size=(n, 3)) * 30
    for solve in (solve_similarity, solve_similarity_l1):
        assert_same(solve(points, true @ points), true)


def test_mirroring_only_where_it_is_asked_for():
    true = random_similarity(5, mirrored=True)
    points = np.random.default_rng(6).normal(size=(20, 3))
    assert_same(solve_similarity(points, true @ points, may_mirror=True), true)
    proper = solve_similarity(points, true @ points)
    assert np.linalg.det(proper.rotation) == pytest.approx(1)


def test_least_squares_beats_its_neighbours():
    """With noise no nearby transform is better: the definition of the solution."""
    rng = np.random.default_rng(7)
    source = rng.normal(size=(7, 3)) * 40
    target = random_similarity(8) @ source + rng.normal(size=(7, 3)) * 3

    def cost(s):
        return ((s @ source - target) ** 2).sum()

    best = solve_similarity(source, target)
    for seed in range(50):
        r = np.random.default_rng(seed)
        skew, _ = np.linalg.qr(np.eye(3) + 1e-3 * (lambda m: m - m.T)(r.normal(size=(3, 3))))
        skew = skew * np.sign(np.diag(skew))
        moved = Similarity(
            torch.from_numpy(skew) @ best.rotation,
            best.translation + torch.from_numpy(0.05 * r.normal(size=3)),
            best.scale * (1 + 1e-3 * r.normal()),
        )
        assert cost(best) < cost(moved)


def test_the_l1_scale_by_hand():
    """Offsets (±1, 0, 0), (0, ±1, 0) against (±2, 0, 0), (0, ±4, 0): 12 / 4, where least squares
    over the same rotation would also say 3; with (±2, ±1) pairs they differ."""
    source = np.array([[2.0, 0, 0], [-2, 0, 0], [0, 1, 0], [0, -1, 0]])
    target = np.array([[2.0, 0, 0], [-2, 0, 0], [0, 4, 0], [0, -4, 0]])
    assert float(solve_similarity_l1(source, target).scale) == pytest.approx(12 / 6)
    assert float(solve_similarity(source, target).scale) == pytest.approx((8 + 8) / 10)


def test_rigid_keeps_the_scale_and_the_flat_case_works():
    true = random_similarity(9)
    flat = np.random.default_rng(10).normal(size=(5, 3)) * [10, 10, 0]
    assert solve_similarity(flat, true @ flat, with_scale=False).scale == 1.0
    assert_same(solve_similarity(flat, true @ flat), true, atol=1e-7)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (np.zeros((2, 3)), "at least 3"),
        (np.outer(np.arange(5.0), [1, 2, 3]), "one line"),
        (np.full((5, 3), np.nan), "finite"),
    ],
)
def test_bad_points_get_a_sentence(source, sentence):
    with pytest.raises(InputError, match=sentence):
        solve_similarity(source, np.random.default_rng(0).normal(size=source.shape))
