"""Measures of the regressor: their pure parts by hand, and one run on three renders."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import regressor_tables
import run_regressor
from fit3dmm.fitting import FitConfig
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model
from fit3dmm.observe.predicted import BACKGROUND, HAIR, SKIN
from fit3dmm.regress.library import regressor_of
from fit3dmm.synthetic.fast.example import Example
from harness import read_report, run
from regressor_fits import BOTH, CONFIGS, MEAN_FACE, METHODS, Measured, steps_to_the_same
from regressor_metrics import beats_mean, of_set
from regressor_scores import covered_share, groups_of_example, point_numbers, pose_errors
from report import Report
from tests.regress.examples import painter


def square_px(side_px: float) -> np.ndarray:
    """468 points that fill a square, and ten in its middle."""
    across = np.linspace(0, side_px, 18)
    x, y = np.meshgrid(across, np.linspace(0, side_px, 26))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    return np.concatenate([points, np.full((10, 2), side_px / 2)]) + 20


def test_errors_of_points_are_shares_of_the_box():
    true_px = square_px(100)
    numbers = point_numbers(true_px, np.add(true_px, [3.0, 4.0]))
    assert numbers == {"error_percent": pytest.approx(5.0), "failed_share": 0.0}
    assert point_numbers(true_px, np.add(true_px, [3.0, 4.1]))["failed_share"] == 1


def test_sigmas_count_along_the_axes_that_are_told():
    true_px = square_px(100)
    # One sigma along the diagonal, where the covariance says that errors are long; five across it.
    covariance = np.broadcast_to([[13.0, 12.0], [12.0, 13.0]], (478, 2, 2))
    along = point_numbers(true_px, np.add(true_px, [3.5, 3.5]), covariance)
    assert (along["told_in_1_share"], along["told_in_2_share"]) == (1, 1)
    across = point_numbers(true_px, np.add(true_px, [3.5, -3.5]), covariance)
    assert (across["told_in_1_share"], across["told_in_2_share"]) == (0, 0)


def test_honest_sigmas_hold_what_the_document_says():
    true_px, n = square_px(100), 478
    generator = np.random.default_rng(0)
    factor = np.array([[2.0, 0.0], [1.0, 0.5]])
    shares = [
        point_numbers(
            true_px,
            true_px + generator.normal(size=(n, 2)) @ factor.T,
            np.broadcast_to(factor @ factor.T, (n, 2, 2)),
        )
        for _ in range(50)
    ]
    # Of 23,900 points the share has a standard error of 0.003.
    inside = [np.mean([one[f"told_in_{k}_share"] for one in shares]) for k in (1, 2)]
    np.testing.assert_allclose(inside, 1 - np.exp([-0.5, -2.0]), atol=0.015)


def test_a_turn_and_a_distance_come_back():
    points = np.random.default_rng(0).normal(size=(478, 3)) * [60, 80, 40]
    points -= points.mean(axis=0)
    turn = rotation_matrix(torch.tensor([0.0, 0.3, 0.0], dtype=torch.float64)).numpy()
    true = np.add(points, [0, 0, -800.0])
    found = pose_errors(true, points @ turn.T + [0, 0, -1000.0])
    assert found["rotation_deg"] == pytest.approx(np.degrees(0.3))
    assert found["distance_percent"] == pytest.approx(100 * np.log(1.25))


def test_where_the_axis_of_a_crop_is_does_not_count():
    """A head looks the same from everywhere if it turns along with the ray to it."""
    points = np.random.default_rng(0).normal(size=(478, 3)) * [60, 80, 40]
    points -= points.mean(axis=0)
    aside = rotation_matrix(torch.tensor([0.0, -0.2, 0.0], dtype=torch.float64)).numpy()
    true = np.add(points, [0, 0, -800.0])
    found = pose_errors(true, true @ aside.T)
    assert found["rotation_deg"] == pytest.approx(0, abs=1e-5)
    assert found["distance_percent"] == pytest.approx(0, abs=1e-9)


def an_example(yaw_rad: float = 0.0, tone: float = 0.3) -> Example:
    """A face that fills the middle of a picture of 140 px."""
    points_px = square_px(100)
    cover = np.full((14, 14), BACKGROUND, dtype=np.uint8)
    cover[2:12, 2:12] = SKIN
    rotation = rotation_matrix(torch.tensor([0.0, yaw_rad, 0.0])).numpy().astype(np.float32)
    points_mm = np.random.default_rng(0).normal(size=(478, 3)) * 50
    return replace(
        painter(140)().take(0),
        points_px=points_px.astype(np.float32),
        points_mm=(points_mm - points_mm.mean(axis=0)).astype(np.float32),
        cover=cover,
        rotation=rotation,
        tone=tone,
    )


def test_what_covers_a_face_is_counted_in_the_face():
    example = an_example()
    assert covered_share(example) == 0
    cover = example.cover.copy()
    cover[2:4] = HAIR  # all over the upper fifth, and beside the face
    assert covered_share(replace(example, cover=cover)) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("yaw_rad", "tone", "groups"),
    [
        (0.1, 0.05, ("yaw 0-20", "tone dark", "covered 0-10 %")),
        (-0.6, 0.1, ("yaw 20-40", "tone medium", "covered 0-10 %")),
        (0.9, 0.3, ("yaw 40-60", "tone light", "covered 0-10 %")),
        (-1.7, 0.3, ("yaw 60-90", "tone light", "covered 0-10 %")),
    ],
)
def test_renders_are_binned(yaw_rad, tone, groups):
    assert groups_of_example(an_example(yaw_rad, tone)) == groups


def test_steps_are_counted_until_the_other_start_is_as_low():
    own = [100.0, 50.0, 20.0, 10.0, 9.9]
    assert steps_to_the_same(own, [30.0, 9.8, 9.7]) == (4, 1)
    assert steps_to_the_same(own, [9.0]) == (4, 0)
    assert steps_to_the_same(own, [30.0, 12.0, 11.0]) == (4, np.inf)
    # Less than what would end the stage is no difference.
    assert steps_to_the_same(own, [30.0, 9.901]) == (4, 1)


def test_methods_differ_by_what_they_are_called():
    def terms(method: str) -> set[str]:
        return {term for stage in CONFIGS[method].stages for term in stage.terms}

    assert CONFIGS[BOTH] == FitConfig()
    assert terms(BOTH) - terms("MediaPipe") == {"network"}
    assert terms(BOTH) - terms("network") == {"landmarks"}
    assert not CONFIGS["MediaPipe"].uses_network
    assert MEAN_FACE in METHODS


def measured(fit_mm: float, mean_mm: float, *groups: str) -> Measured:
    numbers = {method: {"now_median_mm": fit_mm} for method in METHODS}
    numbers[MEAN_FACE] = {"now_median_mm": mean_mm}
    seen = {"error_percent": fit_mm, "failed_share": 0.0}
    told = seen | {"told_in_1_share": 0.4, "told_in_2_share": 0.9}
    return Measured(groups, numbers, {"MediaPipe": seen, "network": told}, (8.0, 4.0 * fit_mm))


FOUND = {
    "a": measured(1.0, 1.2, "yaw 0-20"),
    "b": measured(1.1, 1.0, "yaw 0-20"),
    "c": measured(0.9, 1.3, "yaw 20-40"),
    "d": Measured(("yaw 20-40",), has_face=False),
}


def test_sets_are_counted_by_method_and_bin():
    found = {(metric.group, metric.name): metric for metric in of_set("renders", FOUND)}
    assert found["renders", "cases"].value == 3
    assert found["renders", "photos without a face"].value == 1
    assert found["renders", "both: beats_mean_share"].value == pytest.approx(2 / 3)
    assert found["renders", "both: now_median_mm"].lower_is_better is True
    assert found["renders", "network: now_median_mm"].lower_is_better is None
    assert found["renders, by group", "yaw 0-20: beats_mean_share"].value == 0.5
    assert found["renders, points", "all: network, error_percent"].value == 1.0  # the median
    assert found["renders, points", "yaw 20-40: photos"].value == 1
    assert found["renders, points", "yaw 20-40: lost_share"].value == 0.5
    # Of eight steps four are half; after 4.4 it is more.
    assert found["renders, starts", "from the network: half_steps_share"].value == pytest.approx(
        2 / 3
    )
    assert beats_mean(FOUND, "network") == {"a": 1, "b": 0, "c": 1}


def test_tables_have_a_row_a_method_and_a_bin():
    machine = {"processor": "one"}
    report = Report("regressor", "", 0, None, machine, {}, 1.0, tuple(of_set("renders", FOUND)))
    main = regressor_tables.regressor_table(report)
    assert main.count("\n") == 2 + len(METHODS) + 1
    assert "| photos | 3 |" in main
    groups = regressor_tables.regressor_groups_table(report)
    assert "| renders, yaw 0-20 |" in groups
    for table in (
        regressor_tables.regressor_numbers_table,
        regressor_tables.regressor_points_table,
        regressor_tables.regressor_starts_table,
        regressor_tables.regressor_time_table,
    ):
        rows = table(report).splitlines()
        assert len({row.count("|") for row in rows}) == 1


def test_what_is_missing_is_left_out_with_a_sentence(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("FIT3DMM_SHARED", str(tmp_path))
    monkeypatch.delenv("FIT3DMM_ICT", raising=False)
    words = ["--on", "ict", "jon", "lee-perry-smith", "aflw2000"]
    assert (
        run("regressor", None, run_regressor.measure, run_regressor._options, arguments=words) == 0
    )
    printed = " ".join(capsys.readouterr().out.split())
    if regressor_of(load_model(level=0)) is None:
        assert "no data/regressor.h5 belongs" in printed
        return
    assert "FIT3DMM_ICT names no file" in printed
    for folder in ("jon", "lee_perry_smith", "aflw2000"):
        assert f"FIT3DMM_SHARED does not lead to data/{folder}/" in printed


def test_renders_are_looked_at_and_fitted(monkeypatch, tmp_path):
    fast = ("regressor alone", MEAN_FACE)
    monkeypatch.setattr(run_regressor, "METHODS", fast)
    words = ["--on", "renders", "--cases", "1", "--looks", "3", "--jobs", "1"]
    words += ["--json", str(tmp_path / "r.json")]
    assert (
        run("regressor", None, run_regressor.measure, run_regressor._options, arguments=words) == 0
    )
    report = read_report(tmp_path / "r.json")
    assert report["cases"].value == 1
    for method in fast:
        assert 0 < report[f"{method}: now_median_mm"].value < 4
        assert 0 <= report[f"{method}: rotation_deg"].value < 60
    assert len(report["all: network, error_percent"].cases) == report["all: photos"].value
    assert 0 < report["all: network, error_percent"].value < 20
