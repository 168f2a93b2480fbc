"""The people whom a network learns from: which of their points it sees, and who renders them."""

import torch

from fit3dmm.model.files import load_model
from fit3dmm.model.landmarks import NETWORK_POINTS
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.fast import Studio, StudioSettings

_LEVEL = 1
"""Subdivision at which people are rendered: finer is not seen in a crop."""


def point_sets_of(model: MorphableModel) -> tuple[str, ...]:
    """Which points a network of a model sees: those that the model has."""
    return tuple(name for name in NETWORK_POINTS if name in model.landmarks)


def make_studio(model: str, others: tuple[str, ...], settings: StudioSettings) -> Studio:
    """What a rendering process works with."""
    torch.set_num_threads(1)
    return Studio(coarse_model(model), [coarse_model(name) for name in others], settings)


def coarse_model(name: str) -> MorphableModel:
    """A model no finer than people are rendered."""
    model = load_model(name)
    return load_model(name, level=_LEVEL) if model.surface.level > _LEVEL else model
