import dataclasses

import h5py
import numpy as np
import pytest
import torch

from fit3dmm.evaluate.fitter import FittedFace, FittedScene
from fit3dmm.evaluate.predictions import save_mesh_and_landmarks
from fit3dmm.evaluate.protocol import Case
from fit3dmm.evaluate.synthetic import Synthetic
from fit3dmm.evaluate.synthetic.prediction import read_prediction, write_prediction
from fit3dmm.evaluate.synthetic.scores import light_errors, score_face
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.synthetic.truth import write_truth


@pytest.fixture(scope="module")
def truth(small_case):
    return small_case[1]


@pytest.fixture(scope="module")
def perfect(truth):
    """A prediction that is the truth, on the truth's own part of the mesh."""
    return FittedFace(
        neutral_mm=truth.neutral_mm,
        expressive_mm=truth.expressive_mm,
        triangles=truth.triangles,
        ibug68=nearest_points(truth.landmarks68_mm, truth),
        landmarks_px=truth.landmarks68_px,
        scene=FittedScene(
            rotation=truth.rotation,
            translation_mm=truth.translation_mm,
            focal_px=truth.focal_px,
            topology=truth.topology,
            albedo_linear=truth.albedo_linear,
            focal_log_sigma=0.1,
            distance_sigma_mm=20.0,
            relative_depth_rows=np.flatnonzero(truth.face > 0.5)[:500],
            relative_depth_sigma_mm=np.full(500, 1.0),
        ),
    )


def nearest_points(points_mm, truth):
    """Points of a mesh as its nearest vertices."""
    from fit3dmm.geometry.closest_point import closest_points, index_surface

    found = closest_points(index_surface(truth.neutral_mm, truth.triangles), points_mm)
    corners = truth.neutral_mm[truth.triangles[found.triangle]]
    weights = np.stack([np.linalg.lstsq(c.T, p, rcond=None)[0]
                        for c, p in zip(corners, found.points, strict=True)])  # fmt: skip
    return SurfacePoints(found.triangle, weights)


def test_the_truth_itself_has_no_error(truth, perfect):
    numbers, picture = score_face(truth, perfect)
    for name in (
        "neutral_mm", "neutral_scaled_mm", "placed_mm", "expressive_mm", "rotation_deg",
        "focal_percent", "nme_percent", "albedo_percent", "now_median_mm",
    ):  # fmt: skip
        # Alignments in float64 leave rounding; NoW's starts from points a little off.
        assert numbers[name] < 1e-3, name
    # The 68 points are looked up on a coarser mesh, a fraction of a millimetre off.
    assert numbers["distance_percent"] < 0.1
    assert numbers["focal_in_1"] == numbers["distance_in_1"] == numbers["relative_depth_in_1"] == 1
    assert (picture.errors_mm < 1e-2).all()


def test_errors_are_what_was_put_in(truth, perfect):
    turn = rotation_matrix(torch.tensor([0.0, np.radians(3.0), 0.0], dtype=torch.float64)).numpy()
    scene = dataclasses.replace(
        perfect.scene,
        rotation=truth.rotation @ turn,
        focal_px=truth.focal_px * 1.2,
        translation_mm=truth.translation_mm * 1.2,
        albedo_linear=2 * truth.albedo_linear,
    )
    larger = dataclasses.replace(
        perfect,
        neutral_mm=1.1 * truth.neutral_mm,
        landmarks_px=truth.landmarks68_px + np.array([3.0, 4.0]),
        scene=scene,
    )
    numbers, _ = score_face(truth, larger)
    assert numbers["rotation_deg"] == pytest.approx(3.0, abs=1e-3)
    assert numbers["focal_percent"] == pytest.approx(100 * np.log(1.2))
    depth = -truth.landmarks68_cam_mm[:, 2].mean()
    farther = depth - 0.2 * truth.translation_mm[2]
    # The head has also turned about its origin, which lies behind the landmarks.
    assert numbers["distance_percent"] == pytest.approx(100 * np.log(farther / depth), abs=0.7)
    assert numbers["neutral_scaled_mm"] < 1e-3
    assert numbers["neutral_mm"] > 3
    assert numbers["now_mean_mm"] < 1e-2
    size_px = np.sqrt(np.prod(np.ptp(truth.landmarks68_px, axis=0)))
    assert numbers["nme_percent"] == pytest.approx(100 * 5 / size_px)
    assert numbers["albedo_percent"] == pytest.approx(100.0)
    assert numbers["albedo_scaled_percent"] == pytest.approx(0.0, abs=1e-6)
    assert numbers["focal_in_1"] == 0
    assert numbers["focal_in_2"] == 1
    assert numbers["distance_in_2"] == 0


