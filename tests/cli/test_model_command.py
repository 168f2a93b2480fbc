"""`fit3dmm model`, from the outside: what it prints, writes and returns."""

import pytest

from fit3dmm.cli import model as command
from fit3dmm.cli.main import main
from fit3dmm.model.files import load_model, write_stored
from fit3dmm.model.library import models_folder
from tests.model import source_files as made
from tests.toy import toy_stored


@pytest.fixture
def toy_file(tmp_path, monkeypatch):
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path / "home"))
    # Wide enough that no line is wrapped.
    monkeypatch.setenv("COLUMNS", "250")
    path = tmp_path / "toy.h5"
    write_stored(toy_stored(), path)
    monkeypatch.setattr(command, "find_model", lambda name: path)
    return path


def test_info_tells_what_a_file_holds(toy_file, capsys):
    assert main(["model", "info", str(toy_file)]) == 0
    text = capsys.readouterr().out
    assert "386 vertices, 384 quads; used at level 1" in text
    assert "ibug68 (68), mediapipe478 (478), now7 (7), jaw17 (17)" in text
    assert "CC0-1.0" in text


def test_convert_writes_a_model_that_is_known_by_name(toy_file, tmp_path, capsys):
    made.write_bfm2017(tmp_path / "source" / "model.h5")
    assert main(["model", "convert", str(tmp_path / "source")]) == 0
    text = capsys.readouterr().out
    assert "mm mean residual" in text
    assert load_model("bfm2019").n_identity == 4
    assert (models_folder() / "bfm2019.h5").exists()


def test_show_draws_a_file(toy_file, tmp_path):
    output = tmp_path / "sheet.png"
    assert main(["model", "show", str(toy_file), "-o", str(output), "--tile-px", "32"]) == 0
    assert output.stat().st_size > 10_000


def test_bad_input_is_one_sentence_and_exit_code_2(toy_file, tmp_path, capsys):
    assert main(["model", "convert", str(tmp_path / "missing")]) == 2
    assert main(["model", "convert"]) == 2
    assert main(["model", "show", str(tmp_path / "home")]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("fit3dmm: ") for line in lines)


def test_list_names_the_shipped_model_and_the_downloads(toy_file, capsys):
    assert main(["model", "list"]) == 0
    text = capsys.readouterr().out
    assert "commons" in text
    assert "fit3dmm model download ict (110 MB)" in text
    assert "fit3dmm model download gnm (54 MB)" in text
