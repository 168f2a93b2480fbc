import dataclasses

import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, TrainingSettings
from tests.regress.examples import Painter, painter, tiny_network
from tests.synthetic.fast.same import same_example

SETTINGS = TrainingSettings(
    steps=6, batch=4, fresh=2, fill=4, warm_up=2, check_every=2, bfloat16=False,
    phases=(Phase(32, 0.5), Phase(64, 0.5)),
)  # fmt: skip


@pytest.fixture(scope="module")
def held_out():
    return batch_of([Painter().take(seed) for seed in range(900, 904)])


def _train(folder, held_out, settings=SETTINGS, stop_after=None, processes=0):
    looks = []

    def report(look):
        looks.append(look)
        if stop_after is not None and look.step >= stop_after:
            raise KeyboardInterrupt

    with PicturePool(folder / "pool", painter(), 16, 0, processes) as pool:
        trained = train(tiny_network(), pool, held_out, settings, folder, report)
    return trained, looks


def test_a_killed_training_goes_on_to_the_same_numbers(tmp_path, held_out):
    whole, looks = _train(tmp_path / "whole", held_out)
    with pytest.raises(KeyboardInterrupt):
        _train(tmp_path / "killed", held_out, stop_after=2)
    resumed, rest = _train(tmp_path / "killed", held_out)
    assert [look.step for look in looks] == [2, 4, 6]
    assert [look.step for look in rest] == [4, 6]
    assert [look.loss for look in rest] == [look.loss for look in looks[1:]]
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_who_renders_does_not_matter(tmp_path, held_out):
    _, here = _train(tmp_path / "here", held_out)
    _, elsewhere = _train(tmp_path / "elsewhere", held_out, processes=2)
    assert [look.loss for look in elsewhere] == [look.loss for look in here]


def test_training_learns(tmp_path, held_out):
    longer = dataclasses.replace(SETTINGS, steps=30, check_every=15, phases=(Phase(64, 1.0),))
    _, looks = _train(tmp_path, held_out, longer)
    untrained = dataclasses.replace(SETTINGS, steps=1, check_every=1, phases=(Phase(64, 1.0),))
    _, first = _train(tmp_path / "first", held_out, untrained)
    assert looks[-1].loss < first[0].loss


def test_other_settings_do_not_take_up_a_training(tmp_path, held_out):
    _train(tmp_path, held_out)
    with pytest.raises(InputError, match=r"other settings .batch"):
        _train(tmp_path, held_out, dataclasses.replace(SETTINGS, batch=6))


def test_a_loss_that_is_no_number_ends_in_a_sentence(tmp_path, held_out):
    wild = dataclasses.replace(SETTINGS, learning_rate=1e30, trunk_rate=1e30, warm_up=1)
    with pytest.raises(InputError, match="lower the learning rates"):
        _train(tmp_path, held_out, wild)


def test_a_pool_holds_the_last_pictures_whoever_asks(tmp_path):
    with PicturePool(tmp_path, painter(), 8, 100, 0) as pool:
        assert pool.provide(12) == 8
        assert pool.provide(12) == 0
        assert same_example(pool.take([11])[0], Painter().take(111))
        with pytest.raises(KeyError, match="call `provide` first"):
            pool.take([3])
    with PicturePool(tmp_path, painter(), 8, 100, 0) as pool:
        assert pool.provide(13) == 1
    with PicturePool(tmp_path, painter(), 8, 100, 0, signature="another model") as pool:
        assert pool.provide(13) == 8
        with pytest.raises(InputError, match="Another training uses the pictures"):
            PicturePool(tmp_path, painter(), 8, 100, 0)


@pytest.mark.parametrize("processes", [0, 1])
def test_pictures_that_were_lost_are_made_again(tmp_path, processes):
    with PicturePool(tmp_path, painter(), 8, 100, processes) as pool:
        pool.provide(8, ahead=4)
        pool._slots["number"][3] = -1
        pool._slots["number"][5] = 90
        pool.provide(9, ahead=4)
        for number in range(1, 9):
            assert same_example(pool.take([number])[0], Painter().take(100 + number))
