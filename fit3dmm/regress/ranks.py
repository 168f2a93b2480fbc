"""Several processes that train one network together, as `torchrun` starts them.

All have the same weights. Each works on its share of a step's pictures, and gradients are averaged,
so that they go on as one process with all of the pictures would; the first one renders, looks at
held-out pictures and writes files.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from fit3dmm._errors import InputError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one renders and writes."""
        return self.rank == 0

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """This process's part of what all work on together."""
        return items[self.rank :: self.size]

    def rows(self, values: Tensor) -> Tensor:
        """This process's rows of what was drawn for all."""
        return values[self.rank :: self.size]

    def must_divide(self, **counts: int) -> None:
        """
        Raises:
            InputError: one of the counts can't be shared evenly.
        """
        for name, count in counts.items():
            if count % self.size:
                setting = f"--settings.{name.replace('_', '.')}"
                raise InputError(
                    f"{self.size} processes can't share {setting} {count} evenly: give a multiple "
                    f"of {self.size}."
                )

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            dist.barrier()

    def of_first(self, make: Callable[[], Any]) -> Any:
        """What the first process makes, in all of them."""
        made = [make() if self.is_first else None]
        if self.size > 1:
            dist.broadcast_object_list(made)
        return made[0]

    def mean(self, value: Tensor) -> Tensor:
        """Of a tensor's values in all processes. Without derivative."""
        if self.size == 1:
            return value
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """In place. Parameters without a gradient anywhere stay without."""
        if self.size == 1:
            return
        with_gradient = [p for p in parameters if p.grad is not None]
        gradients: list[Tensor] = [p.grad for p in with_gradient if p.grad is not None]
        # One message instead of hundreds.
        flat = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        parts = flat.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def average_buffers(self, network: nn.Module) -> None:
        """Running statistics, which each process takes of its own pictures."""
        if self.size == 1:
            return
        with torch.no_grad():
            for buffer in network.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.mean(buffer))

    def start_alike(self, network: nn.Module) -> None:
        """Give all the weights of the first."""
        if self.size > 1:
            for tensor in network.state_dict().values():
                dist.broadcast(tensor, 0)


ALONE = Ranks()


@contextlib.contextmanager
def joined_ranks(device: str) -> Iterator[Ranks]:
    """The processes that `torchrun` started, while they work together; this one alone without it.

    Args:
        device: `cpu` or `cuda`; each process takes the GPU of its number on the machine.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield ALONE
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), size)
    finally:
        dist.destroy_process_group()
