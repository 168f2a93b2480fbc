"""Every protocol from the command line on a small set in its official layout."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fit3dmm.cli.main import main
from fit3dmm.evaluate.mesh_files import read_mesh
from fit3dmm.evaluate.now_error import now_errors_mm
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.triangle_mesh import Mesh
from tests.evaluate import tiny_sets

FIT = ("--fit", "tests.evaluate.tiny_sets:make_fitter")


@dataclass(frozen=True)
class Expectation:
    make: object
    worst_by: str
    options: tuple[str, ...] = ()
    submission: str = ""
    """Pattern of a file of the submission folder; empty where there is none."""


PROTOCOLS = {
    "now": Expectation(tiny_sets.now_set, "mean_mm", submission="FaMoS_003/selfie/IMG_3s0.obj"),
    "realy": Expectation(tiny_sets.realy_set, "all_mm", submission="side/REALY_error.txt"),
    "micc": Expectation(tiny_sets.micc_set, "truth_to_prediction_truth_plane_mm"),
    "facewarehouse": Expectation(
        tiny_sets.facewarehouse_set, "truth_to_prediction_truth_plane_mm", ("--unit-mm", "100")
    ),
    "bu3dfe": Expectation(tiny_sets.bu3dfe_set, "truth_to_prediction_truth_plane_mm"),
    "stirling": Expectation(
        tiny_sets.stirling_set, "rmse_mm", submission="HQ/F1001_a_distances.txt"
    ),
    "aflw2000": Expectation(tiny_sets.aflw2000_set, "original_percent"),
}


def evaluate(name, data, out, *options):
    common = ["--data", data, "--out", out, "--jobs", "1"]
    return main(["evaluate", name, *map(str, [*common, *PROTOCOLS[name].options, *options])])


def cases_of(out):
    with (out / "cases.csv").open() as file:
        return list(csv.DictReader(file))


def summary_of(out):
    return json.loads((out / "summary.json").read_text())


@pytest.mark.parametrize("name", PROTOCOLS)
def test_fit_score_submit_and_resume(name, tmp_path, monkeypatch, capsys):
    expect = PROTOCOLS[name]
    n = expect.make(tmp_path / "set")
    log, out = tmp_path / "fits.txt", tmp_path / "out"
    monkeypatch.setenv("TINY_FITS", str(log))
    submit = ("--submission",) if expect.submission else ()

    assert evaluate(name, tmp_path / "set", out, *FIT, *submit) == 0
    first = {f: (out / f).read_bytes() for f in ("cases.csv", "summary.json", "curve.png")}
    assert len(log.read_text().split()) == n
    rows = cases_of(out)
    assert len(rows) == n
    scored = [row for row in rows if row["status"] == "scored"]
    # The tiny fitter's faces are 5 % too flat, so that the errors are small but not nothing.
    worst = max(float(row[expect.worst_by]) for row in scored)
    assert 0.05 < worst < 4.0
    assert summary_of(out)["counts"]["scored"] == len(scored) >= n - 1
    with Image.open(out / "worst.png") as sheet:
        assert sheet.width >= 260
    if expect.submission:
        assert list((out / "submission").glob(expect.submission))

    # The second run fits and scores nothing, and writes the same files.
    assert evaluate(name, tmp_path / "set", out, *FIT) == 0
    assert len(log.read_text().split()) == n
    assert f"({len(scored)} scores reused" in capsys.readouterr().out
    assert {f: (out / f).read_bytes() for f in first} == first

    # Scored as another system's predictions the numbers are the same; a lost one is counted.
    predictions = out / "predictions"
    assert evaluate(name, tmp_path / "set", tmp_path / "again", "--predictions", predictions) == 0
    again = {row["case"]: row[expect.worst_by] for row in cases_of(tmp_path / "again")}
    assert {row["case"]: row[expect.worst_by] for row in scored}.items() <= again.items()
    lost = scored[0]["case"]
    for file in (predictions / lost).parent.glob(f"{Path(lost).name}.*"):
        file.unlink()
    assert evaluate(name, tmp_path / "set", tmp_path / "lost", "--predictions", predictions) == 0
    assert summary_of(tmp_path / "lost")["counts"]["missing"] == n - len(scored) + 1
    assert "not comparable" in capsys.readouterr().out
    assert {r["case"]: r["status"] for r in cases_of(tmp_path / "lost")}[lost] == "missing"


@pytest.mark.parametrize(("name", "persons", "photos"), [("now", 2, 8), ("micc", 4, 5)])
def test_photos_of_a_person_are_one_case(name, persons, photos, tmp_path, monkeypatch, capsys):
    PROTOCOLS[name].make(tmp_path / "set")
    log, out = tmp_path / "fits.txt", tmp_path / "out"
    monkeypatch.setenv("TINY_FITS", str(log))
    assert evaluate(name, tmp_path / "set", out, *FIT, "--together") == 0
    # Each fit was given all of the person's photos, also one that shows nobody.
    assert len(log.read_text().split()) == photos
    assert summary_of(out)["counts"] == {"cases": persons, "scored": persons}
    assert evaluate(name, tmp_path / "set", out, *FIT, "--together") == 0
    assert len(log.read_text().split()) == photos
    # Alone they are other cases, and a fitter of single photos is told.
    one_photo = ("--fit", "tests.evaluate.test_protocols:one_photo_fitter")
    assert evaluate(name, tmp_path / "set", tmp_path / "other", *one_photo, "--together") == 2
    assert "takes one photo at a time" in capsys.readouterr().err


@dataclass(frozen=True)
class _OnePhoto:
    fingerprint: str = "one photo"

    def __call__(self, photo: Path) -> None:
        del photo


def one_photo_fitter() -> _OnePhoto:
    return _OnePhoto()


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_wrong_folder_is_shown_the_layout(name, tmp_path, capsys):
    (tmp_path / "predictions").mkdir()
    code = evaluate(name, tmp_path, tmp_path / "out", "--predictions", tmp_path / "predictions")
    assert code == 2
    error = capsys.readouterr().err
    assert "expected this layout:\n  DATA/" in error
    assert "PREDICTIONS/" in error


def test_resumes_after_a_kill(tmp_path):
    """Kill the whole command while two workers fit; the second run does the rest, and only that."""
    n = tiny_sets.now_set(tmp_path / "set")
    log, out = tmp_path / "fits.txt", tmp_path / "out"
    arguments = ["evaluate", "now", "--data", tmp_path / "set", "--out", out, *FIT]
    command = [sys.executable, "-m", "fit3dmm.cli.main", *map(str, arguments)]
    environment = {**os.environ, "TINY_FITS": str(log), "TINY_SECONDS": "0.4"}
    first = subprocess.Popen(
        [*command, "--jobs", "2"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    notes = out / "cache" / "fits"
    deadline = time.monotonic() + 120
    while len(list(notes.glob("[!.]*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert first.returncode == -signal.SIGKILL
    time.sleep(1.0)  # workers see that their parent is gone, and end
    finished = {json.loads(p.read_text())["case"] for p in notes.glob("[!.]*.json")}
    assert 2 <= len(finished) < n
    log.write_text("")
    done = subprocess.run(
        [*command, "--jobs", "1"],
        env={**environment, "TINY_SECONDS": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    fitted = set(log.read_text().split())
    assert len(fitted) == n - len(finished)
    assert not {f"{case.rpartition('/')[2]}.jpg" for case in finished} & fitted
    assert summary_of(out)["counts"] == {"cases": 8, "scored": 7, "no face": 1}


def test_the_now_table_pools_the_distances_of_all_cases(tmp_path):
    tiny_sets.now_set(tmp_path / "set")
    assert evaluate("now", tmp_path / "set", tmp_path / "out", *FIT) == 0
    errors = []
    for row in cases_of(tmp_path / "out"):
        if row["status"] != "scored":
            continue
        scan = tiny_sets.face(int(row["case"][6:9]))
        stem = tmp_path / "out" / "predictions" / row["case"]
        prediction = read_mesh(stem.with_suffix(".obj"))
        points = np.load(stem.with_suffix(".npy"))
        errors.append(
            now_errors_mm(
                scan.vertices,
                tiny_sets.seven(scan),
                prediction.vertices,
                prediction.triangles,
                points,
            )
        )
    pooled = np.concatenate(errors)
    total = summary_of(tmp_path / "out")["table"][0]
    # The scan went through a file with six decimals.
    assert total["median_mm"] == pytest.approx(np.median(pooled), abs=1e-4)
    assert total["mean_mm"] == pytest.approx(pooled.mean(), abs=1e-4)
    assert total["points"] == len(pooled)
    assert total["no face"] == 1


def test_a_damaged_prediction_is_counted_and_does_not_end_the_run(tmp_path, capsys):
    tiny_sets.stirling_set(tmp_path / "set")
    assert evaluate("stirling", tmp_path / "set", tmp_path / "out", *FIT) == 0
    predictions = tmp_path / "out" / "predictions"
    (predictions / "HQ" / "F1001_a.obj").write_text("v 1 2\n")
    np.save(predictions / "LQ" / "F1001_a.npy", np.zeros((6, 3)))
    again = tmp_path / "again"
    assert evaluate("stirling", tmp_path / "set", again, "--predictions", predictions) == 0
    assert summary_of(again)["counts"] == {"cases": 4, "scored": 2, "failed": 2}
    reasons = {row["case"]: row["reason"] for row in cases_of(again)}
    assert "fewer than three" in reasons["HQ/F1001_a"]
    assert "Expected 7 x 3 numbers" in reasons["LQ/F1001_a"]


def test_a_changed_prediction_or_setting_is_scored_anew(tmp_path, capsys):
    tiny_sets.now_set(tmp_path / "set")
    assert evaluate("now", tmp_path / "set", tmp_path / "out", *FIT) == 0
    predictions, out = tmp_path / "out" / "predictions", tmp_path / "scores"
    given = ("--predictions", predictions)
    assert evaluate("now", tmp_path / "set", out, *given) == 0
    before = cases_of(out)
    path = predictions / "FaMoS_003" / "selfie" / "IMG_3s0.obj"
    mesh = read_mesh(path)
    write_obj(path, Mesh(mesh.vertices * [1, 1, 0.8], mesh.triangles))
    capsys.readouterr()
    assert evaluate("now", tmp_path / "set", out, *given) == 0
    assert "(6 scores reused" in capsys.readouterr().out
    changed = [a["case"] for a, b in zip(cases_of(out), before, strict=True) if a != b]
    assert changed == ["FaMoS_003/selfie/IMG_3s0"]
    assert evaluate("now", tmp_path / "set", out, *given, "--metrical") == 0
    assert "(0 scores reused" in capsys.readouterr().out


def test_the_metrical_challenge_minds_the_unit(tmp_path):
    tiny_sets.now_set(tmp_path / "set")
    assert evaluate("now", tmp_path / "set", tmp_path / "out", *FIT, "--metrical") == 0
    right = summary_of(tmp_path / "out")["table"][0]["mean_mm"]
    given = ("--predictions", tmp_path / "out" / "predictions", "--metrical", "--unit", "cm")
    assert evaluate("now", tmp_path / "set", tmp_path / "cm", *given) == 0
    assert right < 1
    assert summary_of(tmp_path / "cm")["table"][0]["mean_mm"] > 3


def test_a_test_set_without_scans_is_fitted_and_submitted(tmp_path, capsys):
    n = tiny_sets.now_set(tmp_path / "set")
    (tmp_path / "set" / "imagepathsvalidation.txt").rename(tmp_path / "set" / "imagepathstest.txt")
    (tmp_path / "set" / "scans").rename(tmp_path / "kept_back")
    options = (*FIT, "--split", "test", "--submission")
    assert evaluate("now", tmp_path / "set", tmp_path / "out", *options) == 0
    assert summary_of(tmp_path / "out")["counts"] == {
        "cases": n,
        "scored": 0,
        "no face": 1,
        "no truth": 7,
    }
    assert len(list((tmp_path / "out" / "submission").rglob("*.obj"))) == 7
    assert "1 photos have no prediction" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "exactly one"),
        ((*FIT, "--predictions", "."), "exactly one"),
        (("--predictions", "nowhere"), "folder of predictions"),
        (("--fit", "no-such-preset"), "There is no preset"),
        (("--fit", "tests.evaluate.tiny_sets:gone"), "Can't load"),
        (("--predictions", ".", "--submission"), "takes no submissions"),
        ((*FIT, "--jobs", "-1"), "--jobs 0 or more"),
    ],
)
def test_options_that_do_not_fit_together_get_a_sentence(tmp_path, capsys, options, sentence):
    tiny_sets.micc_set(tmp_path / "set")
    assert evaluate("micc", tmp_path / "set", tmp_path / "out", *options) == 2
    assert sentence in capsys.readouterr().err


def test_realy_asks_for_the_template_and_reads_a_foreign_one(tmp_path, capsys):
    tiny_sets.realy_set(tmp_path / "set")
    assert evaluate("realy", tmp_path / "set", tmp_path / "out", *FIT) == 0
    predictions = tmp_path / "out" / "predictions"
    elsewhere = (predictions / "template.txt").rename(tmp_path / "bfm.txt")
    given = ("--predictions", predictions)
    assert evaluate("realy", tmp_path / "set", tmp_path / "a", *given) == 2
    assert "85 keypoints" in capsys.readouterr().err
    assert evaluate("realy", tmp_path / "set", tmp_path / "a", *given, "--template", elsewhere) == 0
    assert summary_of(tmp_path / "a")["table"] == summary_of(tmp_path / "out")["table"]


def test_mesh_pair_prints_both_directions(tmp_path, capsys):
    face, other = tiny_sets.face(1), tiny_sets.face(2)
    write_obj(tmp_path / "truth.obj", face)
    write_obj(tmp_path / "other.obj", Mesh(other.vertices * 0.1 + 4, other.triangles))
    tiny_sets.write_points(tmp_path / "truth.txt", tiny_sets.seven(face))
    tiny_sets.write_points(tmp_path / "other.txt", tiny_sets.seven(other) * 0.1 + 4)
    pair = ["--truth", tmp_path / "truth.obj", "--prediction", tmp_path / "other.obj"]
    points = ["--truth-landmarks", tmp_path / "truth.txt"]
    out = ["--out", tmp_path / "out"]

    def run(*options):
        return main(["evaluate", "mesh-pair", *map(str, [*pair, *out, *options])])

    assert run(*points, "--prediction-landmarks", tmp_path / "other.txt", "--now-crop") == 0
    rows = {row["direction"]: row for row in summary_of(tmp_path / "out")["table"]}
    assert set(rows) == {"truth to prediction", "prediction to truth"}
    # The rule of NoW on the same files, alignment, crop and all.
    now = now_errors_mm(
        face.vertices,
        tiny_sets.seven(face),
        other.vertices,
        other.triangles,
        tiny_sets.seven(other),
    )
    assert rows["truth to prediction"]["mean"] == pytest.approx(now.mean(), abs=1e-4)
    assert (tmp_path / "out" / "errors.png").exists()
    assert run(*points) == 2
    assert "both meshes or of neither" in capsys.readouterr().err
    assert run("--align", "none") == 0
    assert summary_of(tmp_path / "out")["prediction_to_truth"]["scale"] == 1.0


@pytest.mark.parametrize(("factor", "shift"), [(0.001, 0.0), (1.0, 3000.0), (500.0, -1e5)])
def test_mesh_pair_finds_meshes_that_lie_apart(tmp_path, capsys, factor, shift):
    """Other units and origins without landmarks: once an endless run."""
    face = tiny_sets.face(1)
    write_obj(tmp_path / "truth.obj", face)
    # A float of six decimals keeps half a micrometre of a face in metres.
    write_obj(tmp_path / "other.obj", Mesh(face.vertices * factor + shift, face.triangles))
    pair = ["--truth", tmp_path / "truth.obj", "--prediction", tmp_path / "other.obj"]
    out = ["--out", tmp_path / "out"]
    assert main(["evaluate", "mesh-pair", *map(str, [*pair, *out])]) == 0
    found = summary_of(tmp_path / "out")
    assert found["prediction_to_truth"]["scale"] == pytest.approx(1 / factor, rel=1e-4)
    assert found["table"][0]["mean"] < 2e-3


def test_mesh_pair_ends_on_a_hopeless_alignment(tmp_path, capsys):
    face = tiny_sets.face(1)
    write_obj(tmp_path / "truth.obj", face)
    write_obj(tmp_path / "other.obj", Mesh(face.vertices * 0.001, face.triangles))
    tiny_sets.write_points(tmp_path / "truth.txt", tiny_sets.seven(face))
    # Landmarks that have nothing to do with the mesh put it far away, and tiny.
    tiny_sets.write_points(tmp_path / "other.txt", tiny_sets.seven(face) + 5000.0)
    pair = ["--truth", tmp_path / "truth.obj", "--prediction", tmp_path / "other.obj"]
    points = ["--truth-landmarks", tmp_path / "truth.txt"]
    points += ["--prediction-landmarks", tmp_path / "other.txt", "--out", tmp_path / "out"]
    assert main(["evaluate", "mesh-pair", *map(str, [*pair, *points])]) == 2
    assert "can't be aligned" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
