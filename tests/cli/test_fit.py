"""`fit3dmm fit`: a photo in, a folder of files out; a sentence and nothing half-written else."""

import json
import math
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
import trimesh
from PIL import Image

import fit3dmm
from fit3dmm import load_face
from fit3dmm._files import MARK, data_path
from fit3dmm.cli.main import main
from fit3dmm.export import folder
from fit3dmm.export.hair_hanging import HANGING
from fit3dmm.export.hair_raised import raised
from fit3dmm.export.resting import from_rest, resting
from fit3dmm.model.files import write_stored
from tests.cli import pictures
from tests.toy import toy_stored

WRITTEN = sorted([MARK, *folder.FILES])
PORTRAIT = str(data_path("examples/astronaut.png"))


def left_in(path: Path) -> list[str]:
    """Every file and folder below, hidden ones too."""
    return sorted(str(p.relative_to(path)) for p in path.rglob("*"))


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """Settings for tests to which the face does not matter: a model of 386 vertices."""
    path = tmp_path_factory.mktemp("model") / "toy.h5"
    write_stored(replace(toy_stored(), default_level=0), path)
    return "--model", str(path), "--preset", "landmarks", "--texture-size", "64"


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("fit")
    assert main(["fit", PORTRAIT, "--out", str(out), "--texture-size", "256"]) == 0
    assert left_in(out) == ["astronaut", *(f"astronaut/{name}" for name in WRITTEN)]
    return out / "astronaut"


def test_the_portrait_is_fitted(fitted):
    said = json.loads((fitted / "fit.json").read_text())
    assert said["quality"]["verdict"] == "good"
    assert said["quality"]["landmark_error_mm"] < 3
    assert said["model"]["name"] == "commons"
    eyes_px = np.array(said["landmarks_photo_px"])[36:48].mean(0)
    # Between the eyes of the picture, as a person sees them.
    np.testing.assert_allclose(eyes_px, [225.5, 102], atol=2)
    result = fit3dmm.load_result(fitted / "fit.h5")
    assert result.focal_px == pytest.approx(said["focal_px"], rel=1e-6)


def test_meshes_and_camera_agree(fitted):
    said = json.loads((fitted / "fit.json").read_text())
    posed = np.asarray(trimesh.load(fitted / "posed.obj", process=False).vertices)
    K = np.array(said["camera"])
    px = posed @ K.T
    px = px[:, :2] / px[:, 2:]
    left, top, right, bottom = said["depth_box_px"]
    assert left - 1 < px[:, 0].min() < px[:, 0].max() < right + 1
    assert top - 1 < px[:, 1].min() < px[:, 1].max() < bottom + 1
    depth = np.load(fitted / "depth.npy")
    assert depth.shape == (bottom - top, right - left)
    assert np.nanmin(depth) == pytest.approx(posed[:, 2].min(), abs=2)
    mask = np.asarray(Image.open(fitted / "face_mask.png"))
    assert mask.shape == depth.shape
    avatar = trimesh.load(fitted / "face.glb")
    neutral = trimesh.load(fitted / "neutral.obj", process=False)
    # Its hair stands off, which nothing has that is measured.
    face = load_face(fitted)
    hair = face.skin.hair_shape
    assert hair is not None
    top_mm = raised(face.morphable, torch.from_numpy(face.neutral_vertices_mm), hair.raised_mm)
    # Metres against millimetres; the avatar's coarser mesh misses some outermost vertices.
    np.testing.assert_allclose(1000 * avatar.bounds, bounds_mm(top_mm.numpy()), atol=0.5)
    assert 1000 * avatar.bounds[1, 1] > neutral.bounds[1, 1] + 10
    assert {"head_skin", "eye_left", "teeth_lower", "tongue"} <= avatar.geometry.keys()
    for name, part in avatar.geometry.items():
        size = (512, 256) if name == HANGING else (256, 256)  # hair has a picture of its own
        assert part.visual.material.baseColorTexture.size == size


def bounds_mm(vertices: np.ndarray) -> np.ndarray:
    return np.stack([vertices.min(0), vertices.max(0)])


