"""An evaluation replaces its own files and nobody else's."""

import json
from pathlib import Path

import pytest

from fit3dmm._errors import InputError
from fit3dmm._files import MARK
from fit3dmm.evaluate.own_folder import claim_folder


def files(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.iterdir() if p.is_file()}


def test_the_same_evaluation_goes_on_and_others_are_refused(tmp_path):
    out = tmp_path / "out"
    claim_folder(out, "now", ["summary.json"])
    (out / "summary.json").write_text("{}")
    (out / "notes.txt").write_text("mine")
    before = files(out)
    claim_folder(out, "now", ["summary.json"])
    assert files(out) == before
    with pytest.raises(InputError, match="holds results of now: choose another"):
        claim_folder(out, "realy", ["cases.csv"])
    assert files(out) == before


def test_names_of_the_users_are_refused(tmp_path):
    (tmp_path / "summary.json").write_text('{"format": "mine"}')
    with pytest.raises(InputError, match=r"summary\.json is there already and would be replaced"):
        claim_folder(tmp_path, "now", ["cases.csv", "summary.json"])
    assert list(files(tmp_path)) == ["summary.json"]
    # Meshes of another system that lie in the folder of results: scoring them is no reason to
    # write fits over them later.
    out = tmp_path / "out"
    (out / "predictions").mkdir(parents=True)
    claim_folder(out, "now", ["cases.csv"])
    with pytest.raises(InputError, match="predictions is there already"):
        claim_folder(out, "now", ["cases.csv", "predictions"])
    (out / "predictions").rmdir()
    claim_folder(out, "now", ["predictions"])
    (out / "predictions").mkdir()
    claim_folder(out, "now", ["predictions", "cases.csv"])


def test_a_fits_folder_is_no_evaluations(tmp_path):
    (tmp_path / MARK).write_text(json.dumps({"format": "fit3dmm-folder"}))
    with pytest.raises(InputError, match="holds results of a fit"):
        claim_folder(tmp_path, "now", ["cases.csv"])


def test_results_from_before_there_were_marks_are_known_by_their_summary(tmp_path):
    summary = {"format": "fit3dmm-evaluation-1", "protocol": "now"}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    (tmp_path / "predictions").mkdir()
    with pytest.raises(InputError):
        claim_folder(tmp_path, "realy", ["summary.json"])
    with pytest.raises(InputError):
        claim_folder(tmp_path, "now", ["summary.json", "predictions"])
    (tmp_path / "predictions" / ".fits").mkdir()
    claim_folder(tmp_path, "now", ["summary.json", "predictions"])
