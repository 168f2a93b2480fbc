"""Training: pictures from the pool, AdamW, warm-up and cosine, averaged weights, exact resume."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm._errors import InputError
from fit3dmm.regress.batch import Batch, Changes, augmented, batch_of, parts_of, resized
from fit3dmm.regress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fit3dmm.regress.loss import LossWeights, losses, total
from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.pool import PicturePool

_NO_DECAY_BELOW = 2
"""Vectors (norms and biases) are not pulled to zero."""


@dataclass(frozen=True)
class Phase:
    """A stretch of the training at one resolution."""

    size_px: int
    share: float
    """Of all steps."""


@dataclass(frozen=True)
class TrainingSettings:
    """How the network is trained; everything that decides its numbers."""

    steps: int | None = None
    """Optimisation steps; None trains by the clock, for `hours`."""
    hours: float = 2.0
    """Time for the whole training, where `steps` says none."""
    batch: int = 64
    """Pictures a step."""
    fresh: int = 16
    """New pictures a step; the rest are earlier ones, changed by augmentation."""
    fill: int = 512
    """Pictures before the first step."""
    learning_rate: float = 1.2e-3
    """Of the head, at its highest."""
    trunk_rate: float = 4e-4
    """Of the trunk, at its highest."""
    weight_decay: float = 1e-4
    """Of AdamW."""
    warm_up: int = 100
    """Steps in which the rate rises."""
    clip: float = 5.0
    """Longest gradient."""
    average: float = 0.998
    """What of the averaged weights stays from step to step (EMA)."""
    phases: tuple[Phase, ...] = (Phase(128, 0.6), Phase(160, 0.3), Phase(224, 0.1))
    """Resolutions, one after another, and the share of the training of each."""
    weights: LossWeights = field(default_factory=LossWeights)
    """Of the parts of the loss."""
    changes: Changes = field(default_factory=Changes)
    """How pictures that are shown again differ."""
    seed: int = 0
    """Of the order of pictures and of their changes."""
    check_every: int = 500
    """Steps between looks at the held-out pictures, which are checkpoints too."""
    patience: int = 8
    """Looks without a better loss after which training stops."""
    bfloat16: bool = True
    """Whether the trunk computes in bfloat16, where the device does so natively."""


@dataclass(frozen=True)
class Look:
    """How things stand."""

    step: int
    steps_share: float
    """Of the whole training that is done."""
    loss: float
    """On held-out pictures, with the averaged weights."""
    parts: dict[str, float]
    pictures: int
    """Rendered so far."""
    waited: int
    """How many of them the trainer had to wait for since the last look."""
    seconds: float
    """Trained so far, earlier runs included."""


def train(
    network: FaceNetwork,
    pool: PicturePool,
    held_out: Batch,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[Look], None] = lambda look: None,
    device: str | torch.device = "cpu",
) -> FaceNetwork:
    """Train, or go on where an interrupted run of the same settings stopped.

    Args:
        network: with its first weights; a checkpoint in `folder` replaces them.
        pool: renders the pictures meanwhile.
        held_out: pictures of people whom training does not show.
        settings: of the training.
        folder: for checkpoints.
        report: is told how things stand at every look.
        device: on which the network is trained.

    Returns:
        The network with the averaged weights of the best look.
    """
    run = _Run(network, settings, folder, torch.device(device))
    run.resume()
    while not run.is_over:
        upto = settings.fill + (run.step + 1) * settings.fresh
        run.waited += pool.provide(upto, ahead=8 * settings.fresh)
        draw = np.random.default_rng([settings.seed, run.step])
        oldest = max(0, upto - pool.capacity)
        earlier = draw.integers(oldest, upto, settings.batch - settings.fresh)
        numbers = [*earlier.tolist(), *range(upto - settings.fresh, upto)]
        run.take_step(batch_of(pool.take(numbers)))
        if run.step % settings.check_every == 0 or run.is_over:
            report(run.look(held_out, upto))
    return run.best_network()


class _Run:
    """The state of a training."""

    def __init__(
        self, network: FaceNetwork, settings: TrainingSettings, folder: Path, device: torch.device
    ) -> None:
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings, self.folder, self.device = settings, folder, device
        self.optimiser = torch.optim.AdamW(_groups(network, settings), fused=False)
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.best = {k: v.clone() for k, v in self.average.items()}
        self.step, self.waited, self.seconds = 0, 0, 0.0
        self.best_loss, self.looks_since_best = math.inf, 0

    @property
    def done(self) -> float:
        """Share of the training that is over."""
        if self.settings.steps is not None:
            return self.step / max(self.settings.steps, 1)
        return self.seconds / (3600 * self.settings.hours)

    @property
    def is_over(self) -> bool:
        return self.done >= 1 or self.looks_since_best >= self.settings.patience

    def resume(self) -> None:
        """Take up the checkpoint, if there is one."""
        found = read_checkpoint(self.folder, self.settings)
        if found is None:
            return
        self.network.load_state_dict(found.weights)
        self.optimiser.load_state_dict(found.optimiser)
        self.average, self.best = found.average, found.best
        self.step, self.seconds = found.step, found.seconds
        self.best_loss, self.looks_since_best = found.best_loss, found.looks_since_best

    def take_step(self, batch: Batch) -> None:
        """One step on pictures at the phase's resolution."""
        began = time.perf_counter()
        settings = self.settings
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        size = _phase(settings, self.done).size_px
        batch = resized(augmented(batch, settings.changes, generator), size).to(self.device)
        factor = _rate_factor(self.step, self.done, settings)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.network.train()
        with _precision(self.device, settings.bfloat16):
            outputs = self.network(_channels_last(batch.image_srgb))
        loss = total(losses(outputs, batch), settings.weights)
        if not bool(torch.isfinite(loss)):
            raise InputError(
                f"The training loss is no number at step {self.step}: lower the learning rates, "
                "delete the last checkpoint and start again."
            )
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimiser.step()
        self._average_weights()
        self.step += 1
        self.seconds += time.perf_counter() - began

    def look(self, held_out: Batch, pictures: int) -> Look:
        """Measure on held-out pictures, keep the best, and write a checkpoint."""
        parts = held_out_losses(self._averaged(), held_out, self.settings, self.device)
        loss = sum(getattr(self.settings.weights, name) * part for name, part in parts.items())
        self.looks_since_best += 1
        if loss < self.best_loss:
            self.best_loss, self.looks_since_best = loss, 0
            self.best = {k: v.clone() for k, v in self.average.items()}
        look = Look(self.step, self.done, loss, parts, pictures, self.waited, self.seconds)
        self.waited = 0
        write_checkpoint(
            self.folder,
            self.settings,
            Checkpoint(
                self.network.state_dict(), self.optimiser.state_dict(), self.average, self.best,
                self.step, self.seconds, self.best_loss, self.looks_since_best,
            ),
        )  # fmt: skip
        return look

    def best_network(self) -> FaceNetwork:
        """A copy with the best averaged weights."""
        network = FaceNetwork(self.network.settings, self.network.mean_points)
        network.load_state_dict(self.best)
        return network.eval()

    def _averaged(self) -> FaceNetwork:
        network = FaceNetwork(self.network.settings, self.network.mean_points).to(self.device)
        network.load_state_dict(self.average)
        return network.eval()

    def _average_weights(self) -> None:
        # The first steps count less, so that the average does not remember the start.
        keep = min(self.settings.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for name, value in self.network.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)
                else:
                    self.average[name].copy_(value)


