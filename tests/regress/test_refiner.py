"""Points that are looked at once more."""

import pytest
import torch
from torch.autograd import gradcheck

from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.network import extended
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.refiner import PointRefiner, RefinerSettings
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, TrainingSettings
from fit3dmm.regress.trunks import Features
from tests.regress.examples import N_POINTS, Painter, painter, tiny_network

SMALL = RefinerSettings(features=6, edges=6, local=5, anchors=3, hidden=8)
CHANNELS, N_HIDDEN = (4, 5, 6), 7


def _refiner(n_points=3):
    torch.manual_seed(0)
    return PointRefiner(SMALL, CHANNELS, N_HIDDEN, n_points)


def _seen(n=2, n_points=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)

    def drawn(*shape):
        return torch.rand(*shape, generator=generator, dtype=dtype)

    maps = [drawn(n, c, side, side) for c, side in zip(CHANNELS, (8, 4, 2), strict=True)]
    return Features(*maps), drawn(n, 3, 64, 64), drawn(n, N_HIDDEN), drawn(n, n_points, 2)


def test_an_untrained_refiner_adds_nothing():
    assert not _refiner()(*_seen()).any()


def test_a_network_that_gets_one_says_what_it_said():
    network = tiny_network().eval()
    for layer in (network.say_points, network.say_rest):
        layer.weight.data.normal_()
    refined = extended(network, SMALL).eval()
    image = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        before, after = network(image), refined(image)
    assert before.points.std() > 1e-3
    assert torch.equal(before.points, after.points)
    assert torch.equal(before.covariance, after.covariance)
    assert torch.equal(before.light_asinh, after.light_asinh)


def test_each_point_is_moved_by_what_is_around_it():
    """A change of the picture far from all points but one moves that one alone, where nothing is
    put together."""
    refiner = _refiner()
    refiner.say_each.data.normal_()
    features, image, hidden, _ = _seen(1)
    points = torch.tensor([[[0.2, 0.2], [0.8, 0.2], [0.5, 0.85]]])
    other = image.clone()
    other[..., 10:16, 48:54] += 1
    moved = refiner(features, other, hidden, points) - refiner(features, image, hidden, points)
    assert moved[:, 1].abs().min() > 1e-4
    assert moved[:, [0, 2]].abs().max() < 1e-6


def test_derivatives_are_those_of_differences():
    refiner = _refiner().double()
    refiner.say_each.data.normal_()
    refiner.say_all.weight.data.normal_()
    features, image, hidden, points = _seen(1, dtype=torch.float64)

    def said(fine, hidden):
        return refiner(Features(fine, features.middle, features.coarse), image, hidden, points)

    fine, hidden = features.fine.requires_grad_(), hidden.requires_grad_()
    assert gradcheck(said, (fine, hidden), fast_mode=True)


def _train(folder, settings, network, stop_after=None):
    held_out = batch_of([Painter().take(seed) for seed in range(900, 904)])
    looks = []

    def report(look):
        looks.append(look)
        if stop_after is not None and look.step >= stop_after:
            raise KeyboardInterrupt

    with PicturePool(folder / "pool", painter(), 16, 0, 0) as pool:
        return train(network, pool, held_out, settings, folder, report), looks


SETTINGS = TrainingSettings(
    steps=6, batch=4, fresh=2, fill=4, warm_up=2, check_every=2, bfloat16=False, trains="refiner",
    phases=(Phase(64, 1.0),),
)  # fmt: skip


def test_it_learns_alone_and_goes_on_after_a_kill(tmp_path):
    before = extended(tiny_network(), SMALL).state_dict()
    first = {name: value.clone() for name, value in before.items()}

    def network():
        torch.manual_seed(2)
        one = extended(tiny_network(), SMALL)
        one.load_state_dict(first)
        return one

    whole, looks = _train(tmp_path / "whole", SETTINGS, network())
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "killed", SETTINGS, network(), stop_after=2)
    resumed, rest = _train(tmp_path / "killed", SETTINGS, network())
    assert [look.loss for look in rest] == [look.loss for look in looks[1:]]
    changed = {
        name for name, value in whole.state_dict().items() if not torch.equal(value, first[name])
    }
    assert changed
    assert all(name.startswith("refiner.") for name in changed)
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_spots_near_the_first_places_are_found():
    """Each point's spot lies up to a tenth of the picture beside where it was first said to be."""
    generator = torch.Generator().manual_seed(0)
    refiner = _refiner(1)
    optimiser = torch.optim.Adam(refiner.parameters(), 0.02)
    errors = []
    for _ in range(150):
        true = 0.3 + 0.4 * torch.rand(16, 1, 2, generator=generator)
        off = 0.1 * (2 * torch.rand(16, 1, 2, generator=generator) - 1)
        grid = (torch.arange(64) + 0.5) / 64
        across = torch.exp(-(((grid - true[..., :1]) / 0.06) ** 2) / 2)
        down = torch.exp(-(((grid - true[..., 1:]) / 0.06) ** 2) / 2)
        image = (down[..., :, None] * across[..., None, :]).expand(-1, 3, -1, -1)
        maps = [torch.zeros(16, c, s, s) for c, s in zip(CHANNELS, (8, 4, 2), strict=True)]
        said = refiner(Features(*maps), image, torch.zeros(16, N_HIDDEN), true + off)
        error = (off + 0.1 * said[..., :2]).norm(dim=-1).mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(float(error.detach()))
    assert sum(errors[-10:]) < 0.3 * sum(errors[:10])


def test_a_network_without_one_has_none_to_train(tmp_path):
    with pytest.raises(ValueError, match="without a refiner"):
        _train(tmp_path, SETTINGS, tiny_network())


def test_no_number_of_points_is_taken_for_granted():
    refiner = _refiner(N_POINTS)
    assert refiner(*_seen(2, N_POINTS)).shape == (2, N_POINTS, 5)
