"""Two processes that train together go on as one with all of the pictures would."""

import dataclasses
import functools
import os
import socket

import pytest
import torch
import torch.multiprocessing

from fit3dmm._errors import InputError
from fit3dmm.regress.batch import batch_of
from fit3dmm.regress.checkpoint import read_checkpoint
from fit3dmm.regress.pool import PicturePool, PictureReader
from fit3dmm.regress.ranks import ALONE, Ranks, joined_ranks
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import Phase, TrainingSettings
from tests.regress.examples import Painter, painter, tiny_network

# The recognition trunk has no norms, whose statistics each process on a processor takes of its own
# pictures: with it both ways are the same but for the order of sums.
SETTINGS = TrainingSettings(
    steps=3, batch=4, fresh=2, fill=4, warm_up=2, check_every=2, bfloat16=False,
    phases=(Phase(32, 1.0),), learning_rate=1e-3, trunk_rate=1e-4,
)  # fmt: skip
CAPACITY = 16


def _work(folder, ranks: Ranks):
    looks, network = [], tiny_network("recognition")
    train_here = functools.partial(train, network, settings=SETTINGS, folder=folder, ranks=ranks)
    if ranks.is_first:
        held_out = batch_of([Painter().take(seed) for seed in range(900, 902)])
        with PicturePool(folder / "pool", painter(), CAPACITY, 0, 0) as pool:
            train_here(pool=pool, held_out=held_out, report=looks.append)
    else:
        # All begin with the weights of the first.
        torch.nn.init.normal_(network.hidden.weight)
        train_here(pool=PictureReader(folder / "pool", CAPACITY), held_out=None)
    return looks


def _process(rank, folder, port, losses):
    os.environ.update(
        RANK=str(rank), WORLD_SIZE="2", LOCAL_RANK=str(rank), MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )  # fmt: skip
    torch.set_num_threads(1)
    with joined_ranks("cpu") as ranks:
        for look in _work(folder, ranks):
            losses.put((look.step, look.loss))


def test_two_processes_train_as_one(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    losses = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(_process, (tmp_path / "two", port, losses), nprocs=2)
    together = [losses.get() for _ in range(2)]
    alone = _work(tmp_path / "one", ALONE)
    assert [step for step, _ in together] == [look.step for look in alone] == [2, 3]
    for (_, loss), look in zip(together, alone, strict=True):
        assert loss == pytest.approx(look.loss, rel=1e-4)
    one, two = (read_checkpoint(tmp_path / name, SETTINGS) for name in ("one", "two"))
    assert one is not None
    assert two is not None
    start = tiny_network("recognition").state_dict()
    for name, value in one.weights.items():
        moved = (value - start[name]).abs().max()
        assert (two.weights[name] - value).abs().max() <= 1e-3 * moved + 1e-6, name


def test_pictures_that_can_t_be_shared_are_refused(tmp_path):
    uneven = dataclasses.replace(SETTINGS, fresh=1)
    with pytest.raises(InputError, match=r"2 processes can't share --settings.fresh 1 evenly"):
        train(tiny_network(), PictureReader(tmp_path, 4), None, uneven, tmp_path, ranks=Ranks(0, 2))