def held_out_losses(
    network: FaceNetwork,
    held_out: Batch,
    settings: TrainingSettings,
    device: torch.device,
    chunk: int = 64,
) -> dict[str, float]:
    """Means of `losses` over pictures, at the last phase's resolution.

    Args:
        network: with the weights to judge.
        held_out: pictures that training does not show.
        settings: of the training.
        device: where the network is.
        chunk: pictures at once.
    """
    size = settings.phases[-1].size_px
    sums: dict[str, float] = {}
    n = len(held_out.image_srgb)
    with torch.no_grad():
        for part in parts_of(held_out, chunk):
            batch = resized(part, size).to(device)
            share = len(batch.image_srgb) / n
            for name, value in losses(network(batch.image_srgb), batch).items():
                sums[name] = sums.get(name, 0.0) + float(value) * share
    return sums


def _groups(network: FaceNetwork, settings: TrainingSettings) -> list[dict[str, object]]:
    """Trunk and head learn at rates of their own; norms and biases do not decay."""
    trunk = {id(parameter) for parameter in network.trunk.parameters()}
    groups = []
    for in_trunk, rate in ((True, settings.trunk_rate), (False, settings.learning_rate)):
        for decays in (True, False):
            chosen = [
                p for p in network.parameters()
                if (id(p) in trunk) == in_trunk and (p.ndim >= _NO_DECAY_BELOW) == decays
            ]  # fmt: skip
            decay = settings.weight_decay if decays else 0.0
            groups.append({"params": chosen, "lr": rate, "initial_lr": rate, "weight_decay": decay})
    return groups


def _rate_factor(step: int, done: float, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine to nearly zero."""
    rise = min(1.0, (step + 1) / max(settings.warm_up, 1))
    return rise * (0.5 * (1 + math.cos(math.pi * min(done, 1.0))) + 0.002)


def _phase(settings: TrainingSettings, done: float) -> Phase:
    total_share = sum(phase.share for phase in settings.phases)
    until = 0.0
    for phase in settings.phases:
        until += phase.share / total_share
        if done < until - 1e-9:
            return phase
    return settings.phases[-1]


def _channels_last(image: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return image.contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def _precision(device: torch.device, bfloat16: bool) -> Iterator[None]:
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        yield
