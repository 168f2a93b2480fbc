"""A run of `fit3dmm fit`: what is written, what is skipped, several processes, what is said."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fit3dmm.cli.main import main
from fit3dmm.export.mark import read_mark
from fit3dmm.model.files import write_stored
from tests.cli import pictures
from tests.toy import toy_stored


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Settings for tests to which the face does not matter: a model of 386 vertices."""
    path = tmp_path_factory.mktemp("model") / "toy.h5"
    write_stored(replace(toy_stored(), default_level=0), path)
    return "--model", str(path), "--preset", "landmarks", "--texture-size", "64"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two photos of the portrait, in the folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    pictures.portrait().save(folder / "one.png")
    pictures.portrait().rotate(5).save(folder / "two.png")
    return folder


def times(out: Path) -> dict[str, int]:
    return {p.parent.name: p.stat().st_mtime_ns for p in out.glob("*/fit.json")}


def test_without_out_it_goes_beside_and_says_what_to_open(photos, quick, capsys):
    assert main(["fit", "photos/one.png", *quick]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"{Path('fit3dmm-out/one')}: ")
    assert said[-2].strip() == f"Look at it: fit3dmm view {Path('fit3dmm-out/one')}"
    assert said[-1].strip() == f"The avatar: {Path('fit3dmm-out/one/face.glb')}"
    assert all(len(line) <= 100 for line in said)
    assert not Path("fit3dmm-out/index.html").exists()
    # The results of an earlier run are no photos of the next.
    assert main(["fit", ".", "--recursive", *quick]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[-1].strip() == "Look at it: fit3dmm view fit3dmm-out"
    assert Path("fit3dmm-out/index.html").is_file()
    assert sorted(p.name for p in Path("fit3dmm-out").iterdir()) == ["index.html", "one", "two"]


def test_what_is_done_is_not_done_again(photos, quick, capsys):
    arguments = ["fit", str(photos), "-o", "out", *quick]
    assert main(arguments) == 0
    before = times(Path("out"))
    capsys.readouterr()
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.count("there already") == 2
    assert times(Path("out")) == before
    # A photo that joins is fitted, alone.
    pictures.portrait().rotate(-5).save(photos / "three.png")
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {Path(p["photo"]).stem: p.get("skipped", False) for p in document["photos"]} == {
        "one": True,
        "three": False,
        "two": True,
    }
    for photo in document["photos"]:
        (face,) = photo["faces"]
        assert face["fit"]["quality"]["verdict"] in ("good", "doubtful", "failed")
    assert {k: v for k, v in times(Path("out")).items() if k in before} == before


def test_another_wish_is_done_anew(photos, quick, capsys):
    one = str(photos / "one.png")
    # Few files: what is written does not matter to what is done anew.
    arguments = ["fit", one, "-o", "out", *quick, "--write", "json,overlay"]
    assert main(arguments) == 0
    for changed in (
        ["--again"],
        ["--focal", "900"],
        ["--write", "json,h5"],
        ["--texture-size", "128"],
        ["--face", "largest"],
        ["--init", "landmarks"],
    ):
        before = times(Path("out"))
        assert main([*arguments, *changed]) == 0, changed
        assert times(Path("out")) != before, changed
    # A missing file, too; and one that was changed is the user's, which is said.
    assert main(arguments) == 0
    before = times(Path("out"))
    Path("out/one/overlay.png").unlink()
    assert main(arguments) == 0
    assert times(Path("out")) != before
    Path("out/one/overlay.png").write_bytes(b"painted over")
    assert main(arguments) == 2
    assert "is yours, or was changed" in capsys.readouterr().err


def test_only_what_is_asked_for_is_written(photos, quick, capsys):
    arguments = ["fit", str(photos), "-o", "out", *quick, "--write"]
    assert main([*arguments, "glb"]) == 0
    assert sorted(p.name for p in Path("out/one").iterdir()) == [".fit3dmm.json", "face.glb"]
    assert not Path("out/index.html").exists()
    assert main([*arguments, "glb"]) == 0
    assert "there already" in capsys.readouterr().out
    assert main([*arguments, "glb,jsn"]) == 2
    assert "There is no output 'jsn': did you mean 'json'?" in capsys.readouterr().err


def test_somebodys_index_stays(photos, quick, capsys):
    Path("out").mkdir()
    Path("out/index.html").write_text("mine")
    assert main(["fit", str(photos), "-o", "out", *quick, "--write", "report"]) == 0
    assert Path("out/index.html").read_text() == "mine"
    assert "is yours and stays" in capsys.readouterr().err


def test_faces_of_one_photo_are_skipped_together(photos, quick, capsys):
    pictures.two_faces().save("both.png")
    arguments = ["fit", "both.png", "-o", "out", *quick, "--face", "all", "--write", "json"]
    assert main(arguments) == 0
    capsys.readouterr()
    assert main([*arguments, "--json"]) == 0
    (photo,) = json.loads(capsys.readouterr().out)["photos"]
    assert [Path(face["folder"]).name for face in photo["faces"]] == ["face1", "face2"]


def test_processes_make_what_one_makes(photos, quick, capsys):
    (photos / "broken.png").write_bytes(b"dear diary")
    arguments = ["fit", str(photos), *quick, "--write", "json,report"]
    assert main([*arguments, "-o", "one"]) == 2
    capsys.readouterr()
    assert main([*arguments, "-o", "many", "--jobs", "2"]) == 2
    captured = capsys.readouterr()
    assert "broken.png" in captured.err
    assert "1 of 3 photos could not be fitted" in captured.err
    assert Path("many/index.html").is_file()
    for name in ("one", "two"):
        single, shared = (
            json.loads(Path(out, name, "fit.json").read_text()) for out in ("one", "many")
        )
        assert shared["identity"] == pytest.approx(single["identity"], abs=1e-4)
        mark, other = (read_mark(Path(out, name)) for out in ("one", "many"))
        # Either would take the other's for done.
        assert mark is not None
        assert other is not None
        assert mark.settings == other.settings != ""
    assert main([*arguments, "--jobs", "0"]) == 2
    assert "jobs must be 1 or more" in capsys.readouterr().err


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="no process is copied here")
def test_copied_processes_make_what_one_makes(photos, quick):
    """As a command of its own, which has no threads when its workers begin."""
    arguments = ["fit", str(photos), *quick, "--write", "json"]
    code = (
        "import sys; from fit3dmm.cli.main import main\n"
        "ended = main(sys.argv[1:])\n"
        "from fit3dmm.cli.fit_job import _worker_of\n"
        "assert _worker_of.cache_info().currsize == 1, 'the workers began anew'\n"
        "sys.exit(ended)"
    )
    words = [sys.executable, "-c", code, *arguments, "-o", "copied", "--jobs", "2"]
    run = subprocess.run(words, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert main([*arguments, "-o", "here"]) == 0
    for name in ("one", "two"):
        here, copied = (
            json.loads(Path(out, name, "fit.json").read_text()) for out in ("here", "copied")
        )
        assert copied["identity"] == pytest.approx(here["identity"], abs=1e-4)


def test_help_waits_for_nothing_heavy():
    """It takes under half a second on an idle machine, most of it for the parser itself."""
    code = (
        "import sys; from fit3dmm.cli.main import main\n"
        "try: main(['fit', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'scipy', 'numba', 'h5py', 'PIL'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "--jobs" in run.stdout
