"""Learning the detector's errors: what was put in comes out."""

import numpy as np
import pytest
import torch

from detector.pictures import take_pictures
from fit3dmm.energy.detected import view_features
from fit3dmm.fitting.learn_errors import (
    VIEWS_DEG,
    Seen,
    learn_errors,
    mirror_of,
    score_basis,
    stack,
    with_mirror_images,
)

N = 40


@pytest.fixture(scope="module")
def face():
    """Points of a symmetric face, and for each the one on the other side."""
    half = np.random.default_rng(0).normal(size=(N // 2, 3)) * [30, 50, 20] + [40, 0, 0]
    points = np.concatenate([half, half * [-1, 1, 1]])
    return points, np.roll(np.arange(N), N // 2)


def faces(face, n: int, seed: int) -> tuple[Seen, np.ndarray]:
    """Faces in all views with linear errors, and the part of the errors that is no noise."""
    points, mirror = face
    rules, rng = np.random.default_rng(1), np.random.default_rng(seed)
    shapes = symmetric(rules.normal(size=(3, N, 3)), mirror, 3)
    weights = rng.normal(size=(n, 3))
    true_mm = points + np.einsum("fk,kpx->fpx", weights, shapes)
    yaw = rng.uniform(-1.1, 1.1, n)
    pitch = rng.uniform(-0.3, 0.3, n)
    forward = np.stack(
        [np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1
    )
    by_shape = symmetric(rules.normal(size=(3, N, 2)), mirror, 2)
    by_height = symmetric(2 * rules.normal(size=(1, N, 2)), mirror, 2)[0]
    mode = symmetric(rules.normal(size=(1, N, 2)), mirror, 2)[0]
    error = np.einsum("fk,kpx->fpx", weights, by_shape) + forward[:, 1, None, None] * by_height
    random = rng.normal(size=(n, 1, 1)) * mode + 0.1 * rng.normal(size=(n, N, 2))
    return Seen(error + random, true_mm, forward, rng.uniform(500, 2000, n)), error


def symmetric(fields: np.ndarray, mirror: np.ndarray, axes: int) -> np.ndarray:
    flip = np.array([-1.0, 1.0, 1.0])[:axes]
    return (fields + (fields * flip)[:, mirror]) / 2


def test_linear_errors_are_found(face):
    points, mirror = face
    errors, views = learn_errors(faces(face, 3000, 2)[0], points, mirror)
    seen, wanted = faces(face, 200, 3)
    view = VIEWS_DEG.index(20.0)
    near = np.abs(seen.yaw_deg - 20) < 10
    scores = np.einsum(
        "spx,fpx->fs", errors.score_basis.numpy(), seen.points_mm[near] - points, dtype=float
    )
    features = view_features(
        torch.from_numpy(seen.forward[near, :2]), torch.from_numpy(seen.distance_mm[near])
    ).numpy()
    found = (
        errors.bias_mm[view].numpy()
        + np.einsum("fs,pxs->fpx", scores, errors.by_score_mm[view].numpy())
        + np.einsum("fs,pxs->fpx", features, errors.by_view_mm[view].numpy())
    )
    off = np.sqrt(((found - wanted[near]) ** 2).mean() / (wanted[near] ** 2).mean())
    assert off < 0.1
    # One mode stands out, and beside it is the noise.
    sizes = torch.linalg.svdvals(errors.modes[view].flatten(0, 1))
    assert sizes[0] > 5 * sizes[1]
    assert views[view].rms_mm[0] > views[view].rms_mm[1] > views[view].rms_mm[2]
    assert views[view].sigma.max() < 0.15


def test_views_of_both_sides_are_mirror_images(face):
    points, mirror = face
    errors, _ = learn_errors(faces(face, 600, 4)[0], points, mirror)
    flip = torch.tensor([-1.0, 1.0])
    for view in range(len(VIEWS_DEG)):
        image = (errors.bias_mm[-1 - view] * flip)[mirror]
        # Which faces are left out as mistakes may differ by one.
        assert torch.allclose(errors.bias_mm[view], image, atol=5e-3)


def test_a_mirror_image_twice_is_the_face(face):
    seen, _ = faces(face, 5, 5)
    both = with_mirror_images(seen, face[1])
    again = with_mirror_images(both, face[1])
    np.testing.assert_allclose(again.error_mm[15:], seen.error_mm)
    np.testing.assert_allclose(again.points_mm[15:], seen.points_mm)
    np.testing.assert_allclose(both.yaw_deg[5:], -seen.yaw_deg)


def test_scores_have_unit_size():
    offset = np.random.default_rng(6).normal(size=(500, 30)) * np.linspace(5, 0.1, 30)
    scores = offset @ score_basis(offset).T
    np.testing.assert_allclose(np.sqrt((scores**2).mean(axis=0)), 1, rtol=1e-6)


def test_mirror_of_a_lopsided_face_is_refused(face):
    np.testing.assert_array_equal(mirror_of(face[0]), face[1])
    with pytest.raises(ValueError, match="not symmetric"):
        mirror_of(face[0] + [15.0, 0, 0])


def test_pictures_do_not_depend_on_how_many_there_are():
    few, more = (
        stack([one for _, block in take_pictures("commons", n, 7, 1) for one in block])
        for n in (3, 5)
    )
    np.testing.assert_array_equal(few.error_mm, more.error_mm[: len(few.error_mm)])
    assert few.error_mm.shape[1:] == (468, 2)
    # The detector sees rendered people to some millimetres.
    assert 0.3 < np.sqrt((more.error_mm**2).mean()) < 8
