"""What is kept of a record: worked out once, for a few values, for as long as the record lives."""

import gc
import weakref
from dataclasses import dataclass

import torch
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class Box(TensorRecord):
    values: Tensor


def counted(most: int = 2):
    calls = []

    @kept(most)
    def powers(box: Box, n: int = 2) -> Tensor:
        calls.append(n)
        return box.values**n

    return powers, calls


def test_it_is_worked_out_once_for_each_record_and_value():
    powers, calls = counted()
    one, other = Box(torch.arange(3.0)), Box(torch.arange(3.0))
    assert powers(one, 2) is powers(one, 2)
    assert torch.equal(powers(one, 3), one.values**3)
    assert powers(other, 2) is not powers(one, 2)  # equal records are other records
    assert calls == [2, 3, 2]


def test_the_oldest_goes():
    powers, calls = counted(most=2)
    box = Box(torch.arange(3.0))
    for n in (1, 2, 3, 2, 3, 1):
        powers(box, n)
    assert calls == [1, 2, 3, 1]


def test_it_goes_with_the_record():
    powers, _ = counted()
    box = Box(torch.arange(3.0))
    result = weakref.ref(powers(box, 2))
    assert result() is not None
    del box
    gc.collect()
    assert result() is None
