"""Folders and patterns stand for the photos in them, and for nothing else."""

import os
from pathlib import Path

import pytest

from fit3dmm.cli.inputs import Inputs, find_photos
from fit3dmm.export.mark import PhotoIdentity
from fit3dmm.export.result_folder import whole_folder


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "b.JPG",
        "a.png",
        "notes.txt",
        ".hidden.jpg",
        "in/c.webp",
        ".git/d.jpg",
        "[1].tif",
    ):
        path = Path("photos", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    # Results hold pictures, too.
    for target in ("photos/a", "photos/results/b"):
        with whole_folder(Path(target), PhotoIdentity("a", "0")) as folder:
            (folder / "overlay.png").write_bytes(b"")
    Path("photos/results/old.jpg").write_bytes(b"")
    return Path("photos")


def found(*arguments: str, recursive: bool = False) -> Inputs:
    return find_photos([Path(a) for a in arguments], recursive, Path("photos/results"))


def names(inputs: Inputs) -> list[str]:
    return [str(path) for path in inputs.photos]


def test_a_folder_stands_for_its_photos(photos):
    inputs = found("photos")
    assert names(inputs) == ["photos/[1].tif", "photos/a.png", "photos/b.JPG"]
    assert inputs.left_out == (photos / "notes.txt",)
    assert not inputs.failed
    assert names(found("photos", recursive=True)) == [*names(inputs), "photos/in/c.webp"]


def test_a_pattern_stands_for_what_it_matches(photos):
    assert names(found("photos/*.png")) == ["photos/a.png"]
    assert names(found(f"{Path.cwd()}/**/*.webp")) == [str(Path.cwd() / "photos/in/c.webp")]
    # A file of that very name is no pattern.
    assert names(found("photos/[1].tif")) == ["photos/[1].tif"]
    # As the shell gives them: results among the photos are passed over.
    assert names(found(*(str(p) for p in sorted(photos.iterdir()) if p.name[0] != "."))) == [
        *("photos/[1].tif", "photos/a.png", "photos/b.JPG", "photos/in/c.webp"),
        *("photos/notes.txt", "photos/results/old.jpg"),
    ]


def test_each_photo_once(photos):
    Path("link.png").symlink_to(photos / "a.png")
    assert names(found("photos/a.png", "./photos/../photos/a.png", "link.png", "photos")) == [
        *("photos/a.png", "photos/[1].tif", "photos/b.JPG")
    ]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("*.nix", "No file is called like"),
        ("empty", "holds no pictures: give"),
        ("outer", "holds no pictures (--recursive looks into its folders"),
        ("photos/a", "is a result of fit3dmm's"),
    ],
)
def test_what_stands_for_nothing_gets_a_sentence(argument, sentence, photos):
    Path("empty").mkdir()
    Path("outer/in").mkdir(parents=True)
    ((path, error),) = found(argument).failed
    assert path == Path(argument)
    assert sentence in str(error)


def test_a_folder_that_cannot_be_opened_gets_a_sentence(photos):
    if os.geteuid() == 0:
        pytest.skip("the superuser may look anywhere")
    (photos / "in").chmod(0)
    inputs = found("photos", recursive=True)
    (photos / "in").chmod(0o700)
    ((path, error),) = inputs.failed
    assert path == photos / "in"
    assert "Permission denied" in str(error)
    assert len(inputs.photos) == 3
