import h5py
import pytest
import torch
from safetensors.torch import save_file

from fit3dmm._errors import InputError
from fit3dmm.regress.trunk_weights import load_trunk
from tests.regress.examples import tiny_network


@pytest.fixture(scope="module")
def wanted():
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(value.shape, generator=generator)
        for name, value in tiny_network("recognition").trunk.state_dict().items()
    }


@pytest.mark.parametrize("suffix", [".safetensors", ".h5"])
def test_a_trunk_begins_with_the_weights_of_a_file(tmp_path, wanted, suffix):
    path = tmp_path / f"trunk{suffix}"
    further = {**wanted, "embedding.weight": torch.zeros(3, 4)}
    if suffix == ".h5":
        with h5py.File(path, "w") as file:
            for name, value in further.items():
                file[f"weights/{name}"] = value.half().numpy()
    else:
        save_file(further, path)
    network = tiny_network("recognition")
    heads = {k: v.clone() for k, v in network.state_dict().items() if not k.startswith("trunk")}
    load_trunk(network, path)
    for name, value in network.trunk.state_dict().items():
        torch.testing.assert_close(value, wanted[name], rtol=1e-3, atol=1e-3)
    assert all(torch.equal(network.state_dict()[k], v) for k, v in heads.items())


def test_weights_of_another_trunk_are_refused(tmp_path, wanted):
    path = tmp_path / "trunk.safetensors"
    save_file(wanted, path)
    with pytest.raises(InputError, match=r"has no weights for .* expected weights of lite0"):
        load_trunk(tiny_network("lite0"), path)
    save_file({**wanted, "stem.weight": torch.zeros(2, 3, 7, 7)}, path)
    with pytest.raises(InputError, match=r"has others in shape for stem.weight of the trunk"):
        load_trunk(tiny_network("recognition"), path)


def test_what_is_no_file_of_weights_is_refused(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        load_trunk(tiny_network(), tmp_path / "none.safetensors")
    for name in ("words.safetensors", "words.h5"):
        (tmp_path / name).write_text("no weights")
        with pytest.raises(InputError, match="can't be read as weights"):
            load_trunk(tiny_network(), tmp_path / name)
