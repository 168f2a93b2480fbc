"""Frozen records: what moves, and what stays the very same."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from tests.toy import toy_model


@dataclass(frozen=True)
class Inner(TensorRecord):
    values: Tensor


@dataclass(frozen=True)
class Outer(TensorRecord):
    inner: Inner
    pair: tuple[Inner, str]
    named: dict[str, Tensor] = field(default_factory=dict)
    rows: Tensor = field(default_factory=lambda: torch.arange(2))


def test_a_map_reaches_every_tensor_and_leaves_the_record_alone() -> None:
    one = torch.ones(2)
    record = Outer(Inner(one), (Inner(one), "name"), {"a": one})
    double = record.map(lambda tensor: 2 * tensor)
    changed = (double.inner.values, double.pair[0].values, double.named["a"])
    assert all(tensor.tolist() == [2, 2] for tensor in changed)
    assert double.rows.tolist() == [0, 2]
    assert double.pair[1] == "name"
    assert record.inner.values is one


def test_a_cast_leaves_indices_alone() -> None:
    record = Outer(Inner(torch.ones(2)), (Inner(torch.ones(2)), ""))
    cast = record.to(dtype=torch.float64)
    assert cast.inner.values.dtype == cast.pair[0].values.dtype == torch.float64
    assert cast.rows.dtype == torch.int64


def test_what_need_not_move_is_the_same_record_with_all_it_has_worked_out() -> None:
    model = toy_model()
    topology = model.surface.topology
    assert model.to("cpu", torch.float32) is model
    assert model.to(dtype=torch.float64).surface.topology.edges.tolist() == topology.edges.tolist()
    assert model.surface.topology is topology
