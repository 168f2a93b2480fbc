"""Skin by its colour, looked up: for videos, where working it out takes longer than all else."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.observe.skin.probability import skin_probability

_STEPS = 64
"""Of each channel: four bytes are one step."""


def looked_up_skin_probability(
    image_srgb: Float[Tensor, "*batch 3"],
) -> Float[Tensor, "*batch"]:
    """`skin_probability` of the middle of the step that each colour falls into."""
    step = (image_srgb * _STEPS).long().clamp(0, _STEPS - 1)
    place = (step[..., 0] * _STEPS + step[..., 1]) * _STEPS + step[..., 2]
    return _table().to(image_srgb)[place]


@functools.cache
def _table() -> Float[Tensor, "places"]:
    middle = (torch.arange(_STEPS) + 0.5) / _STEPS
    return skin_probability(torch.cartesian_prod(middle, middle, middle))