def test_relative_depth_counts_what_lies_within_its_sigmas(truth, perfect):
    off = np.zeros_like(truth.expressive_mm)
    rows = perfect.scene.relative_depth_rows
    # Towards the camera by 3 sigmas at a tenth of the places.
    off[rows[::10]] = 3.0 * truth.rotation[2]
    moved = dataclasses.replace(perfect, expressive_mm=truth.expressive_mm + off)
    numbers, _ = score_face(truth, moved)
    assert numbers["relative_depth_in_2"] == pytest.approx(0.9)


def test_light_of_the_right_harmonics_has_a_small_error(truth):
    from fit3dmm.synthetic.probes import Probe, SphereMap

    probe = Probe(SphereMap(truth.radiance))
    basis = sh_basis(torch.from_numpy(probe.directions)).numpy()
    best = np.linalg.lstsq(basis, probe.irradiance(probe.directions), rcond=None)[0]
    errors = light_errors(truth, best)
    # Nine harmonics hold 98 % of what a convex white body shows (Ramamoorthi, Hanrahan 2001).
    assert errors["light_percent"] < 10
    doubled = light_errors(truth, 2 * best)
    assert doubled["light_percent"] == pytest.approx(100, abs=10)
    assert doubled["light_scaled_percent"] == pytest.approx(errors["light_scaled_percent"])


def test_meshes_of_another_kind_are_compared_by_points(truth, perfect):
    points = nearest_points(truth.points478_mm, truth)
    scene = dataclasses.replace(perfect.scene, topology="another", points478=points)
    numbers, _ = score_face(truth, dataclasses.replace(perfect, scene=scene))
    assert numbers["compared_points"] == 468
    # The points lie between vertices of a coarser mesh than the one that they were made on.
    assert numbers["neutral_mm"] < 0.5
    assert "albedo_percent" not in numbers
    unknown = dataclasses.replace(perfect.scene, topology="another")
    numbers, _ = score_face(truth, dataclasses.replace(perfect, scene=unknown))
    assert "neutral_mm" not in numbers
    assert "now_median_mm" in numbers


def test_a_prediction_with_a_former_name_is_read(perfect, tmp_path):
    write_prediction(perfect, tmp_path / "0001.h5")
    with h5py.File(tmp_path / "0001.h5", "r+") as file:
        for name in ("rows", "sigma_mm"):
            file["scene"].move(f"relative_depth_{name}", f"relief_{name}")
    scene = read_prediction(tmp_path / "0001.h5").scene
    np.testing.assert_array_equal(scene.relative_depth_rows, perfect.scene.relative_depth_rows)
    np.testing.assert_array_equal(scene.relative_depth_sigma_mm, 1.0)


def test_a_prediction_comes_back_from_its_file(perfect, truth, tmp_path):
    write_prediction(perfect, tmp_path / "0001.h5")
    numbers, _ = score_face(truth, read_prediction(tmp_path / "0001.h5"))
    expected, _ = score_face(truth, perfect)
    # Stored as float32.
    assert numbers == pytest.approx(expected, abs=2e-3)
    alone = dataclasses.replace(perfect, scene=None)
    write_prediction(alone, tmp_path / "0002.h5")
    numbers, _ = score_face(truth, read_prediction(tmp_path / "0002.h5"))
    assert set(numbers) == {"now_median_mm", "now_mean_mm", "nme_percent"}


def test_meshes_of_other_systems_are_scored_by_now(truth, perfect, tmp_path):
    protocol = Synthetic()
    case = Case(truth.case.name, (), None, (tmp_path / "truth.h5",))
    write_truth(truth, case.truth[0])
    assert protocol.find_prediction(case, tmp_path) == ()
    # In another frame and twice as large: NoW undoes both.
    points = perfect.ibug68.take(NOW7_IN_IBUG68).locate(truth.neutral_mm, truth.triangles)
    mesh = Mesh(2 * truth.neutral_mm + 7, truth.triangles)
    save_mesh_and_landmarks(tmp_path, case.name, mesh, 2 * points + 7)
    score = protocol.score(case, protocol.find_prediction(case, tmp_path))
    assert set(score.numbers) == {"now_median_mm", "now_mean_mm"}
    # OBJ keeps six decimals.
    assert score.numbers["now_mean_mm"] < 1e-3
