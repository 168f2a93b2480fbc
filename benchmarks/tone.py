"""How far apart the colours are that two fits of one person give a face."""

import numpy as np
import torch
from jaxtyping import Float
from kornia.color import rgb_to_lab

from fit3dmm.colour import linear_to_srgb


def colour_differences(
    neutral_linear: Float[np.ndarray, "people 3"], smiling_linear: Float[np.ndarray, "people 3"]
) -> tuple[Float[np.ndarray, "people"], Float[np.ndarray, "people"]]:
    """Differences (CIE 1976) of each person's two colours, and on average to all others'.

    Args:
        neutral_linear: mean albedo of each face in the neutral photo.
        smiling_linear: in the smiling one.

    Returns:
        Within each person, and between the smiling photo of each and the neutral ones of others.
    """
    apart = np.linalg.norm(_lab(smiling_linear)[:, None] - _lab(neutral_linear)[None], axis=2)
    between = apart.sum(axis=1) - np.diag(apart)
    return np.diag(apart), between / max(len(apart) - 1, 1)


def _lab(linear: np.ndarray) -> np.ndarray:
    srgb = linear_to_srgb(torch.from_numpy(linear).clamp(0, 1))
    return rgb_to_lab(srgb.T[None, :, None]).numpy()[0, :, 0].T
