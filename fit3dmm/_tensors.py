"""Frozen records of tensors: the state of everything in fit3dmm."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

# Whoever holds tensors of ours may fork: importing this settles what becomes of torch's threads.
from fit3dmm import _threads as _threads

# Not typing.Self: the run-time checks of the tests can't resolve it outside a checked class.
Record = TypeVar("Record", bound="TensorRecord")


@dataclass(frozen=True)
class TensorRecord:
    """Base of the frozen records whose fields are tensors, other records, mappings or plain values.

    A record is never changed: `map`, `to` and `replace` return new ones.
    """

    def map(self: Record, function: Callable[[Tensor], Tensor]) -> Record:
        """Apply `function` to every tensor, also in nested records, tuples and mappings.

        Where every tensor stays the same object so does the record, with all that it has worked
        out: moving a model to the device that it is on costs nothing.
        """
        before = {f.name: getattr(self, f.name) for f in fields(self)}
        changed = _map(before, function)
        return self if changed is before else replace(self, **changed)

    def to(
        self: Record, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Record:
        """Move to a device, and cast the floating-point tensors (indices keep their type)."""

        def move(tensor: Tensor) -> Tensor:
            return tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else None)

        return self.map(move)

    def replace(self: Record, **changes: Any) -> Record:
        """Copy with some fields changed."""
        return replace(self, **changes)


def _map(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, TensorRecord):
        return value.map(function)
    if isinstance(value, dict):
        mapped = {key: _map(item, function) for key, item in value.items()}
        return value if all(mapped[key] is value[key] for key in value) else mapped
    if isinstance(value, tuple):
        items = tuple(_map(item, function) for item in value)
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value
