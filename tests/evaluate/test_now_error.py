import numpy as np
import pytest

from fit3dmm._errors import InputError
from fit3dmm.evaluate.now_error import face_sphere, now_errors_mm
from tests.shared_data import shared


@pytest.fixture(params=["ICTneutral", "ICTid"])
def oracle(request):
    """Inputs, and what the official code made of them; the prediction is in centimetres."""
    inputs = np.load(shared(f"fixtures/now_lps_{request.param}.npz"))
    expected = np.load(shared(f"fixtures/now_lps_{request.param}_expected.npz"))
    return [inputs[key] for key in ("sv", "sl", "pv", "pf", "pl")], expected


# The official optimiser stops a little before the minimum; the tolerances hold the difference
# that this makes (and the metrical start is farther away).
@pytest.mark.parametrize(
    ("unit_mm", "key", "tolerance_mm"), [(None, "d", 0.005), (10.0, "dm", 0.01)]
)
def test_agrees_with_the_official_code(oracle, unit_mm, key, tolerance_mm):
    inputs, expected = oracle
    ours, theirs = now_errors_mm(*inputs, unit_mm), expected[key]
    assert len(ours) == len(theirs)
    assert abs(np.median(ours) - np.median(theirs)) < tolerance_mm
    assert abs(ours.mean() - theirs.mean()) < tolerance_mm
    assert abs(ours.std() - theirs.std()) < tolerance_mm
    # Vertex by vertex, too: the same points, at nearly the same alignment.
    assert np.abs(ours - theirs).max() < 0.06


def test_frame_unit_and_order_of_the_prediction_do_not_matter(oracle):
    (scan, scan_points, vertices, triangles, points), _ = oracle
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    turn *= np.linalg.det(turn)
    here = now_errors_mm(scan, scan_points, vertices, triangles, points)
    there = now_errors_mm(
        scan, scan_points, 0.1 * vertices @ turn.T + 3, triangles[::-1], 0.1 * points @ turn.T + 3
    )
    np.testing.assert_allclose(here, there, atol=1e-3)  # the refinement's last step


def test_a_scan_explains_itself(oracle):
    (scan, scan_points, _, _, _), _ = oracle
    faces = np.load(shared("fixtures/now_lps_ICTid.npz"))["sf"]
    errors = now_errors_mm(scan, scan_points, 0.1 * scan, faces, 0.1 * scan_points)
    assert errors.max() < 1e-6


def test_the_sphere_by_hand():
    points = np.array(
        [[-45.0, 30, 0], [-15, 30, 0], [15, 30, 0], [45, 30, 0], [0, -10, 0], [0, 0, 0], [0, 0, 0]]
    )
    centre, radius = face_sphere(points)
    np.testing.assert_allclose(centre, [0, 2, 0])
    assert radius == pytest.approx(1.4 * (90 + 40) / 2)


def test_landmarks_of_another_frame_get_a_sentence():
    scan = np.random.default_rng(0).normal(size=(100, 3))
    points = np.random.default_rng(1).normal(size=(7, 3)) * 40 + 5000
    with pytest.raises(InputError, match="same frame and unit"):
        now_errors_mm(scan, points, scan, np.array([[0, 1, 2]]), points)
