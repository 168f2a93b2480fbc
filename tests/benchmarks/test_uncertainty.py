"""Scans in photos with known cameras, and the run as a whole."""

import numpy as np
import pytest
import torch

import run_uncertainty
import scan_coverage
from fit3dmm.evaluate.coverage import Told
from fit3dmm.fitting.misfit import Misfit
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.unknowns import PhotoIntrinsics, scene_of, values_of
from harness import run
from tests.export.faces import fitted, known_face

_FLIP = np.diag([1.0, -1.0, -1.0])


@pytest.fixture(scope="module")
def known():
    return known_face()


@pytest.fixture(scope="module")
def result(known):
    found = fitted(known)
    return found.replace(scene=known.scene)


@pytest.fixture(scope="module")
def scan(known):
    """The face itself, in its own frame, seen by its own camera."""
    model, scene = known.model, known.scene
    shape = model.shape_mm(scene.coefficients).double().numpy()
    triangles = model.surface.triangles.numpy()
    seven = model.landmarks_mm("ibug68", scene.coefficients)[list(NOW7_IN_IBUG68)]
    pose = scene.pose.T_cam_model
    view = scan_coverage.KnownView(
        known.photo.name,
        scene.camera.opencv_matrix().double().numpy(),
        _FLIP @ pose.rotation.double().numpy(),
        _FLIP @ scene.pose.translation_mm.double().numpy(),
    )
    every = np.ones(len(triangles), bool)
    return scan_coverage.KnownScan(shape, triangles, every, seven.double().numpy(), (view,))


def test_a_fit_that_is_the_scan_has_no_errors(known, result, scan):
    for told in scan_coverage.told_of_scan(result, known.model, scan, scan.views[0]).values():
        # Base vertices lie a little off the smoothed surface of the toy.
        assert np.abs(told.error).mean() < 0.5


@pytest.mark.parametrize(
    ("name", "element", "step"),
    [("identity", 0, 0.05), ("rotation_rad", 0, 0.004), ("translation_mm", 0, 0.4)],
)
def test_a_sigma_of_one_unknown_is_how_far_it_moves_the_scan(
    known, result, scan, monkeypatch, name, element, step
):
    none = Misfit(at_features_mm=0.0, by_distance=0.0)
    monkeypatch.setattr(scan_coverage, "_FACING", 0.6)
    values = values_of(result.scene)
    n = values[name].numel()
    covariance = torch.zeros(n, n)
    covariance[element, element] = step**2
    sure = result.replace(uncertainty=Uncertainty((name,), (n,), covariance))
    seen = (known.model, scan, scan.views[0], none)
    before = scan_coverage.told_of_scan(sure, *seen)["relief"]
    change = torch.zeros(n)
    change[element] = step
    moved = scene_of(
        {**values, name: values[name] + change}, PhotoIntrinsics.of(result.scene.camera)
    )
    after = scan_coverage.told_of_scan(sure.replace(scene=moved), *seen)["relief"]
    # The steps are so small that no vertex comes into sight.
    assert len(before.error) == len(after.error)
    off = np.abs(after.error - before.error)
    np.testing.assert_allclose(off.mean(), before.sigma.mean(), rtol=0.15)


def test_statistics_of_what_was_told():
    honest = Told(np.array([1.0, -0.1, 0.5, 3.0]), np.ones(4))
    found = {
        metric.name: metric
        for metric in run_uncertainty._statistics(
            "set", {"a": {"relief": honest}, "b": {"relief": honest}, "c": None}
        )
    }
    assert found["photos"].value == 2
    assert found["photos without a face"].value == 1
    assert found["relief: 50%"].value == 0.5
    assert found["relief: 95%"].value == 0.75
    assert found["relief: error"].value == pytest.approx(
        np.sqrt((1 + 0.01 + 0.25 + 9) / 4), rel=1e-4
    )
    assert found["relief: 50%"].lower_is_better is None


def test_what_is_missing_is_left_out_with_a_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FIT3DMM_SHARED", str(tmp_path))
    words = ["--on", "jon", "lee-perry-smith"]
    assert (
        run("uncertainty", None, run_uncertainty.measure, run_uncertainty._options, arguments=words)
        == 0
    )
    printed = capsys.readouterr().out
    for name in ("jon", "lee-perry-smith"):
        assert f"{name} was left out" in printed
