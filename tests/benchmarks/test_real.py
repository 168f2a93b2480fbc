"""Measures on real people: their pure parts by hand, and one run on two of them."""

import numpy as np
import pytest
import torch

import run_real
from fit3dmm.evaluate.identity import (
    NeutralFace,
    coefficient_distances,
    found_first,
    leakage,
    shape_distances_mm,
    shares_farther,
)
from fit3dmm.geometry.transform import Similarity
from harness import read_report, run
from tests.shared_data import shared
from tone import colour_differences

# Three rows of two points; the upper row counts as the mouth. They are metres apart, so that what
# moves by a millimetre changes the best size by nothing that counts.
GRID_MM = np.array([[x, y, 0.0] for y in (5e3, 0.0, -5e3) for x in (-5e3, 5e3)])
CLOSE = {"abs": 2e-3}
MOUTH = np.array([True, True, False, False, False, False])


def face_with(moved_mm: np.ndarray) -> NeutralFace:
    vertices = GRID_MM + moved_mm
    landmarks = np.zeros((68, 3))
    landmarks[[48, 54]] = vertices[:2]
    return NeutralFace(vertices, landmarks)


def test_verification_is_the_share_of_strangers_who_are_farther():
    # Photo i of one kind (rows) from photo j of the other: three own pairs, six of strangers.
    distances = np.array([[1.0, 2.0, 5.0], [4.0, 3.0, 1.0], [6.0, 2.5, 2.0]])
    # Farther than 1: all but the one that is equal, which counts half. Farther than 3: 5, 4 and 6.
    # Farther than 2: 5, 4, 6 and 2.5, and the equal one half.
    by_hand = [5.5 / 6, 3 / 6, 4.5 / 6]
    np.testing.assert_allclose(shares_farther(distances), by_hand)
    np.testing.assert_array_equal(found_first(distances), [1, 0, 1])


def test_who_shares_the_first_place_is_found_by_half():
    distances = np.array([[1.0, 1.0], [3.0, 2.0]])
    np.testing.assert_array_equal(found_first(distances), [0.5, 1.0])


def test_a_measure_that_knows_nobody_scores_one_half():
    generator = np.random.default_rng(0)
    distances = generator.uniform(size=(60, 60))
    # Of 60 independent own pairs the mean share has a standard error of 0.29 / sqrt(60).
    assert shares_farther(distances).mean() == pytest.approx(0.5, abs=0.12)
    assert found_first(distances).mean() < 0.15


@pytest.mark.parametrize(
    ("along", "pattern", "wider_mm", "higher_mm"),
    [
        # Each pattern is orthogonal to every motion and to a change of size, so that the alignment
        # undoes nothing of it.
        (0, [-1, 1, 0, 0, 1, -1], 2.0, 0.0),
        (1, [1, 1, -2, -2, 1, 1], 0.0, 1.0),
    ],
)
def test_leakage_is_what_no_motion_explains(along, pattern, wider_mm, higher_mm):
    moved = np.zeros((6, 3))
    moved[:, along] = pattern
    smiling = face_with(moved)
    found = leakage(face_with(np.zeros((6, 3))), smiling, MOUTH)
    assert found.face_mm == pytest.approx(np.abs(pattern).mean(), **CLOSE)
    assert found.mouth_mm == pytest.approx(1.0, **CLOSE)
    assert found.mouth_width_mm == pytest.approx(wider_mm, **CLOSE)
    assert found.corner_height_mm == pytest.approx(higher_mm, **CLOSE)
    # Where the head is, is no part of it.
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    away = Similarity.rigid(
        torch.from_numpy(turn), torch.tensor([5.0, -3.0, 800.0], dtype=torch.float64)
    )
    elsewhere = NeutralFace(away @ smiling.vertices_mm, away @ smiling.landmarks68_mm)
    again = leakage(face_with(np.zeros((6, 3))), elsewhere, MOUTH)
    for name in ("face_mm", "mouth_mm", "mouth_width_mm", "corner_height_mm"):
        assert getattr(again, name) == pytest.approx(getattr(found, name), abs=1e-6)


def test_a_head_that_grows_by_a_smile_leaks():
    grown = NeutralFace(1.01 * GRID_MM, np.zeros((68, 3)))
    found = leakage(face_with(np.zeros((6, 3))), grown, MOUTH)
    # A hundredth of the way from the middle.
    assert found.face_mm == pytest.approx((4 * np.hypot(50, 50) + 2 * 50) / 6)


def test_shapes_are_compared_pair_by_pair():
    moved = np.zeros((6, 3))
    moved[:, 1] = [1, 1, -2, -2, 1, 1]
    one, other = face_with(np.zeros((6, 3))), face_with(moved)
    # Both are compared at the mean of their sizes.
    other = NeutralFace(1.2 * other.vertices_mm, other.landmarks68_mm)
    distances = shape_distances_mm([one, other], [one, other])
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-6)
    assert distances[0, 1] == pytest.approx(1.1 * 4 / 3, **CLOSE)


def test_coefficients_are_compared_by_their_direction():
    probes, gallery = np.array([[2.0, 0.0], [1.0, 1.0]]), np.array([[1.0, 0.0], [0.0, -3.0]])
    by_hand = [[0, 1], [1 - np.sqrt(0.5), 1 + np.sqrt(0.5)]]
    np.testing.assert_allclose(coefficient_distances(probes, gallery), by_hand, atol=1e-12)
    with pytest.raises(ValueError, match="mean face"):
        coefficient_distances(np.zeros((1, 2)), gallery)


def test_black_white_and_grey_are_fifty_and_a_hundred_apart():
    # Linear 0.18418651851 is the grey whose L* is 50.
    grey, white, black = (np.full(3, value) for value in (0.18418651851, 1.0, 0.0))
    within, between = colour_differences(np.stack([white, black]), np.stack([grey, black]))
    np.testing.assert_allclose(within, [50, 0], atol=0.05)
    np.testing.assert_allclose(between, [50, 100], atol=0.05)


def test_what_is_missing_is_left_out_with_a_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FIT3DMM_SHARED", str(tmp_path))
    assert run("real", None, run_real.measure, run_real._options, arguments=[]) == 0
    printed = capsys.readouterr().out
    for folder in ("jon", "lee_perry_smith", "london"):
        assert f"FIT3DMM_SHARED does not lead to data/{folder}/" in printed


def test_two_people_are_measured_by_every_method(monkeypatch, tmp_path):
    shared("london/list.json")
    monkeypatch.setattr(run_real, "METHODS", ("landmarks only", "mean face"))  # the fast ones
    words = ["--on", "london", "--people", "2", "--jobs", "1", "--json", str(tmp_path / "r.json")]
    assert run("real", None, run_real.measure, run_real._options, arguments=words) == 0
    report = read_report(tmp_path / "r.json")
    assert report["cases"].value == 2
    for method in ("landmarks only", "mean face"):
        assert 0 < report[f"{method}: corners_percent"].value < 8
    assert 0 < report["landmarks only: leak_mouth_mm"].value < 5
    assert 0 <= report["landmarks only: auc_shape"].value <= 1
    assert len(report["landmarks only: called_good"].cases) == 4
    with pytest.raises(KeyError):
        report["mean face: auc_shape"]  # one face is nobody's