def test_the_avatar_is_at_rest_unless_the_fitted_expression_is_asked_for(fitted, tmp_path):
    def shown(path: Path) -> np.ndarray:
        (mesh,) = (m for m in pygltflib.GLTF2().load(str(path)).meshes if m.name == "head_skin")
        return np.array(mesh.weights)

    assert not shown(fitted / "face.glb").any()
    out = tmp_path / "out"
    quick = ("--preset", "landmarks", "--texture-size", "64")
    wish = ("--expression", "fitted", "--compact", "--hair", "flat")
    assert main(["fit", PORTRAIT, "--out", str(out), *quick, *wish]) == 0
    said = json.loads((out / "astronaut/fit.json").read_text())
    fitted_face = load_face(out / "astronaut")
    rest = resting(fitted_face.morphable, fitted_face.scene.coefficients)
    weights = from_rest(torch.tensor(list(said["expression"].values())), rest).numpy()
    np.testing.assert_allclose(shown(out / "astronaut/face.glb"), weights, atol=1e-4)
    assert max(weights) > 0.1
    small, full = ((place / "face.glb").stat().st_size for place in (out / "astronaut", fitted))
    assert small < 0.5 * full
    assert fitted_face.skin.hair_shape is None
    flat = trimesh.load(out / "astronaut/face.glb").bounds
    full_face = load_face(fitted)
    np.testing.assert_allclose(1000 * flat, bounds_mm(fitted_face.neutral_vertices_mm), atol=0.5)
    assert full_face.render(64) != full_face.with_hair("flat").render(64)
    clay = [one.render(64, textured=False) for one in (full_face, full_face.with_hair("flat"))]
    assert clay[0] == clay[1]


def test_the_texture_on_the_face_looks_like_the_photo(fitted):
    """Projecting the neutral mesh's texture with the fitted light gives the photo's colours."""
    result = fit3dmm.load_result(fitted / "fit.h5")
    model = fit3dmm.load_model()
    texture = torch.from_numpy(np.asarray(Image.open(fitted / "texture.png")).copy()) / 255
    texture = texture.permute(2, 0, 1)[None]
    uv = model.surface.uv * torch.tensor([2.0, -2.0]) + torch.tensor([-1.0, 1.0])
    at_uv = torch.nn.functional.grid_sample(texture, uv[None, None], align_corners=False)[0, :, 0].T
    colour = torch.zeros(model.n_vertices, 3)
    corners, uv_corners = model.surface.triangles.flatten(), model.surface.uv_triangles.flatten()
    colour[corners] = at_uv[uv_corners]
    nose = model.regions["nose"] > 0.9
    lips = model.regions["lips"] > 0.9
    # Skin is reddish, and lips are redder than the nose.
    mean = colour[nose].mean(0)
    assert mean[0] > mean[1] > mean[2]
    redness = [float(colour[part, 0].mean() / colour[part, 1].mean()) for part in (lips, nose)]
    assert redness[0] > redness[1]
    assert result.level == model.surface.level


def test_another_run_replaces_the_folder_and_json_says_so(tmp_path, quick, capfd):
    target = tmp_path / "astronaut"
    arguments = ["fit", PORTRAIT, "--out", str(tmp_path), *quick]
    assert main(arguments) == 0
    before = (target / "fit.json").stat().st_mtime_ns
    capfd.readouterr()
    assert main([*arguments, "--json", "--focal", "900", "--size", "128"]) == 0
    out, err = capfd.readouterr()
    document = json.loads(out)
    assert err == ""  # quiet where there is no terminal
    (photo,) = document["photos"]
    assert photo["ok"]
    (face,) = photo["faces"]
    assert face["folder"] == str(target)
    assert face["fit"]["focal_px"] == pytest.approx(900)
    assert face["fit"]["focal_sigma_px"] == 0
    assert face["fit"]["preset"] == "landmarks"
    assert (target / "fit.json").stat().st_mtime_ns > before
    assert left_in(target) == WRITTEN
    assert left_in(tmp_path)[0] == "astronaut"


