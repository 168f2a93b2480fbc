import numpy as np
import pytest

from fit3dmm.model.files import load_model
from fit3dmm.synthetic.fast.folds import folds_of
from fit3dmm.synthetic.fast.sitters import gather_sitters
from fit3dmm.synthetic.fast.strands import Growth, grow, hair_style, ribbons


@pytest.fixture(scope="module")
def sitters():
    return gather_sitters(load_model(level=1), ("mediapipe478",), deformed=False)


def test_hair_stands_outside_the_head(sitters):
    hair = hair_style(sitters, np.random.default_rng(2))
    tree, rows = sitters.skin_tree
    ends = hair.points_mm[:, 1:].reshape(-1, 3)
    near = rows[tree.query(ends)[1]]
    above = ((ends - sitters.mean_mm[near]) * sitters.normals[near]).sum(axis=1)
    # Between vertices some 4 mm apart the skin bulges by a few tenths.
    assert np.quantile(above, 0.01) > -0.5


def test_hair_that_hangs_ends_below_its_roots(sitters):
    growth = Growth(100.0, 8, 200, 1.0, gravity=1.0, lift_mm=3.0)
    hair = grow(sitters, sitters.regions["scalp"], growth, np.random.default_rng(0))
    drop = hair.points_mm[:, 0, 1] - hair.points_mm[:, -1, 1]
    assert np.median(drop) > 40
    steps = np.linalg.norm(np.diff(hair.points_mm, axis=1), axis=2).sum(axis=1)
    assert np.median(steps) == pytest.approx(100, rel=0.1)


def test_hair_moves_with_the_skin_under_it(sitters):
    growth = Growth(20.0, 4, 50, 1.0, 0.3, 2.0)
    hair = grow(sitters, sitters.regions["scalp"], growth, np.random.default_rng(0))
    camera, centre = np.array([0.0, 0, 800]), sitters.mean_mm.mean(axis=0)
    still = ribbons(hair, np.zeros_like(sitters.mean_mm), camera, centre)[0]
    moved = ribbons(hair, np.full_like(sitters.mean_mm, 5.0), camera + 5, centre + 5)[0]
    np.testing.assert_allclose(moved - still, 5.0, atol=1e-3)


def test_ribbons_face_the_camera(sitters):
    growth = Growth(20.0, 4, 50, 2.0, 0.3, 2.0)
    hair = grow(sitters, sitters.regions["scalp"], growth, np.random.default_rng(0))
    camera, centre = np.array([0.0, 0, 800.0]), sitters.mean_mm.mean(axis=0)
    points, triangles, normals, shade = ribbons(
        hair, np.zeros_like(sitters.mean_mm), camera, centre
    )
    pairs = points.reshape(-1, 2, 3)
    across, towards = pairs[:, 1] - pairs[:, 0], camera - pairs.mean(axis=1)
    cosine = (across * towards).sum(axis=1) / np.linalg.norm(across, axis=1)
    assert np.abs(cosine / np.linalg.norm(towards, axis=1)).max() < 1e-3
    assert triangles.max() == len(points) - 1 == len(shade) - 1
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-4)


def test_a_smile_folds_the_cheeks_of_the_old_deeper(sitters):
    points = sitters.landmarks68_mm(sitters.mean_mm)
    folds = folds_of(sitters.mean_mm, points, sitters.outer)
    depths = [
        folds.depth_mm(age, {"mouthSmile": smile}, np.random.default_rng(0)).max()
        for age, smile in ((0.0, 0.0), (0.0, 1.0), (1.0, 1.0))
    ]
    assert depths[0] < depths[1] < depths[2] < 4
