"""What cameras do with light that is too bright."""

import numpy as np
from jaxtyping import Float

_SHOULDER = 0.8
"""Light above this is compressed towards 1."""


def compressed(light: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear light as it is below the shoulder, and ever less of it above; below 1 all over."""
    over = np.maximum(light - _SHOULDER, 0) / (1 - _SHOULDER)
    return np.minimum(light, _SHOULDER) + (1 - _SHOULDER) * (1 - np.exp(-over))
