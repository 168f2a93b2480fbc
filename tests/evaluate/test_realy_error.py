import json

import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.realy_error import REGIONS, align_globally, keypoints_on, region_error
from fit3dmm.geometry.triangle_mesh import Mesh
from tests.shared_data import shared


@pytest.fixture(scope="module")
def fixture():
    z = np.load(shared("fixtures/realy_ict.npz"))
    expected = json.loads(shared("fixtures/realy_ict_expected.json").read_text())
    bary = z["template_bary"]
    weights = np.concatenate([bary[:, 1:], 1 - bary[:, 1:].sum(axis=1, keepdims=True)], axis=1)
    prediction = Mesh(z["pred_v"], z["pred_f"])
    keypoints = keypoints_on(prediction, bary[:, 0].astype(np.int64), weights)
    vertices, keypoints = align_globally(prediction.vertices, keypoints, z["gt_k85"])
    return z, expected, Mesh(vertices, prediction.triangles), keypoints


def region_of(z, region):
    return Mesh(z[f"scan_{region}_v"], z[f"scan_{region}_f"])


@pytest.mark.parametrize("region", REGIONS)
def test_agrees_with_the_original_code(fixture, region):
    z, expected, prediction, keypoints = fixture
    found = region_error(region, region_of(z, region), z["gt_k85"], prediction, keypoints, 1.0)
    # The original casts to single precision between steps; nothing else differs.
    assert found.error_mm == pytest.approx(expected[region], rel=1e-5)
    np.testing.assert_allclose(found.aligned, z[f"expected_aligned_{region}"], atol=1e-5)


def test_the_unit_scales_the_result(fixture):
    z, expected, prediction, keypoints = fixture
    found = region_error("cheek", region_of(z, "cheek"), z["gt_k85"], prediction, keypoints, 9.0)
    assert found.error_mm == pytest.approx(9 * expected["cheek"], rel=1e-5)
    assert found.error_mm == pytest.approx(found.distances_mm.mean())


def test_pose_and_size_of_the_prediction_do_not_matter(fixture):
    z, _, prediction, keypoints = fixture
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    moved = [0.01 * points @ turn.T + 5 for points in (prediction.vertices, keypoints)]
    vertices, points = align_globally(*moved, z["gt_k85"])
    # The L1 scale is no function of shape alone: it keeps its value only up to where it is taken,
    # which is after the rotation, in the scan's axes, so that it is exact here.
    np.testing.assert_allclose(vertices, prediction.vertices, atol=1e-9)
    np.testing.assert_allclose(points, keypoints, atol=1e-9)


def test_regions_in_pieces_and_foreign_templates_get_a_sentence(fixture):
    z, _, prediction, keypoints = fixture
    cheek = region_of(z, "cheek")
    torn = Mesh(np.concatenate([cheek.vertices, [[0.0, 0, 0]]]), cheek.triangles)
    with pytest.raises(InputError, match="one connected piece, got 2"):
        region_error("cheek", torn, z["gt_k85"], prediction, keypoints, 1.0)
    with pytest.raises(InputError, match="template's topology"):
        keypoints_on(prediction, np.full(85, len(prediction.triangles)), np.zeros((85, 3)))
