"""Networks between two."""

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.regress.files import Regressor, RegressorInfo
from fit3dmm.regress.network import extended
from mix_regressors import mixed
from tests.regress.examples import tiny_network

INFO = RegressorInfo("tiny 1", "0" * 16, ("points",), 64, "CC0-1.0", "Of a test.", {})


def _regressor(seed: int, read: int = 0) -> Regressor:
    network = extended(tiny_network(), read=read)
    torch.manual_seed(seed)
    for parameter in network.parameters():
        parameter.data.add_(torch.randn_like(parameter))
    return Regressor(network.eval(), INFO)


def _weights(regressor: Regressor) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in regressor.network.state_dict().items()}


def test_ends_are_the_two_and_the_middle_is_their_mean():
    before, after = _weights(_regressor(1)), _weights(_regressor(2))
    for share in (0.0, 0.5, 1.0):
        found = _weights(mixed(_regressor(1), _regressor(2), share))
        for name, value in found.items():
            expected = torch.lerp(before[name], after[name], share) if value.ndim else value
            torch.testing.assert_close(value, expected)


def test_what_only_the_later_one_has_is_its_own():
    before, after = _weights(_regressor(1)), _weights(_regressor(2, read=6))
    found = mixed(_regressor(1), _regressor(2, read=6), 0.5)
    weights = _weights(found)
    assert found.network.settings.read == 6
    assert torch.equal(weights["reader.layers.0.weight"], after["reader.layers.0.weight"])
    # To the former one it said nothing: what is said by it counts half.
    n_told = before["say_rest.weight"].shape[1]
    read = weights["say_rest.weight"][:, n_told:]
    torch.testing.assert_close(read, 0.5 * after["say_rest.weight"][:, n_told:])
    assert not torch.equal(weights["say_points.weight"], after["say_points.weight"])
    assert "0.5 of the way" in found.info.provenance
    assert found.errors is None


def test_networks_that_are_built_otherwise_are_refused():
    with pytest.raises(InputError, match="trained on from it"):
        mixed(_regressor(1, read=6), _regressor(2), 0.5)
