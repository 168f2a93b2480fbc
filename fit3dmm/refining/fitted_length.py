"""Coefficients of other lengths than the model's."""

import numpy as np
import torch
from torch import Tensor


def of_length(numbers: np.ndarray | None, n: int, what: str) -> tuple[Tensor, tuple[str, ...]]:
    """Numbers for the model's first components, zeros for the rest, and what was left out.

    Args:
        numbers: of one face; None for none.
        n: that the model has.
        what: they are called in messages.
    """
    values = torch.zeros(n)
    if numbers is None:
        return values, ()
    taken = torch.from_numpy(np.asarray(numbers, dtype=np.float32))[:n]
    values[: len(taken)] = taken
    if len(numbers) <= n:
        return values, ()
    return values, (
        f"The last {len(numbers) - n} of {len(numbers)} {what} coefficients are beyond the model "
        "and left out.",
    )