def test_faces_are_chosen_by_number_or_all(tmp_path, quick, capsys):
    pictures.two_faces().save(tmp_path / "two.png")
    out = tmp_path / "out"
    arguments = ["fit", str(tmp_path / "two.png"), "--out", str(out), *quick]
    assert main([*arguments, "--face", "all"]) == 0
    assert [p.name for p in sorted((out / "two").iterdir())] == [MARK, "face1", "face2"]
    x_px = [
        np.mean([p[0] for p in json.loads(f.read_text())["landmarks_photo_px"]])
        for f in sorted((out / "two").glob("face*/fit.json"))
    ]
    assert abs(x_px[0] - x_px[1]) > 200
    assert main([*arguments, "--face", "3"]) == 2
    assert "there is no face 3" in capsys.readouterr().err
    assert (out / "two" / "face1" / "fit.json").is_file()  # a failure leaves what was there


@pytest.mark.parametrize("name", pictures.REFUSED)
def test_bad_photos_get_a_sentence(name, tmp_path, capfd):
    make, sentence = pictures.REFUSED[name]
    photo, out = make(tmp_path), tmp_path / "out"
    assert main(["fit", str(photo), "--out", str(out)]) == 2
    printed, said = capfd.readouterr()
    assert printed == ""
    assert len(said.splitlines()) == 1
    assert re.search(sentence, said), said
    assert not out.exists() or left_in(out) == []


def test_hard_photos_end_in_a_result_that_judges_itself(tmp_path, capfd):
    for name, make in pictures.SURVIVED.items():
        make().save(tmp_path / f"{name}.png")
    photos = sorted(str(p) for p in tmp_path.glob("*.png"))
    out = tmp_path / "out"
    code = main(["fit", *photos, "--out", str(out), "--texture-size", "64", "--json"])
    document = json.loads(capfd.readouterr().out)
    assert code == (0 if all(photo["ok"] for photo in document["photos"]) else 2)
    for photo in document["photos"]:
        name = Path(photo["photo"]).stem
        if not photo["ok"]:
            assert "No face was found" in photo["error"], name
            assert not (out / name).exists()
            continue
        (face,) = photo["faces"]
        quality = face["fit"]["quality"]
        assert quality["verdict"] in ("good", "doubtful", "failed")
        assert math.isfinite(quality["landmark_error_mm"])
        assert left_in(out / name) == WRITTEN
    known = {Path(p["photo"]).stem: p for p in document["photos"]}
    assert known["black and white"]["ok"]


def test_one_bad_photo_does_not_stop_the_others(tmp_path, quick, capfd):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    good = tmp_path / "good.png"
    pictures.portrait().save(good)
    out = tmp_path / "out"
    arguments = [str(bad), str(good), str(tmp_path / "none.png"), "--out", str(out), *quick]
    assert main(["fit", *arguments]) == 2
    printed, said = capfd.readouterr()
    assert "is empty" in said
    assert "No such file" in said
    assert "2 of 3 photos could not be fitted" in said
    assert f"{out / 'good'}: " in printed
    assert [p.name for p in out.iterdir()] == ["good"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--model", "nobody"), "no model file or model called 'nobody'"),
        (("--preset", "slow"), "no preset 'slow'"),
        (("--size", "20"), "working size must be 64..1024 px, got 20"),
        (("--focal", "-5"), "focal length must be above 0 px"),
        (("--focal", "nan"), "focal length must be a number of px"),
        (("--texture-size", "8"), "texture must be 64..8192 px, got 8"),
        (("--face", "0"), "there is no face 0"),
        (("--box", "90", "10", "20", "80"), "right must be more than left"),
        (("--box", "9", "10", "20", "80", "--face", "2"), "not both"),
    ],
)
def test_bad_settings_get_a_sentence(arguments, sentence, tmp_path, capfd):
    out = tmp_path / "out"
    assert main(["fit", PORTRAIT, "--out", str(out), *arguments]) == 2
    assert sentence in capfd.readouterr().err
    assert not out.exists()


def test_a_box_is_for_one_photo(tmp_path, capfd):
    other = shutil.copy(PORTRAIT, tmp_path / "other.png")
    out = tmp_path / "out"
    box = ("--box", "160", "50", "290", "190")
    assert main(["fit", PORTRAIT, str(other), "--out", str(out), *box]) == 2
    assert "A box is for one photo" in capfd.readouterr().err
    assert not out.exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_device_that_is_not_there(tmp_path, capfd):
    assert main(["fit", PORTRAIT, "--out", str(tmp_path / "out"), "--device", "cuda"]) == 2
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "torch sees no CUDA device here" in said[0]
    assert not (tmp_path / "out").exists()


