"""Hair that grows: it starts in the scalp, stays out of the head, and leaves the face free."""

import numpy as np
import pytest
from scipy.spatial import KDTree

from fit3dmm.geometry.triangle_mesh import Mesh, vertex_normals
from fit3dmm.synthetic import strands
from fit3dmm.synthetic.parts import Material

TONE = 0.3


@pytest.fixture(scope="module")
def head(commons):
    """Vertices, triangles, regions and the 68 points of the mean head."""
    mean = commons.zeros()
    regions = {name: weight.double().numpy() for name, weight in commons.regions.items()}
    return (
        commons.shape_mm(mean).double().numpy(),
        commons.surface.triangles.numpy(),
        regions,
        commons.landmarks_mm("ibug68", mean).double().numpy(),
    )


def grown(head, monkeypatch, name: str, fringe: bool = False, seed: int = 3):
    monkeypatch.setattr(strands, "_ODDS", {name: 1.0})
    return strands.strand_hair(*head, TONE, fringe, np.random.default_rng(seed))


def test_the_odds_of_all_styles_add_up():
    for odds in (strands._ODDS, strands._ODDS_DARK):
        assert sum(odds.values()) == pytest.approx(1.0)
        assert set(odds) <= {"bald", *strands.STYLES}


@pytest.mark.parametrize("name", ["buzz", "short", "long", "curly"])
def test_locks_grow_out_of_the_scalp_and_stay_out_of_head_and_face(name, head, monkeypatch):
    hair = grown(head, monkeypatch, name)
    vertices, triangles, regions, points = head
    _, locks = hair.parts
    style = strands.STYLES[name]
    ribbon = locks.vertices_mm.reshape(style.locks, style.steps, 2, 3)
    tree = KDTree(vertices)
    _, roots = tree.query(ribbon[:, 0].mean(axis=1))
    # Roots are strewn by a millimetre about vertices that hair grows on.
    assert (regions["scalp"][roots] > 0.02).mean() > 0.97
    # One that is strewn over the edge may lie nearest to the ear.
    assert (regions["ears"][roots] >= 0.98).mean() < 1e-3
    middle = ribbon[:, 1:].mean(axis=2).reshape(-1, 3)[::7]
    _, near = tree.query(middle)
    height = ((middle - vertices[near]) * vertex_normals(Mesh(vertices, triangles))[near]).sum(1)
    # Where a lock bends around an edge, is drawn to its strand or curls, it may dip in a little.
    assert np.quantile(height, 0.02) > -2.5 - style.curl_mm
    # Nothing hangs before eyes, nose and mouth.
    inner = points[27:68].mean(axis=0)
    seen = ribbon.reshape(-1, 3)
    beside = np.hypot(*(seen[:, :2] - inner[:2]).T)
    assert not ((beside < 25) & (seen[:, 2] > points[[36, 45], 2].mean())).any()


def test_long_hair_hangs_below_the_chin_and_short_hair_does_not(head, monkeypatch):
    lowest = {
        name: grown(head, monkeypatch, name).parts[1].vertices_mm[:, 1].min()
        for name in ("short", "long")
    }
    chin_y = head[3][8, 1]
    assert lowest["long"] < chin_y - 30
    assert lowest["short"] > chin_y - 30


def test_a_fringe_hangs_over_the_forehead_and_counts_as_an_occluder(head, monkeypatch):
    hair = grown(head, monkeypatch, "medium", fringe=True)
    *others, fringe = hair.parts
    assert fringe.hides
    assert not any(part.hides for part in others)
    points = head[3]
    brow_y, top_y = points[17:27, 1].mean(), head[0][:, 1].max()
    y = fringe.vertices_mm[:, 1]
    assert brow_y - 25 < np.quantile(y, 0.02) < brow_y + 25
    assert y.max() < top_y
    assert (fringe.material == Material.HAIR).all()


def test_the_same_numbers_give_the_same_hair_and_roots_only_darken_the_scalp(head, monkeypatch):
    one, again = (grown(head, monkeypatch, "short") for _ in range(2))
    for a, b in zip(one.parts, again.parts, strict=True):
        np.testing.assert_array_equal(a.vertices_mm, b.vertices_mm)
        np.testing.assert_array_equal(a.albedo_linear, b.albedo_linear)
    assert one.roots.max() <= 1
    assert one.roots[head[2]["scalp"] < 0.02].max() < 0.3
    assert grown(head, monkeypatch, "bald").parts == ()
