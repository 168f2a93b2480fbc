"""`fit3dmm render`: pictures of models and scenes, and sentences for what can't be drawn."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fit3dmm.cli.main import main
from fit3dmm.export.folder import export_face
from fit3dmm.export.record import save_result
from fit3dmm.model.files import load_model, write_stored
from fit3dmm.render import synthesise
from fit3dmm.scene import Lighting, Pose, Scene
from fit3dmm.scene_file import save_scene
from tests.export.faces import fitted, known_face
from tests.toy import toy_stored


@pytest.fixture
def model(tmp_path: Path) -> str:
    path = tmp_path / "toy.h5"
    write_stored(toy_stored(), path)
    return str(path)


def drawn(tmp_path: Path, *arguments: str) -> np.ndarray:
    output = tmp_path / "picture.png"
    assert main(["render", *arguments, "-o", str(output)]) == 0
    return np.asarray(Image.open(output)).astype(int)


def test_the_mean_face(tmp_path: Path, model: str) -> None:
    picture = drawn(tmp_path, model, "--size-px", "80", "100")
    assert picture.shape == (100, 80, 3)
    assert (picture[0, 0] == 255).all()
    middle = picture[50, 40]
    assert middle[0] > middle[1] > middle[2]  # skin


def test_turning_the_head_moves_its_nose(tmp_path: Path, model: str) -> None:
    small = ("--size-px", "64", "64", "--show", "depth")

    def nearest(*arguments: str) -> float:
        depth = drawn(tmp_path, model, *small, *arguments)[..., 0]
        return float(np.nonzero(depth > 250)[1].mean())

    assert nearest("--yaw-deg", "20") > nearest() + 3
    assert nearest("--yaw-deg", "-20") < nearest() - 3


@pytest.mark.parametrize("show", ["albedo", "normals", "coverage"])
def test_what_can_be_shown(tmp_path: Path, model: str, show: str) -> None:
    picture = drawn(tmp_path, model, "--size-px", "48", "48", "--show", show)
    assert picture[24, 24].max() > 50


def test_coefficients_change_the_picture(tmp_path: Path, model: str) -> None:
    size = ("--size-px", "48", "48")
    mean = drawn(tmp_path, model, *size)
    for arguments in (
        ("--identity", "2.5", "-1"),
        ("--albedo", "2.0"),
        ("--expression", "jawOpen", "1.0"),
        ("--person", "4"),
        ("--light", "coloured"),
    ):
        assert np.abs(drawn(tmp_path, model, *size, *arguments) - mean).max() > 20, arguments


@pytest.fixture
def installed(tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The toy under its name, by which scenes and fits call it."""
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path / "home"))
    target = tmp_path / "home" / "models" / "toy.h5"
    target.parent.mkdir(parents=True)
    target.write_bytes(Path(model).read_bytes())
    return "toy"


def test_a_scene_is_drawn_as_it_was_saved(tmp_path: Path, installed: str) -> None:
    face = load_model(installed)
    scene = Scene.portrait(face.zeros(), 60, 50).replace(
        pose=Pose(torch.tensor([0.0, 0.6, 0.0]), torch.tensor([30.0, 0.0, -650.0])),
        lighting=Lighting.directional((1.0, 0.0, 0.4)),
    )
    save_scene(tmp_path / "scene.h5", scene, installed)
    picture = drawn(tmp_path, str(tmp_path / "scene.h5"), "--show", "coverage")
    expected = 255 * synthesise(face, scene).coverage.numpy()
    assert np.abs(picture[..., 0] - expected).max() <= 1
    # Twice as many pixels show the same view.
    large = drawn(
        tmp_path, str(tmp_path / "scene.h5"), "--show", "coverage", "--size-px", "120", "100"
    )
    smaller = large[..., 0].reshape(50, 2, 60, 2).mean((1, 3))
    assert np.abs(smaller - expected).mean() < 2


def test_a_fit_is_drawn_over_its_photo(tmp_path: Path, installed: str) -> None:
    known = known_face()
    result = fitted(known)
    assert result.model.name == installed
    save_result(tmp_path / "fit.h5", result)
    picture = drawn(tmp_path, str(tmp_path / "fit.h5"), "--show", "coverage")
    camera = known.scene.camera
    assert picture.shape == (camera.height_px, camera.width_px, 3)
    truth = synthesise(known.model, known.scene).coverage.numpy() > 0.5
    # The fit of a drawing without noise covers what the drawing covers, but for its border.
    assert (truth == (picture[..., 0] > 127)).mean() > 0.97
    frontal = drawn(tmp_path, str(tmp_path / "fit.h5"), "--show", "coverage", "--yaw-deg", "0")
    assert np.abs(frontal - picture).mean() > 1


def test_the_folder_of_a_result_gives_its_textured_head(
    tmp_path: Path,
    installed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    known = known_face()
    export_face(fitted(known), known.photo, tmp_path / "me", texture_px=64)
    photo = tmp_path / "photo.png"
    Image.fromarray(known.photo.pixels_srgb.numpy()).save(photo)
    source = str(tmp_path / "me")
    front = drawn(tmp_path, source, "--size-px", "64", "64")
    assert front.shape == (64, 64, 3)
    assert (front[0, 0] == 255).all()
    for arguments in (
        ("--yaw-deg", "40"),
        ("--light", "side"),
        ("--expression", "jawOpen", "1.0"),
        ("--show", "normals"),
        ("--person", "3"),
    ):
        other = drawn(tmp_path, source, "--size-px", "64", "64", *arguments)
        assert np.abs(other - front).max() > 20, arguments
    over = drawn(tmp_path, source, "--size-px", "340", "340", "--photo", str(photo))
    assert np.abs(over - known.photo.pixels_srgb.numpy()).mean() < 1
    assert main(["render", source, "-o", str(tmp_path / "turn.gif"), "--size-px", "16", "16"]) == 0
    with Image.open(tmp_path / "turn.gif") as picture:
        assert picture.n_frames == 36
    monkeypatch.chdir(tmp_path)
    assert main(["render", "me"]) == 0
    assert Path("me.png").is_file()
    capsys.readouterr()
    for arguments, sentence in (
        ((source, "--size-px", "64", "32"), "is square, got 64 x 32"),
        ((source, "--photo", str(photo), "-o", "turn.gif"), "of the head alone"),
        ((installed, "--photo", str(photo)), "goes with the folder of a result"),
    ):
        assert main(["render", *arguments]) == 2
        assert sentence in capsys.readouterr().err


def test_what_cannot_be_drawn(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, sentence in (
        (("nobody",), "no model file or model called 'nobody'"),
        ((model, "--expression", "frown", "1"), "toy has no expression 'frown'"),
        ((model, "--albedo", *["0"] * 9), "has 4 albedo coefficients, got 9"),
    ):
        assert main(["render", *arguments, "-o", str(tmp_path / "none.png")]) == 2
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "none.png").exists()


def test_several_scenes_in_one_file_are_refused(
    tmp_path: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    face = load_model(model)
    save_scene(tmp_path / "two.h5", Scene.portrait(face.zeros(2), 40, 40), model)
    assert main(["render", str(tmp_path / "two.h5")]) == 2
    assert "save them one by one" in capsys.readouterr().err
