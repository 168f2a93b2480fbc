"""What of a network learns, and what stays as it is."""

import dataclasses

import pytest
import torch

from fit3dmm.regress import training
from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.learner import Learner
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, TrainingSettings
from tests.regress.examples import Painter, painter, tiny_network

SETTINGS = TrainingSettings(
    steps=2, batch=4, fresh=2, fill=4, warm_up=1, check_every=1, bfloat16=False, trains="upper",
    phases=(Phase(64, 1.0),),
)  # fmt: skip


def _train(folder, settings=SETTINGS):
    held_out = batch_of([Painter().take(seed) for seed in range(900, 904)])
    looks = []
    with PicturePool(folder / "pool", painter(), 16, 0, 0) as pool:
        trained = train(tiny_network(), pool, held_out, settings, folder, looks.append)
    return trained, looks


def _spoken(trunk="lite0"):
    """One whose last layers say something: derivatives reach what is below them."""
    network = tiny_network(trunk)
    for layer in (network.say_points, network.say_rest, network.cover.say):
        torch.nn.init.normal_(layer.weight, std=0.1)
    return network


@pytest.mark.parametrize("trunk", ["lite0", "resnet18", "recognition"])
def test_upper_layers_see_what_the_whole_network_sees(trunk):
    network = _spoken(trunk)
    image = torch.rand(2, 3, 64, 64)
    said = Learner(network, "upper").look(image)
    with torch.no_grad():
        whole = network.eval()(image)
    torch.testing.assert_close(said.points, whole.points, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(said.log_tone, whole.log_tone, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("trunk", ["lite0", "resnet18", "recognition"])
def test_derivatives_of_upper_layers_are_the_whole_network_s(trunk):
    image = torch.rand(2, 3, 64, 64)

    def derivatives(network, look):
        outputs = look(image)
        (outputs.points.square().sum() + outputs.log_tone.square().sum()).backward()
        return {name: p.grad for name, p in network.named_parameters() if p.grad is not None}

    upper = _spoken(trunk)
    found = derivatives(upper, Learner(upper, "upper").look)
    whole = _spoken(trunk).eval()
    expected = derivatives(whole, whole)
    shallow = {id(p) for layer in upper.trunk.shallow_layers() for p in layer.parameters()}
    left_out = {name for name, p in upper.named_parameters() if id(p) in shallow}
    assert left_out
    assert found.keys() == expected.keys() - left_out
    for name, values in found.items():
        limit = 2e-3 * float(expected[name].abs().max())
        torch.testing.assert_close(values, expected[name], atol=limit, rtol=1e-2, msg=name)


def test_shallow_layers_and_statistics_stay(tmp_path):
    first = {name: value.clone() for name, value in tiny_network().state_dict().items()}
    trained, _ = _train(tmp_path)
    last = trained.state_dict()
    changed = {name for name in first if not torch.equal(first[name], last[name])}
    assert any(name.startswith("trunk._blocks.5") for name in changed)
    for name in changed:
        assert "running" not in name
        assert not name.startswith(("trunk._conv_stem", "trunk._blocks.0", "trunk._blocks.2"))


def test_pictures_in_parts_teach_what_they_teach_together(tmp_path, monkeypatch):
    settings = dataclasses.replace(SETTINGS, batch=8, fresh=4, fill=8)
    _, together = _train(tmp_path / "together", settings)
    monkeypatch.setattr(training, "_AT_ONCE", 2)
    _, apart = _train(tmp_path / "apart", settings)
    for one, other in zip(together, apart, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-4)
    assert together[0].loss != together[1].loss