def test_a_damaged_model(tmp_path, capfd):
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--model", str(tmp_path / "model.h5")]
    assert main(["fit", PORTRAIT, *arguments]) == 2
    assert "can't be read as a fit3dmm model" in capfd.readouterr().err
    assert not out.exists()


def test_a_folder_of_mixed_files(tmp_path, quick, capfd):
    """Names of all kinds, and broken files among them: each ends in a result or a sentence."""
    for name in ("a/me.png", "b/me.png", "b/caf\udce9 [b]\n.png", "b/" + "é" * 120 + ".png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(PORTRAIT, tmp_path / name)
    (tmp_path / "a" / "empty.jpg").write_bytes(b"")
    (tmp_path / "b" / "text.png").write_bytes(b"dear diary")
    (tmp_path / "b" / "list.txt").write_bytes(b"dear diary")
    out = tmp_path / "out"
    assert main(["fit", str(tmp_path), "--recursive", "--out", str(out), *quick]) == 2
    printed, said = capfd.readouterr()
    sentences = said.splitlines()
    assert [line for line in sentences if "empty.jpg" in line or "text.png" in line] == sentences[
        1:3
    ]
    assert "list.txt" in sentences[0]
    assert "2 of 6 photos could not be fitted" in sentences[3]
    assert len(re.findall(r"^\S.*: (?:good|doubtful|failed) \(", printed, re.MULTILINE)) == 4
    assert "caf\\udce9 [b]\\n: " in printed
    assert (out / "index.html").is_file()
    made = sorted(p.name for p in out.iterdir() if p.is_dir())
    assert made == sorted(["a-me", "b-me", "caf\udce9 [b]\n", "é" * 120])
    for name in made:
        assert left_in(out / name) == WRITTEN
        said = json.loads((out / name / "fit.json").read_text())
        assert said["photo"]["name"] == name[-len(said["photo"]["name"]) :]
        assert fit3dmm.load_result(out / name / "fit.h5").observation.name == said["photo"]["name"]


def test_outputs_that_cannot_be_written(tmp_path, quick, capfd):
    (tmp_path / "file").write_text("mine")
    taken = tmp_path / "taken" / "astronaut"
    taken.mkdir(parents=True)
    (taken / "diary.txt").write_text("mine")
    for out, sentence in (
        (tmp_path / "file", "file is a file: choose another folder"),
        (Path("/proc/fit3dmm"), "Can't write to"),
        (taken.parent, "has no mark of fit3dmm's"),
    ):
        assert main(["fit", PORTRAIT, "--out", str(out), *quick]) == 2
        assert sentence in capfd.readouterr().err
    assert left_in(tmp_path) == ["file", "taken", "taken/astronaut", "taken/astronaut/diary.txt"]


def test_a_read_only_folder(tmp_path, quick, capfd):
    if os.geteuid() == 0:
        pytest.skip("the superuser may write anywhere")
    (tmp_path / "out").mkdir(mode=0o500)
    assert main(["fit", PORTRAIT, "--out", str(tmp_path / "out"), *quick]) == 2
    assert "Can't write" in capfd.readouterr().err


def test_a_full_disk(fitted, tmp_path, capfd):
    result = fit3dmm.load_result(fitted / "fit.h5")
    model = fit3dmm.load_model()
    out = tmp_path / "out" / "face"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Each limit stops another file: the texture, the meshes, the record.
    for limit in (1_000, 200_000, 3_000_000):
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
            with pytest.raises(fit3dmm.InputError, match="File too large; free some space"):
                fit3dmm.export_face(result, PORTRAIT, out, model, texture_px=128)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert left_in(tmp_path) == ["out"]


def test_interrupted_half_way(quick, monkeypatch, tmp_path, capfd):
    earlier = tmp_path / "earlier"
    arguments = ["fit", PORTRAIT, *quick, "--out"]
    assert main([*arguments, str(earlier)]) == 0
    before = {p.name: p.stat().st_mtime_ns for p in earlier.rglob("*")}

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "write_textured_obj", interrupted)
    assert main([*arguments, str(earlier), "--again"]) == 130
    assert main([*arguments, str(tmp_path / "out")]) == 130
    assert "nothing half-written" in capfd.readouterr().err
    assert left_in(tmp_path / "out") == []
    # The earlier result is whole.
    assert {p.name: p.stat().st_mtime_ns for p in earlier.rglob("*")} == before


