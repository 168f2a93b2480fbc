"""How a network does on held-out pictures and photos."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.regress.batch import Batch, parts_of, resized
from fit3dmm.regress.loss import losses
from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.outputs import BLOCKS, Outputs
from fit3dmm.regress.photo_batch import PhotoBatch, photos_resized
from fit3dmm.regress.photo_pool import PhotoPool
from fit3dmm.regress.training_settings import TrainingSettings

PhotoLoss = Callable[[Outputs, PhotoBatch], dict[str, Float[Tensor, "batch"]]]
"""Energies of what a network says of photos, by term."""


@dataclass(frozen=True)
class Unlabelled:
    """Photos to learn from, and what is asked of the answers."""

    photos: PhotoPool
    loss: PhotoLoss


@dataclass(frozen=True)
class Measured:
    """On held-out pictures, with the averaged weights."""

    parts: dict[str, float]
    """Losses on renders, by the names of `LossWeights`."""
    errors: dict[str, float]
    """Of renders: see `render_errors`."""
    photo_parts: dict[str, float] = field(default_factory=dict)
    """Energies of photos, by term."""


@dataclass(frozen=True)
class Look:
    """How things stand."""

    step: int
    steps_share: float
    """Of the whole training that is done."""
    loss: float
    """On held-out pictures, with the averaged weights; of photos, too, where there are any."""
    parts: dict[str, float]
    pictures: int
    """Rendered so far."""
    waited: int
    """How many of them the trainer had to wait for since the last look."""
    seconds: float
    """Trained so far, earlier runs included."""
    photo_parts: dict[str, float] = field(default_factory=dict)
    """Energies of held-out photos, by term."""
    worse: float = 0.0
    """Largest share by which an error on held-out renders is larger than at best so far."""
    worst: str = ""
    """Which error that is."""
    is_best: bool = False
    """Whether these weights are the best so far."""

    @property
    def photo_loss(self) -> float:
        """Of held-out photos."""
        return sum(self.photo_parts.values())


def measure(
    network: FaceNetwork,
    held_out: Batch,
    unlabelled: Unlabelled | None,
    settings: TrainingSettings,
    device: torch.device,
    chunk: int = 64,
) -> Measured:
    """Look at all held-out pictures, at the last phase's resolution.

    Args:
        network: with the weights to judge.
        held_out: rendered pictures that training does not show.
        unlabelled: photos, where there are any.
        settings: of the training.
        device: where the network is.
        chunk: pictures at once.
    """
    size = settings.phases[-1].size_px
    said: list[tuple[int, dict[str, float], dict[str, float]]] = []
    photos: dict[str, float] = {}
    with torch.no_grad():
        for part in parts_of(held_out, chunk):
            batch = resized(part, size).to(device)
            outputs = network(batch.image_srgb)
            values = {name: float(value) for name, value in losses(outputs, batch).items()}
            said.append((len(batch.image_srgb), values, render_errors(outputs, batch)))
        if unlabelled is not None:
            names = unlabelled.photos.held_out[: settings.photos.held_out]
            for first in range(0, len(names), chunk):
                some = unlabelled.photos.take(names[first : first + chunk])
                seen = photos_resized(some, size).to(device)
                energies = unlabelled.loss(network(seen.image_srgb), seen)
                for name, each in energies.items():
                    photos[name] = photos.get(name, 0.0) + float(each.sum()) / len(names)
    parts = _mean([(count, values) for count, values, _ in said])
    errors = _mean([(count, found) for count, _, found in said])
    return Measured(parts, errors, photos)


def render_errors(outputs: Outputs, batch: Batch) -> dict[str, float]:
    """Mean distances of the numbers that are said from the true ones, whatever is said of sigmas.

    By name: `points` (in crops' sides), the blocks of coefficients, the parts of the pose, `light`,
    `tone` (its logarithm) and `cover` (the cross entropy).
    """
    said, pose = outputs.pose, batch.pose
    off = {
        "points": outputs.points - batch.points_px / batch.size_px,
        "turned": said.turned - pose.turned,
        "centre": said.centre - pose.centre,
        "log_size": said.log_size - pose.log_size,
        "log_distance": said.log_distance - pose.log_distance,
        "light": outputs.light_asinh - batch.irradiance_sh.asinh(),
        "tone": outputs.log_tone - batch.tone.log(),
    }
    if bool(batch.is_of_model.any()):
        for name in BLOCKS:
            if batch.coefficients[name].shape[1]:
                difference = outputs.coefficients[name] - batch.coefficients[name]
                off[name] = difference[batch.is_of_model]
    errors = {name: float(value.abs().mean()) for name, value in off.items()}
    cover = torch.nn.functional.cross_entropy(outputs.cover, batch.cover)
    return {**errors, "cover": float(cover)}


def largest_increase(errors: Mapping[str, float], best: Mapping[str, float]) -> tuple[float, str]:
    """By what share an error is larger than the best of its name, and which one it is.

    A model without coefficients of a kind has no such error; nothing is larger than nothing.
    """
    shares = {name: errors[name] / best[name] - 1 for name in best if best[name] > 0}
    worst = max(shares, key=lambda name: shares[name], default="")
    return (shares[worst], worst) if worst else (0.0, "")


def lowest(errors: Mapping[str, float], best: Mapping[str, float]) -> dict[str, float]:
    """The smaller of two errors of each name."""
    return {name: min(value, best.get(name, math.inf)) for name, value in errors.items()}


def _mean(parts: list[tuple[int, dict[str, float]]]) -> dict[str, float]:
    """Of values by name, each counted so often."""
    total = sum(count for count, _ in parts)
    sums: dict[str, float] = {}
    for count, values in parts:
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + value * count / total
    return sums
