import csv
import json

import pytest

from fit3dmm._errors import InputError
from fit3dmm.cli.evaluate import in_current_words
from fit3dmm.cli.main import main
from fit3dmm.evaluate.synthetic.methods import make_fitters

RUN = [
    "evaluate",
    "synthetic",
    "--cases",
    "2",
    "--jobs",
    "1",
    "--photo-px",
    "240",
    "--methods",
    "landmarks",
    "mean face",
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("synthetic")
    assert main([*RUN, "--out", str(out)]) == 0
    return out


def test_a_run_writes_photos_truths_and_tables(finished):
    (folder,) = finished.glob("set-*")
    assert sorted(p.name for p in folder.iterdir() if p.suffix == ".jpg") == [
        "0001.jpg",
        "0003.jpg",
    ]
    assert (finished / "photos.jpg").stat().st_size > 5000
    with (finished / "landmarks" / "cases.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["scored", "scored"]
    assert all(0.2 < float(row["now_median_mm"]) < 5 for row in rows)
    assert all(float(row["nme_percent"]) < 8 for row in rows)
    tables = json.loads((finished / "methods.json").read_text())
    assert list(tables) == ["landmarks", "mean face"]
    assert (finished / "mean-face" / "worst.png").is_file()
    assert "| now_median_mm |" in (finished / "methods.md").read_text()


def test_running_again_takes_everything_from_before(finished, capsys):
    (folder,) = finished.glob("set-*")
    before = {p: p.stat().st_mtime_ns for p in folder.iterdir()}
    fits = {p: p.stat().st_mtime_ns for p in (finished / "landmarks" / "predictions").glob("*.h5")}
    summary = (finished / "landmarks" / "summary.json").read_bytes()
    assert main([*RUN, "--out", str(finished)]) == 0
    assert {p: p.stat().st_mtime_ns for p in folder.iterdir()} == before
    assert {p: p.stat().st_mtime_ns for p in fits} == fits
    assert (finished / "landmarks" / "summary.json").read_bytes() == summary
    assert "synthetic, all methods" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("former", "present"),
    [
        (["--half", "choose"], ["--split", "validation"]),
        (["--half=report"], ["--split=test"]),
        (["--half", "all"], ["--split", "all"]),
        (["--fit", "report"], ["--fit", "report"]),
    ],
)
def test_splits_may_have_their_former_names(former, present):
    assert in_current_words(former) == present


def test_a_split_of_a_former_name_is_made(tmp_path, capsys):
    small = ["--cases", "1", "--photo-px", "128", "--jobs", "1", "--photos-only"]
    assert main(["evaluate", "synthetic", *small, "--half", "choose", "--out", str(tmp_path)]) == 0
    assert [p.name for p in tmp_path.glob("set-*/*.jpg")] == ["0000.jpg"]


def test_bad_numbers_end_with_a_sentence(capsys, tmp_path):
    arguments = ["evaluate", "synthetic", "--out", str(tmp_path)]
    for option in (["--cases", "0"], ["--photo-px", "9"], ["--jobs", "-1"], ["--seed", "-1"]):
        assert main([*arguments, *option]) == 2
        assert "Expected --" in capsys.readouterr().err


def test_wrong_methods_end_with_a_sentence(capsys, tmp_path):
    arguments = ["evaluate", "synthetic", "--out", str(tmp_path), "--methods", "magic"]
    assert main(arguments) == 2
    assert "mean face" in capsys.readouterr().err
    with pytest.raises(InputError, match="preset 'nonsense'"):
        make_fitters(("fit",), "nonsense", "commons")
