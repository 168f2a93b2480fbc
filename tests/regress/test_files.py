import dataclasses

import h5py
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.model.files import load_model
from fit3dmm.regress.files import (
    Regressor,
    RegressorInfo,
    model_key,
    read_regressor,
    write_regressor,
)
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.provenance import trained_info
from tests.regress.examples import N_POINTS, SIZES


@pytest.fixture(scope="module")
def model():
    return load_model(level=0)


@pytest.fixture
def path(tmp_path, model):
    torch.manual_seed(0)
    network = FaceNetwork(NetworkSettings("lite0", N_POINTS, **SIZES), torch.rand(N_POINTS, 2))
    info = RegressorInfo(
        "commons 1", model_key(model), ("mediapipe478",), 64, "CC0-1.0", "None.", {"seed": 1}
    )
    write_regressor(Regressor(network.eval(), info), tmp_path / "r.h5")
    return tmp_path / "r.h5"


def test_a_regressor_comes_back(path, model):
    one, other = read_regressor(path, model), read_regressor(path)
    assert one.info == other.info
    assert one.info.record == {"seed": 1}
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(one.network(image).points, other.network(image).points)


def test_what_a_network_came_from_is_not_forgotten(path, model):
    began = dataclasses.replace(
        read_regressor(path).info, licence="Apache-2.0", provenance="From ImageNet."
    )
    again = trained_info(model, ("mediapipe478",), 64, (), 0, 0, began)
    assert again.licence == "Apache-2.0"
    assert again.provenance.startswith("From ImageNet. Then trained")
    assert again.record["before"] == {"seed": 1}
    fresh = trained_info(model, ("mediapipe478",), 64, (), 0, 0)
    assert fresh.licence == "CC0-1.0"
    assert "before" not in fresh.record
    trunk = trained_info(model, ("mediapipe478",), 64, (), 0, 0, trunk_weights="lite0.safetensors")
    assert trunk.licence == "CC0-1.0 AND LicenseRef-trunk"
    assert "lite0.safetensors" in trunk.provenance


def test_the_key_of_a_model_does_not_depend_on_its_level(model):
    assert model_key(load_model(level=1)) == model_key(model)
    assert model_key(model.truncated(identity=10)) != model_key(model)


def test_a_regressor_of_another_model_is_refused(path, model):
    with pytest.raises(InputError, match=r"belongs to the model commons 1.*fit3dmm train"):
        read_regressor(path, model.truncated(identity=10))


def test_files_that_are_none_end_in_a_sentence(path, tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_regressor(tmp_path / "gone.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(InputError, match="damaged"):
        read_regressor(tmp_path / "text.h5")
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    with pytest.raises(InputError, match="update fit3dmm"):
        read_regressor(path)


def test_settings_say_all_that_a_network_is_made_of(path):
    regressor = read_regressor(path)
    again = FaceNetwork(regressor.network.settings, torch.zeros(N_POINTS, 2))
    again.load_state_dict(regressor.network.state_dict())
    assert dataclasses.asdict(again.settings) == dataclasses.asdict(regressor.network.settings)