def test_signals_leave_nothing_half_written(quick, tmp_path):
    code = "import sys, time; from fit3dmm.cli.main import main; from fit3dmm.export import folder;"
    # Long enough for a signal to come half way.
    code += "folder.face_glb = lambda *_, **__: time.sleep(60); sys.exit(main(sys.argv[1:]))"
    runs = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        (tmp_path / number.name).mkdir()
        arguments = ["fit", PORTRAIT, *quick, "--out", str(tmp_path / number.name)]
        command = [sys.executable, "-c", code, *arguments]
        runs[number] = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for number, run in runs.items():
        while not list((tmp_path / number.name).glob("*/new/texture.png")):
            assert run.poll() is None
            time.sleep(0.05)
        run.send_signal(number)
        _, said = run.communicate()
        assert run.returncode == 128 + number
        assert "nothing half-written" in said
        assert left_in(tmp_path / number.name) == []


def test_a_result_replaces_only_the_same_photos(tmp_path, quick, capfd, monkeypatch):
    """What has cost users their files, one by one."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "faces", ".", "old"):
        shutil.copy(PORTRAIT, f"{name}.png")
    assert main(["fit", "a.png", "--out", "faces", *quick]) == 0
    Path("faces/a/texture.png").write_bytes(b"painted over")
    Path("faces/a/.env").write_text("mine")
    Path("faces/a/empty").mkdir()
    before = {p: p.read_bytes() for p in Path("faces").rglob("*") if p.is_file()}
    # Results of other photos in a folder that has this photo's name.
    assert main(["fit", "faces.png", "--out", ".", *quick]) == 2
    # A photo whose stem is a dot.
    assert main(["fit", "..png", "--out", "faces", *quick]) == 0
    # Another photo by the same name, an edited one, and a result that was painted over.
    Path("b").mkdir()
    pictures.portrait().rotate(1).save("b/a.png")
    assert main(["fit", "b/a.png", "--out", "faces", *quick]) == 0
    pictures.portrait().rotate(2).save("b/a.png")
    assert main(["fit", "b/a.png", "--out", "faces", *quick]) == 2
    assert main(["fit", "a.png", "--out", "faces", *quick]) == 2
    said = capfd.readouterr().err.splitlines()
    for line, sentence in zip(
        said,
        (
            "faces is there already and has no mark",
            "faces/b-a holds the result of another photo called a, or of this one before",
            "faces/a/texture.png is yours, or was changed since",
        ),
        strict=True,
    ):
        assert sentence in line
    after = {p: p.read_bytes() for p in Path("faces").rglob("*") if p.is_file()}
    assert before.items() <= after.items()
    assert len(list(Path("faces").iterdir())) == 3
    # Without the painted file the photo can be fitted again, as often as one likes.
    Path("faces/a/texture.png").unlink()
    for _ in range(2):
        assert main(["fit", "a.png", "old.png", "--out", "faces", *quick]) == 0
    assert Path("faces/a/.env").read_text() == "mine"
    assert Path("faces/a/empty").is_dir()
    assert left_in(Path("faces/old")) == WRITTEN


def test_a_folder_of_yours_is_no_result(fitted, tmp_path):
    result = fit3dmm.load_result(fitted / "fit.h5")
    (tmp_path / "api").mkdir()
    (tmp_path / "api" / "texture.png").write_bytes(b"mine")
    with pytest.raises(fit3dmm.InputError, match="api is there already and has no mark"):
        fit3dmm.export_face(result, PORTRAIT, tmp_path / "api")
    assert left_in(tmp_path) == ["api", "api/texture.png"]


def test_our_own_failure_is_no_bad_input(quick, monkeypatch, tmp_path):
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(folder, "face_glb", broken)
    arguments = ["fit", PORTRAIT, "--out", str(tmp_path), *quick]
    with pytest.raises(ZeroDivisionError):
        main(arguments)
    assert left_in(tmp_path) == []


def test_the_package_in_five_lines(tmp_path):
    """The names work in any order of imports, and importing the package loads nothing heavy."""
    code = """
