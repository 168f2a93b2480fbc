import numpy as np
import pytest
import trimesh

from fit3dmm._errors import InputError
from fit3dmm.evaluate.surface_error import surface_error
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.triangle_mesh import Mesh
from tests.evaluate import tiny_sets
from tests.shared_data import shared


@pytest.fixture(scope="module")
def scan():
    """The scan, a prediction in cm, the landmarks of both, and a nose tip."""
    z = np.load(shared("fixtures/now_lps_ICTneutral.npz"))
    nose_tip = z["sl"][4] + [0.0, 14.0, 20.0]
    truth = Mesh(z["sv"], z["sf"])
    inside = np.linalg.norm(truth.vertices - nose_tip, axis=1) <= 95.0
    return truth, inside, z["sl"], Mesh(z["pv"], z["pf"]), z["pl"]


def brute_force_nearest(mesh: Mesh, points: np.ndarray):
    """Nearest point, by the 24 triangles with the nearest centres; no tree of ours."""
    corners = mesh.vertices[mesh.triangles]
    from scipy.spatial import KDTree

    _, candidates = KDTree(corners.mean(axis=1)).query(points, k=24)
    spread = np.repeat(points, 24, axis=0)
    found = trimesh.triangles.closest_point(corners[candidates.ravel()], spread)
    distance = np.linalg.norm(found - spread, axis=1).reshape(-1, 24)
    best = distance.argmin(axis=1)
    rows = np.arange(len(points))
    return found.reshape(-1, 24, 3)[rows, best], candidates[rows, best]


def test_agrees_with_an_independent_icp(scan):
    """All three variants: closest points and normals by trimesh, ICP by hundreds of small steps."""
    truth, inside, landmarks, prediction, predicted_landmarks = scan
    ours = surface_error(truth, inside, landmarks, prediction, predicted_landmarks)
    points = truth.vertices[inside]
    icp = solve_similarity(predicted_landmarks, landmarks)
    for _ in range(100):
        moved = Mesh(icp @ prediction.vertices, prediction.triangles)
        nearest, triangle = brute_force_nearest(moved, points[::6])
        icp = solve_similarity(nearest, points[::6]) @ icp
    moved = Mesh(icp @ prediction.vertices, prediction.triangles)
    nearest, triangle = brute_force_nearest(moved, points)
    gap = points - nearest
    scan_mesh = trimesh.Trimesh(truth.vertices, truth.triangles, process=False)
    normals = trimesh.geometry.weighted_vertex_normals(
        len(truth.vertices),
        truth.triangles,
        scan_mesh.face_normals,
        np.repeat(scan_mesh.area_faces[:, None], 3, axis=1),
        use_loop=True,
    )[inside]
    predicted = trimesh.Trimesh(moved.vertices, moved.triangles, process=False).face_normals
    # ICP ran on every sixth point and creeps; the mean distances agree to a hundredth of a mm.
    towards = ours.truth_to_prediction
    assert towards.surface.mean() == pytest.approx(np.linalg.norm(gap, axis=1).mean(), abs=0.01)
    along_truth = np.abs((gap * normals).sum(axis=1)).mean()
    assert towards.truth_plane.mean() == pytest.approx(along_truth, abs=0.01)
    along_prediction = np.abs((gap * predicted[triangle]).sum(axis=1)).mean()
    assert towards.prediction_plane.mean() == pytest.approx(along_prediction, abs=0.01)


def test_planes_are_never_farther_than_points(scan):
    error = surface_error(*scan[:3], *scan[3:])
    for direction in (error.truth_to_prediction, error.prediction_to_truth):
        assert (direction.truth_plane <= direction.surface + 1e-9).all()
        assert (direction.prediction_plane <= direction.surface + 1e-9).all()
    # The predicted head goes round to the back: most of it has no counterpart in the crop.
    assert 1000 < len(error.prediction_to_truth.surface) < 0.6 * len(scan[3].vertices)


def test_a_shift_along_the_normal_by_hand():
    """Two parallel planes that may not be aligned in size: both ways, all variants, are 0."""
    face = tiny_sets.face(1)
    inside = np.abs(face.vertices).max(axis=1) < 60
    error = surface_error(face, inside, tiny_sets.seven(face), face, tiny_sets.seven(face))
    assert error.truth_to_prediction.surface.max() < 1e-6
    assert error.prediction_to_truth.surface.max() < 1e-6
    assert len(error.prediction_to_truth.surface) > 0.8 * inside.sum()
    doubled = Mesh(face.vertices * 2, face.triangles)
    kept = surface_error(
        face, inside, tiny_sets.seven(face), doubled, tiny_sets.seven(doubled), with_scale=False
    )
    assert kept.T_truth_prediction.scale == 1.0
    assert kept.truth_to_prediction.surface.mean() > 1.0


def test_an_empty_crop_gets_a_sentence(scan):
    with pytest.raises(InputError, match="inside the crop"):
        surface_error(scan[0], np.zeros_like(scan[1]), *scan[2:])
