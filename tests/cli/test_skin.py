"""`fit3dmm skin`, from the outside."""

import numpy as np
import pytest
from PIL import Image

from fit3dmm.cli.main import main
from fit3dmm.observe.skin.model import read_skin_model
from tests.observe.skin.examples import colours


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two groups of two pictures, half brown and half blue, with masks."""
    monkeypatch.setenv("COLUMNS", "200")
    for place in ("dark/a", "dark/b", "light/a", "light/b"):
        x, y = colours(16 * 32, seed=len(place))
        image, mask = tmp_path / f"pictures/{place}.png", tmp_path / f"masks/{place}.png"
        for path in (image, mask):
            path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((255 * x).astype(np.uint8).reshape(32, 32, 3)).save(image)
        Image.fromarray((255 * y).astype(np.uint8).reshape(32, 32)).save(mask)
    return tmp_path / "pictures", tmp_path / "masks"


def _train(folders, out, *more):
    words = ["skin", "train", *map(str, folders), "-o", str(out), "--n-skin", "2", "--n-other", "2"]
    return main([*words, "--per-group", "300", *more])


def test_train_score_and_apply(folders, tmp_path, capsys):
    model = tmp_path / "mine.h5"
    assert _train(folders, model, "--colour-space", "ycbcr") == 0
    assert read_skin_model(model).space == "ycbcr"
    assert "on 4 pictures" in read_skin_model(model).provenance
    assert main(["skin", "score", *map(str, folders), "--model", str(model)]) == 0
    text = capsys.readouterr().out
    assert "jones-rehg" in text
    assert text.count("dark") >= 2
    photo = folders[0] / "dark/a.png"
    assert (
        main(["skin", "apply", str(photo), "-o", str(tmp_path / "maps"), "--model", str(model)])
        == 0
    )
    grey = np.asarray(Image.open(tmp_path / "maps/a.png"))
    mask = np.asarray(Image.open(folders[1] / "dark/a.png"))
    assert grey.shape == mask.shape
    assert ((grey > 127) == (mask > 127)).mean() > 0.95


def _said(capsys) -> str:
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


def test_bad_input_is_one_sentence_and_exit_code_2(folders, tmp_path, capsys):
    pictures, masks = map(str, folders)
    out, maps = str(tmp_path / "out.h5"), str(tmp_path / "maps")
    photo = str(folders[0] / "dark/a.png")
    empty = tmp_path / "empty"
    empty.mkdir()
    for words, sentence in (
        (["train", str(empty), masks, "-o", out], "holds no pictures"),
        (["train", str(tmp_path / "nowhere"), masks, "-o", out], "There is no folder"),
        (["train", pictures, pictures, "-o", out], "both lie in"),
        (["train", pictures, masks, "-o", out, "--prior", "2"], "prior must lie between"),
        (["train", pictures, masks, "-o", out, "--per-group", "0"], "1 or more"),
        (["train", pictures, masks, "-o", out, "--per-group", "3"], "Nothing can be learned"),
        (["score", pictures, masks, "--model", "nothing"], "There is no skin model"),
        (["apply", photo, "-o", maps, "--prior", "0"], "between 0 and 1"),
        (["apply", photo, photo, "-o", maps], "Several photos would become"),
        (["apply", photo, "-o", str(folders[0] / "dark")], "would replace the photo"),
    ):
        assert main(["skin", *words]) == 2, words
        assert sentence in _said(capsys), words


def test_a_picture_without_its_mask_is_named(folders, capsys):
    (folders[1] / "light/b.png").unlink()
    assert main(["skin", "score", *map(str, folders)]) == 2
    assert "has no mask" in _said(capsys)


def test_masks_are_of_the_pictures_size(folders, capsys):
    Image.new("L", (5, 7)).save(folders[1] / "light/b.png")
    assert main(["skin", "score", *map(str, folders)]) == 2
    assert "has 5 x 7 pixels" in _said(capsys)
