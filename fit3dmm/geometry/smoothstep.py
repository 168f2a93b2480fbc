"""A step with soft ends."""

from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float
from torch import Tensor

Array = TypeVar("Array", np.ndarray, Tensor)


def smoothstep(values: Float[Array, "*shape"], low: Any, high: Any) -> Float[Array, "*shape"]:
    """0 below `low`, 1 above `high`, smooth between them; the other way round if low > high.

    Args:
        values: a tensor or an array.
        low, high: numbers, or arrays of the values' kind that broadcast to them.
    """
    t: Any = (values - low) / (high - low)
    t = t.clip(0, 1)
    return t * t * (3 - 2 * t)
