"""Training: pictures from the pool, photos beside them, AdamW, warm-up and cosine, averages of the
weights, exact resume."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from fit3dmm._errors import InputError
from fit3dmm.regress.batch import Batch, batch_of, changed, draw_changes, parts_of, resized
from fit3dmm.regress.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from fit3dmm.regress.learner import Learner
from fit3dmm.regress.looks import Look, Measured, Unlabelled, largest_increase, lowest, measure
from fit3dmm.regress.loss import losses, total
from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.photo_batch import PhotoBatch, changed_photos, photos_resized
from fit3dmm.regress.pool import PicturePool, PictureReader
from fit3dmm.regress.ranks import ALONE, Ranks
from fit3dmm.regress.schedule import parameter_groups, phase_at, rate_factor
from fit3dmm.regress.training_settings import TrainingSettings

_OF_PHOTOS = 1
"""Tells what is drawn for photos from what is drawn for pictures."""
_AT_ONCE = 16
"""Pictures that a processor learns from together."""


def train(
    network: FaceNetwork,
    pool: PicturePool | PictureReader,
    held_out: Batch | None,
    settings: TrainingSettings,
    folder: Path,
    report: Callable[[Look], None] = lambda look: None,
    device: str | torch.device = "cpu",
    unlabelled: Unlabelled | None = None,
    ranks: Ranks = ALONE,
) -> FaceNetwork:
    """Train, or go on where an interrupted run of the same settings stopped.

    Args:
        network: with its first weights; a checkpoint in `folder` replaces them.
        pool: renders the pictures meanwhile; the first process's, which the others read.
        held_out: pictures of people whom training does not show; the first process needs them.
        settings: of the training.
        folder: for checkpoints.
        report: is told how things stand at every look, in the first process.
        device: on which the network is trained.
        unlabelled: photos to learn from beside the rendered pictures.
        ranks: the processes that train together.

    Returns:
        The network with the averaged weights of the best look.

    Raises:
        InputError: the processes can't share the pictures evenly, the loss is no number, or the
            folder holds a training with other settings.
    """
    ranks.must_divide(batch=settings.batch, fresh=settings.fresh)
    if unlabelled is not None:
        ranks.must_divide(photos_batch=settings.photos.batch)
    run = _Run(network, settings, folder, torch.device(device), unlabelled, ranks)
    resumed = run.resume()
    if unlabelled is not None and not resumed:
        # What the photos must not make worse.
        run.look(held_out, 0, report)
    while not run.is_over:
        upto = settings.fill + (run.step + 1) * settings.fresh
        run.waited += pool.provide(upto, ahead=8 * settings.fresh)
        ranks.wait()
        draw = np.random.default_rng([settings.seed, run.step])
        oldest = max(0, upto - pool.capacity)
        earlier = draw.integers(oldest, upto, settings.batch - settings.fresh)
        numbers = [*earlier.tolist(), *range(upto - settings.fresh, upto)]
        run.take_step(batch_of(pool.take(ranks.share(numbers))))
        if run.step % settings.check_every == 0 or run.is_over:
            run.look(held_out, upto, report)
    return run.best_network()


class _Run:
    """The state of a training."""

    def __init__(
        self,
        network: FaceNetwork,
        settings: TrainingSettings,
        folder: Path,
        device: torch.device,
        unlabelled: Unlabelled | None,
        ranks: Ranks,
    ) -> None:
        ranks.start_alike(network.to(device))
        if ranks.size > 1 and device.type == "cuda":
            # Statistics of all pictures of a step; on processors each takes its own.
            network = cast(FaceNetwork, nn.SyncBatchNorm.convert_sync_batchnorm(network))
        self.network = network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.settings, self.folder, self.device = settings, folder, device
        self.learner = Learner(self.network, settings.trains)
        self.unlabelled, self.ranks = unlabelled, ranks
        self.optimiser = torch.optim.AdamW(parameter_groups(network, settings), fused=False)
        self.average = {k: v.detach().clone() for k, v in network.state_dict().items()}
        self.best = {k: v.clone() for k, v in self.average.items()}
        self.step, self.waited, self.seconds = 0, 0, 0.0
        self.best_loss, self.looks_since_best = math.inf, 0
        self.best_errors: dict[str, float] = {}

    @property
    def done(self) -> float:
        """Share of the training that is over."""
        if self.settings.steps is not None:
            return self.step / max(self.settings.steps, 1)
        return self.seconds / (3600 * self.settings.hours)

    @property
    def is_over(self) -> bool:
        nothing = self.settings.steps is not None and self.step >= self.settings.steps
        return nothing or self.done >= 1 or self.looks_since_best >= self.settings.patience

    def resume(self) -> bool:
        """Take up the checkpoint, and say whether there is one."""
        found = read_checkpoint(self.folder, self.settings)
        if found is None:
            return False
        self.network.load_state_dict(found.weights)
        self.optimiser.load_state_dict(found.optimiser)
        self.average, self.best = found.average, found.best
        self.step, self.seconds = found.step, found.seconds
        self.best_loss, self.looks_since_best = found.best_loss, found.looks_since_best
        self.best_errors = found.best_errors
        return True

    def take_step(self, batch: Batch) -> None:
        """One step on this process's pictures, and as many photos, at the phase's resolution."""
        began = time.perf_counter()
        settings, ranks = self.settings, self.ranks
        size = phase_at(settings, self.done).size_px
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        drawn = draw_changes(settings.batch, settings.changes, generator).map(ranks.rows)
        batch = resized(changed(batch, drawn), size).to(self.device)
        photos = self._photos(size, generator)
        factor = rate_factor(self.step, self.done, settings)
        for group in self.optimiser.param_groups:
            group["lr"] = group["initial_lr"] * factor
        self.optimiser.zero_grad()
        loss = self._descend(batch, photos)
        if not bool(torch.isfinite(ranks.mean(loss))):
            raise InputError(
                f"The training loss is no number at step {self.step}: lower the learning rates, "
                "delete the last checkpoint and start again."
            )
        ranks.average_gradients(self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), settings.clip)
        self.optimiser.step()
        ranks.average_buffers(self.network)
        self._average_weights()
        self.step += 1
        # All must agree on when it is over.
        self.seconds = ranks.of_first(lambda: self.seconds + time.perf_counter() - began)

    def _photos(self, size_px: int, generator: torch.Generator) -> PhotoBatch | None:
        """This process's photos of the step, changed; None where there are none."""
        count = self.settings.photos.batch
        if self.unlabelled is None or not count:
            return None
        names = self.unlabelled.photos.training
        draw = np.random.default_rng([self.settings.seed, self.step, _OF_PHOTOS])
        chosen = draw.choice(len(names), count, replace=count > len(names)).tolist()
        drawn = draw_changes(count, self.settings.changes, generator).map(self.ranks.rows)
        seen = self.unlabelled.photos.take([names[k] for k in self.ranks.share(chosen)])
        return photos_resized(changed_photos(seen, drawn), size_px).to(self.device)

    def _descend(self, batch: Batch, photos: PhotoBatch | None) -> Float[Tensor, ""]:
        """Add the step's derivatives to the parameters', and tell its loss."""
        n_of_model = self.ranks.mean(batch.is_of_model.float().sum())
        n_of_model = n_of_model.clamp_min(1 / self.ranks.size)
        n = len(batch.image_srgb)
        # A processor is quickest with few pictures at a time; the sum is the same where a picture
        # is seen alike whatever is beside it.
        apart = self.learner.pictures_apart and photos is None and self.device.type == "cpu"
        parts = list(parts_of(batch, _AT_ONCE)) if apart and n % _AT_ONCE == 0 else [batch]
        losses_of_parts = []
        for part in parts:
            loss = self._loss(part, photos, n_of_model / len(parts)) / len(parts)
            loss.backward()
            losses_of_parts.append(loss.detach())
        return torch.stack(losses_of_parts).sum()

    def _loss(
        self, batch: Batch, photos: PhotoBatch | None, n_of_model: Float[Tensor, ""]
    ) -> Float[Tensor, ""]:
        n, images = len(batch.image_srgb), batch.image_srgb
        if photos is not None:
            # In one pass, so that the norms' statistics are those of both.
            images = torch.cat([images, photos.image_srgb])
        with _precision(self.device, self.settings.bfloat16):
            outputs = self.learner.look(_channels_last(images))
        of_renders = outputs.map(lambda values: values[:n])
        loss = total(losses(of_renders, batch, n_of_model), self.settings.weights)
        if photos is None or self.unlabelled is None:
            return loss
        energies = self.unlabelled.loss(outputs.map(lambda values: values[n:]), photos)
        of_photos = torch.stack(list(energies.values())).sum(0).mean()
        return loss + self.settings.photos.weight * of_photos

    def look(self, held_out: Batch | None, pictures: int, report: Callable[[Look], None]) -> None:
        """Measure on held-out pictures, keep the best, write a checkpoint, and report."""
        measured = self.ranks.of_first(lambda: self._measure(held_out))
        look = self._judge(measured, pictures)
        self.waited = 0
        if self.ranks.is_first:
            self._write_checkpoint()
        self.ranks.wait()
        if self.ranks.is_first:
            report(look)

    def _measure(self, held_out: Batch | None) -> Measured:
        if held_out is None:
            raise ValueError("The first process needs the held-out pictures.")
        return measure(self._averaged(), held_out, self.unlabelled, self.settings, self.device)

    def _judge(self, measured: Measured, pictures: int) -> Look:
        """Whether these weights are the best. With photos they must also be about as good on
        renders as any before, in everything."""
        weights, photos = self.settings.weights, self.settings.photos
        loss = sum(getattr(weights, name) * part for name, part in measured.parts.items())
        worse, worst = 0.0, ""
        if self.unlabelled is not None:
            loss += photos.weight * sum(measured.photo_parts.values())
            worse, worst = largest_increase(measured.errors, self.best_errors)
            self.best_errors = lowest(measured.errors, self.best_errors)
        is_best = loss < self.best_loss and worse <= photos.most_worse
        self.looks_since_best += 1
        if is_best:
            self.best_loss, self.looks_since_best = loss, 0
            self.best = {k: v.clone() for k, v in self.average.items()}
        return Look(
            self.step, self.done, loss, measured.parts, pictures, self.waited, self.seconds,
            measured.photo_parts, worse, worst, is_best,
        )  # fmt: skip

    def _write_checkpoint(self) -> None:
        write_checkpoint(
            self.folder,
            self.settings,
            Checkpoint(
                self.network.state_dict(), self.optimiser.state_dict(), self.average, self.best,
                self.step, self.seconds, self.best_loss, self.looks_since_best, self.best_errors,
            ),
        )  # fmt: skip

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


def _channels_last(image: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return image.contiguous(memory_format=torch.channels_last)


@contextlib.contextmanager
def _precision(device: torch.device, bfloat16: bool) -> Iterator[None]:
    with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
        yield
