"""`fit3dmm predict` and where a fit begins: the network alone, an earlier fit, and bad words."""

import json

import pytest

import fit3dmm
from fit3dmm._files import data_path
from fit3dmm.cli.main import main
from fit3dmm.model.files import load_model
from fit3dmm.regress.files import model_key, read_regressor

PORTRAIT = str(data_path("examples/astronaut.png"))


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    out = tmp_path_factory.mktemp("predict")
    assert main(["predict", PORTRAIT, "--out", str(out), "--texture-size", "64"]) == 0
    return out / "astronaut"


def test_the_shipped_network_belongs_to_the_shipped_model():
    regressor = read_regressor(data_path("regressor.h5"), load_model(level=0))
    assert regressor.info.model_key == model_key(load_model(level=1))
    assert regressor.errors is not None
    assert regressor.errors.in_told_sigmas
    assert regressor.errors.point_set == "mediapipe478+spread200"
    assert data_path("regressor.h5").stat().st_size < 25e6


def test_what_the_network_sees_is_written_as_a_fit_is(predicted):
    said = json.loads((predicted / "fit.json").read_text())
    assert said["preset"] == "regressor"
    assert said["start"] == "regressor"
    assert [stage["name"] for stage in said["stages"]] == ["detectors", "judgement"]
    assert said["stages"][1]["steps"] == 0
    result = fit3dmm.load_result(predicted / "fit.h5")
    told = result.observation.predicted
    assert told is not None
    # Nothing moved but what detectors make of the photo.
    assert float((result.scene.coefficients.identity - told.identity).abs().max()) < 1e-6
    assert float((result.scene.pose.translation_mm - told.translation_mm).abs().max()) < 1e-3
    # The nose of the portrait is where a person sees it.
    nose = said["landmarks_photo_px"][30]
    assert abs(nose[0] - 224) < 12
    assert abs(nose[1] - 138) < 16


def test_a_fit_goes_on_from_an_earlier_one(predicted, tmp_path, capfd):
    earlier = str(predicted / "fit.h5")
    arguments = ["fit", PORTRAIT, "--out", str(tmp_path), "--preset", "landmarks"]
    arguments += ["--texture-size", "64"]
    assert main([*arguments, "--init", earlier]) == 0
    said = json.loads((tmp_path / "astronaut" / "fit.json").read_text())
    assert said["start"] == "given"
    assert said["quality"]["verdict"] == "good"
    capfd.readouterr()
    assert main([*arguments, "--init", "best"]) == 2
    assert "--init auto, landmarks, regressor or a file" in capfd.readouterr().err
    assert main([*arguments, "--init", PORTRAIT]) == 2
    assert "expected a fit.h5 of an earlier fit" in capfd.readouterr().err


def test_a_start_of_another_photo_is_refused(predicted, tmp_path, capfd):
    from PIL import Image

    Image.open(PORTRAIT).crop((0, 0, 500, 500)).save(tmp_path / "cut.png")
    arguments = ["fit", str(tmp_path / "cut.png"), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--init", str(predicted / "fit.h5")]) == 2
    assert "give a fit of the same photo" in capfd.readouterr().err
    assert not (tmp_path / "out" / "cut").exists()


def test_a_model_without_a_network_says_so(tmp_path, capfd):
    from fit3dmm.model.files import write_stored
    from tests.toy import toy_stored

    write_stored(toy_stored(), tmp_path / "toy.h5")
    arguments = [PORTRAIT, "--out", str(tmp_path), "--model", str(tmp_path / "toy.h5")]
    assert main(["predict", *arguments]) == 2
    assert "make one with `fit3dmm train`" in capfd.readouterr().err
    shipped = str(data_path("regressor.h5"))
    assert main(["predict", *arguments, "--regressor", shipped]) == 2
    assert "belongs to the model commons 2.2" in capfd.readouterr().err
