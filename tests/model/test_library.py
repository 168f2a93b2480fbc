"""Where models are found, also for a user without a home."""

from pathlib import Path

import pytest

from fit3dmm._errors import InputError
from fit3dmm.cli.main import main
from fit3dmm.model.library import find_model, installed_models, models_folder


@pytest.fixture
def homeless(monkeypatch):
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("FIT3DMM_HOME", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.setattr(Path, "expanduser", lambda path: nobody())


def test_a_user_without_a_home_has_the_shipped_model(homeless, capsys):
    assert list(installed_models()) == ["commons"]
    assert find_model("commons").is_file()
    with pytest.raises(InputError, match="known are commons"):
        find_model("~/mine.h5")
    assert main(["model", "list"]) == 0
    assert "commons" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("bfm2009", "`fit3dmm model convert FILES` makes bfm2009"),
        ("ict", "`fit3dmm model download ict`"),
        ("mine", "`fit3dmm model convert` add more"),
    ],
)
def test_a_model_that_is_not_there_yet_says_how_to_get_it(name, remedy, monkeypatch, tmp_path):
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path))
    with pytest.raises(InputError, match=remedy):
        find_model(name)


def test_where_to_keep_models_is_asked_for(homeless, monkeypatch, tmp_path):
    with pytest.raises(InputError, match="set FIT3DMM_HOME"):
        models_folder()
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path))
    assert models_folder() == tmp_path / "models"


def test_a_folder_that_is_none_of_yours(monkeypatch, tmp_path):
    (tmp_path / "models").touch()
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path))
    assert list(installed_models()) == ["commons"]
