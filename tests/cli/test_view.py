"""`fit3dmm view`: the right page is opened, or a sentence says why there is none."""

import webbrowser
from pathlib import Path

import pytest

from fit3dmm.cli.main import main
from fit3dmm.cli.view import find_page
from fit3dmm.export.mark import PhotoIdentity
from fit3dmm.export.result_folder import whole_folder


def result(folder: Path, *places: str) -> None:
    with whole_folder(folder, PhotoIdentity(folder.name, "0")) as made:
        for place in places or (".",):
            (made / place).mkdir(exist_ok=True)
            (made / place / "report.html").write_text("page")


def test_it_finds_the_page(tmp_path):
    result(tmp_path / "out" / "one")
    one = tmp_path / "out" / "one" / "report.html"
    assert find_page(one) == one
    assert find_page(one.parent) == one
    assert find_page(one.parent / ".fit3dmm.json") == one
    assert find_page(tmp_path / "out") == one
    result(tmp_path / "out" / "two", "face1", "face2")
    index = tmp_path / "out" / "index.html"
    assert find_page(tmp_path / "out") == index
    assert index.read_text().count("report.html") == 3
    assert find_page(tmp_path / "out") == index
    # Somebody's own page is none of ours.
    index.write_text("mine")
    assert find_page(tmp_path / "out").name == "report.html"


def test_it_opens_it(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    result(tmp_path / "me & you")
    assert main(["view", str(tmp_path / "me & you")]) == 0
    page = tmp_path / "me & you" / "report.html"
    assert opened == [page.as_uri()]
    assert capsys.readouterr().out.strip() == str(page)
    assert main(["view", str(tmp_path / "me & you"), "--no-open"]) == 0
    assert len(opened) == 1
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert main(["view", str(page)]) == 0
    assert "no browser was found here" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_where_there_is_none(tmp_path, name, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["view", str(tmp_path / name)]) == 2
    said = capsys.readouterr().err
    assert ("There is no" if name == "nothing" else "holds no report.html") in said