import sys
import fit3dmm
assert "torch" not in sys.modules
from fit3dmm.fitting import FitConfig
assert fit3dmm.FitConfig is FitConfig
result = fit3dmm.fit(sys.argv[1], config="landmarks")
fit3dmm.export_face(result, sys.argv[1], sys.argv[2], texture_px=64)
assert set(fit3dmm._HOMES) <= set(dir(fit3dmm))
for name in fit3dmm._HOMES:
    assert getattr(fit3dmm, name) is not None
assert not hasattr(fit3dmm, "fits")
"""
    target = tmp_path / "out"
    run = subprocess.run(
        [sys.executable, "-c", code, PORTRAIT, str(target)], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert left_in(target) == WRITTEN


# --- one person in several photos ---


@pytest.fixture(scope="module")
def two_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the portrait and its mirror image."""
    folder = tmp_path_factory.mktemp("photos") / "anna"
    folder.mkdir()
    pictures.portrait().save(folder / "front.png")
    pictures.portrait().transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "side.png")
    return folder


def test_photos_of_one_person_make_one_folder(two_photos, quick, tmp_path, capsys):
    command = ["fit", "--same-person", str(two_photos), "--out", str(tmp_path), *quick]
    assert main([*command, "--write", "json,glb,obj"]) == 0
    assert "one person by 2 of 2 photos" in capsys.readouterr().out
    place = tmp_path / "anna"
    own = ["face.glb", "face.mtl", "fit.json", "neutral.obj", "posed.obj", "texture.png"]
    assert left_in(place) == sorted(
        [MARK, "face.glb", "face.mtl", "neutral.obj", "texture.png", "person.json"]
        + [entry for name in ("front", "side") for entry in (name, *(f"{name}/{f}" for f in own))]
    )
    said = json.loads((place / "person.json").read_text())
    assert [photo["folder"] for photo in said["photos"]] == ["front", "side"]
    assert sum(photo["information_share"] for photo in said["photos"]) == pytest.approx(1)
    # One person in all of them.
    neutral = (place / "neutral.obj").read_bytes()
    for name in ("front", "side"):
        assert (place / name / "neutral.obj").read_bytes() == neutral
        fit = json.loads((place / name / "fit.json").read_text())
        assert fit["identity"] == said["identity"]

    # What is there is not made again.
    before = (place / MARK).read_bytes()
    assert main([*command, "--write", "json,glb,obj", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["skipped"]
    assert document["failed"] == []
    assert len(document["fits"]) == 2
    assert (place / MARK).read_bytes() == before


def test_a_photo_without_a_face_costs_the_others_nothing(two_photos, quick, tmp_path, capsys):
    Image.new("RGB", (300, 300), "tan").save(tmp_path / "empty.png")
    photos = [str(two_photos / "front.png"), str(tmp_path / "empty.png")]
    out = tmp_path / "out"
    command = ["fit", "--same-person", "--out", str(out), *quick, "--write", "json"]
    assert main([*command, *photos]) == 2
    assert "2 photos of the person at least are needed, and 1 can" in capsys.readouterr().err
    assert not list(out.glob("*"))
    assert main([*command, *photos, str(two_photos / "side.png")]) == 2
    assert "1 of 3 photos could not be used" in capsys.readouterr().err
    assert (out / "person" / "person.json").is_file()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--same-person", "--face", "all"), "show one face that is meant"),
        (("--same-person", "--jobs", "2"), "fitted in one process"),
        (("--same-camera",), "see --same-person"),
    ],
)
def test_what_makes_no_sense_for_one_person_is_refused(
    options, sentence, two_photos, tmp_path, capsys
):
    photos = [str(two_photos / "front.png"), str(two_photos / "side.png")]
    assert main(["fit", *photos, "--out", str(tmp_path / "out"), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
