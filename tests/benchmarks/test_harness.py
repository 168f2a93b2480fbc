"""A report survives its file, and a comparison calls things by their names."""

import json
import time
from dataclasses import replace

import pytest

from comparison import compare
from harness import Metric, Report, ratio_metric, read_report, run, time_metric, timed, write_report


def report(*metrics: Metric, calibration_s: float = 0.01, processor: str = "one") -> Report:
    machine = {"processor": processor, "cores": 2, "threads": 1}
    return Report("toy", "run", 0, None, machine, {}, calibration_s, metrics)


def words(before: Report, now: Report) -> list[str]:
    return [verdict.word for verdict in compare(before, now)]


def test_a_report_survives_its_file(tmp_path):
    written = report(Metric("a", 1.5, "mm", None, 0.2, "group", {"median": 2.0}, "a note"))
    write_report(written, tmp_path / "toy.json")
    assert read_report(tmp_path / "toy.json") == written


def test_a_file_of_another_format_says_what_to_do(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"metrics": []}))
    with pytest.raises(ValueError, match="measure it again"):
        read_report(tmp_path / "old.json")


@pytest.mark.parametrize(
    ("lower_is_better", "value", "word"),
    [
        (True, 1.0, "same"),
        (True, 1.15, "same"),  # noise of 10 % on both sides
        (True, 1.3, "worse"),
        (True, 0.7, "better"),
        (False, 1.3, "better"),
        (False, 0.7, "worse"),
        (None, 0.7, "changed"),
    ],
)
def test_a_change_counts_beyond_the_noise_of_both_runs(lower_is_better, value, word):
    before = report(Metric("error", 1.0, "mm", lower_is_better, noise=0.1))
    now = report(Metric("error", value, "mm", lower_is_better, noise=0.1))
    assert words(before, now) == [word]


def test_a_metric_may_come_and_go():
    assert words(report(Metric("a", 1, "mm")), report(Metric("b", 1, "mm"))) == ["new", "gone"]


def test_times_are_compared_in_units_of_the_machine_s_speed():
    before = report(Metric("fit", 1.0, "s"), calibration_s=0.01)
    assert words(before, report(Metric("fit", 2.0, "s"), calibration_s=0.02)) == ["same"]
    assert words(before, report(Metric("fit", 1.0, "s"), calibration_s=0.005)) == ["worse"]
    # What is no time has nothing to do with it.
    exact = report(Metric("error", 1.0, "mm"))
    assert words(exact, report(Metric("error", 1.0, "mm"), calibration_s=0.02)) == ["same"]


def test_on_another_processor_times_must_be_off_by_more():
    before, now = report(Metric("fit", 1.0, "s")), Metric("fit", 1.4, "s")
    assert words(before, report(now)) == ["worse"]
    assert words(before, report(now, processor="another")) == ["same"]
    twice = report(replace(now, value=2.0), processor="another")
    assert words(before, twice) == ["worse"]


def test_times_know_their_spread():
    # Quartiles of 1..5 are 2 and 4: half their distance is a third of the median.
    metric = time_metric("t", [1.0, 2.0, 3.0, 4.0, 5.0], "ms")
    assert (metric.value, metric.noise) == (3000.0, pytest.approx(1 / 3))
    half = Metric("u", 1500.0, "ms", noise=0.1)
    assert ratio_metric("r", metric, half).value == pytest.approx(2.0)
    assert ratio_metric("r", metric, half).noise == pytest.approx(1 / 3 + 0.1)


def test_timed_measures_what_it_calls():
    calls = []
    metric = timed("sleep", lambda: (calls.append(1), time.sleep(0.01)), 3)
    assert len(calls) == 4  # one uncounted
    assert 0.01 <= metric.value < 1


def test_the_command_line_measures_writes_and_compares(tmp_path, capsys):
    written, size = tmp_path / "toy.json", [1.0]

    def measure(options):
        yield Metric("error", options.factor * size[0], "mm")

    def command(*arguments: str) -> int:
        return run(
            "toy",
            "A toy.",
            measure,
            lambda parser: parser.add_argument("--factor", type=float, default=2.0),
            arguments=arguments,
        )

    assert command("--json", str(written)) == 0
    assert read_report(written)["error"].value == 2.0
    # Where the file lies on this machine does not get into it.
    assert str(tmp_path) not in written.read_text()
    assert command("--compare", str(written)) == 0
    size[0] = 1.5
    assert command("--compare", str(written)) == 1
    assert "worse" in capsys.readouterr().out
    assert command("--factor", "1", "--compare", str(written)) == 0
