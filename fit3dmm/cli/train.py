"""`fit3dmm train`: a regressor for any model, from rendered people, and photos if there are any."""

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console

from fit3dmm._errors import InputError
from fit3dmm._memory import keep_freed_memory
from fit3dmm._parallel import available_cores
from fit3dmm.cli.looks import look_line, looks_table
from fit3dmm.cli.train_photos import searched_photos
from fit3dmm.fitting.network_errors import FEWEST_PICTURES, learn_network_errors
from fit3dmm.fitting.unlabelled import PhotoEnergies
from fit3dmm.model.files import load_model
from fit3dmm.model.library import SHIPPED
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.batch import Batch, batch_of, parts_of, resized
from fit3dmm.regress.files import Regressor, model_key, read_regressor, write_regressor
from fit3dmm.regress.laid_out import laid_out
from fit3dmm.regress.log import TrainingLog
from fit3dmm.regress.looks import Look, Unlabelled
from fit3dmm.regress.network import AT_ONCE, FaceNetwork, NetworkSettings, extended
from fit3dmm.regress.people import coarse_model, make_studio, point_sets_of
from fit3dmm.regress.photo_pool import PhotoPool
from fit3dmm.regress.pool import PicturePool, PictureReader
from fit3dmm.regress.provenance import trained_info
from fit3dmm.regress.ranks import Ranks, joined_ranks
from fit3dmm.regress.readout import refit
from fit3dmm.regress.refiner import RefinerSettings
from fit3dmm.regress.training import train
from fit3dmm.regress.training_settings import TrainingSettings
from fit3dmm.regress.trunk_weights import load_trunk
from fit3dmm.synthetic.fast import StudioSettings

_HELD_OUT_SEED, _ERRORS_SEED, _TRAINING_SEED = 10**12, 2 * 10**12, 0


@dataclass(frozen=True)
class Train:
    """Train a network that sees points, coefficients, pose, light and what covers a face.

    It is trained on rendered people. With --photos it learns of unlabelled photos, too, by what its
    answers look like when they are rendered. Interrupt it and run the same command again: it goes
    on. On several GPUs: torchrun --nproc-per-node N --no-python -- fit3dmm train ...
    """

    out: tyro.conf.Positional[Path]
    """The regressor's file. Pictures and checkpoints lie beside it, in OUT.training."""
    model: str = SHIPPED
    """Whose coefficients it learns: a model's name or file."""
    others: tuple[str, ...] = ()
    """Further models whose people are shown, too."""
    photos: Path | None = None
    """Photos of faces, a folder with the folders in it: the largest face of each is learned from
    without labels. A fifth of them, by their content, is held out. Best with --start."""
    start: Path | None = None
    """A regressor to go on from."""
    trunk: Literal["lite0", "resnet18", "resnet50", "recognition"] = "resnet18"
    trunk_weights: Path | None = None
    """Weights that the trunk begins with: a safetensors file with the names of the public release
    (tools/fetch_trunk.py), or fit3dmm's own file of the recognition network."""
    refiner: RefinerSettings | None = field(default_factory=RefinerSettings)
    """How points are looked at once more; a network to go on from gets it where it has none."""
    read: int = 320
    """In how many numbers the last layer is told of where points lie; a network to go on from
    learns to read them where it couldn't. 0 leaves it at features."""
    pool: int = 8192
    """Pictures that are kept and used again."""
    held_out: int = 512
    """Pictures by which the best weights are chosen."""
    errors: int = 6000
    """Further pictures, of which it is learned how the points err; with 0 a fit takes nothing from
    the points."""
    jobs: int | None = None
    """Processes that render; by default one core less than there are, 0 renders in this process."""
    threads: int = 1
    """Threads of the trainer on a processor."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    log: Path | None = None
    """Folder for TensorBoard's curves (needs the extra `log`)."""
    settings: TrainingSettings = field(default_factory=TrainingSettings)

    def run(self) -> None:
        if 0 < self.errors < FEWEST_PICTURES:
            raise InputError(
                f"Expected --errors 0 or {FEWEST_PICTURES} and more, got {self.errors}: every view "
                "needs more faces than its errors have modes."
            )
        keep_freed_memory()
        torch.set_num_threads(self.threads)
        device = self._device()
        with joined_ranks(device) as ranks, contextlib.ExitStack() as stack:
            log = None
            if self.log is not None and ranks.is_first:
                log = stack.enter_context(TrainingLog(self.log))
            self._run(device, ranks, log)

    def _run(self, device: str, ranks: Ranks, log: TrainingLog | None) -> None:
        console = Console(stderr=True, quiet=not ranks.is_first)
        model = load_model(self.model)
        point_sets = point_sets_of(model)
        studio = StudioSettings(
            size_px=max(phase.size_px for phase in self.settings.phases), point_sets=point_sets
        )
        make = functools.partial(make_studio, self.model, self.others, studio)
        jobs = max(1, available_cores() - 1) if self.jobs is None else self.jobs
        folder = self.out.with_name(f"{self.out.name}.training")
        signature = f"{model_key(model)} {self.others} {studio}"
        unlabelled = self._unlabelled(folder, studio.size_px, device, ranks, console)

        def pool_of(name: str, count: int, seed: int) -> PicturePool:
            return PicturePool(folder / name, make, count, seed, jobs, signature)

        held_out: Batch | None = None
        if ranks.is_first:
            with pool_of("held-out", self.held_out, _HELD_OUT_SEED) as pool:
                console.print(f"rendering {self.held_out} held-out pictures")
                pool.provide(self.held_out)
                held_out = batch_of(pool.take(range(self.held_out)))
        start = None if self.start is None else read_regressor(self.start, model)
        network = self._network(start, model, point_sets, held_out)
        looks: list[Look] = []

        def report(look: Look) -> None:
            looks.append(look)
            console.print(look_line(look))
            if log is not None:
                log.add(look)

        with contextlib.ExitStack() as stack:
            pool = PictureReader(folder / "pool", self.pool)
            if ranks.is_first:
                pool = stack.enter_context(pool_of("pool", self.pool, _TRAINING_SEED))
            trained = train(
                network, pool, held_out, self.settings, folder, report, device, unlabelled, ranks
            ).cpu()
            if not (held_out is not None and isinstance(pool, PicturePool)):
                return
            as_before = self.settings.trains == "refiner" and trained.reader is None
            if unlabelled is None and not as_before:
                # Of renders alone: it would undo what photos said of the last layer.
                self._solve_last_layer(trained, pool, held_out, console)
        n_photos = 0 if unlabelled is None else len(unlabelled.photos.training)
        began = None if start is None else start.info
        weights = None if self.trunk_weights is None else self.trunk_weights.name
        how = (looks, n_photos, self.settings.seed, began, weights)
        info = trained_info(model, point_sets, studio.size_px, *how)
        regressor = Regressor(trained, info)
        if self.errors:
            console.print(f"rendering {self.errors} pictures to learn how the points err")
            with pool_of("errors", self.errors, _ERRORS_SEED) as seen:
                seen.provide(self.errors)
                regressor = with_errors(regressor, seen, model)
        write_regressor(regressor, self.out)
        console.print(looks_table(looks))
        print(self.out)

    def _solve_last_layer(
        self, trained: FaceNetwork, pool: PicturePool, held_out: Batch, console: Console
    ) -> None:
        console.print("solving for coefficients, light and tone")
        size_px = self.settings.phases[-1].size_px
        seen = (resized(part, size_px) for part in parts_of(held_out))
        quick = laid_out(trained, size_px)
        shares = refit(quick, _batches(pool, size_px), seen)
        trained.say_rest.load_state_dict(quick.say_rest.state_dict())
        said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
        console.print(f"explained of held-out people: {said}")

    def _unlabelled(
        self, folder: Path, size_px: int, device: str, ranks: Ranks, console: Console
    ) -> Unlabelled | None:
        """The photos, searched and cropped, and what is asked of them."""
        photos = self.photos
        if photos is None:
            return None
        pool: PhotoPool = ranks.of_first(lambda: searched_photos(photos, folder, size_px, console))
        console.print(
            f"{len(pool.training)} photos to learn from, {len(pool.held_out)} held out, "
            f"{len(pool.left_out)} without a face or no photos"
        )
        return Unlabelled(pool, PhotoEnergies(coarse_model(self.model).to(device)))

    def _device(self) -> str:
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda was asked for, and PyTorch sees no CUDA device here.")
        return self.device if self.device != "auto" else (
            "cuda" if torch.cuda.is_available() else "cpu"
        )  # fmt: skip

    def _network(
        self,
        start: Regressor | None,
        model: MorphableModel,
        point_sets: tuple[str, ...],
        held_out: Batch | None,
    ) -> FaceNetwork:
        """With its first weights; without pictures (they are the first process's) points begin
        anywhere."""
        torch.manual_seed(self.settings.seed)
        if start is not None:
            return extended(start.network, self.refiner, self.read)
        n_points = sum(len(model.landmarks[name]) for name in point_sets)
        sizes = (model.n_identity, model.n_detail, model.n_expression, model.n_albedo)
        points = torch.full((n_points, 2), 0.5)
        if held_out is not None:
            points = (held_out.points_px / held_out.size_px).mean(0)
        network = FaceNetwork(
            NetworkSettings(self.trunk, n_points, *sizes, refiner=self.refiner, read=self.read),
            points,
        )
        if self.trunk_weights is not None:
            load_trunk(network, self.trunk_weights)
        return network


def _batches(pool: PicturePool, size_px: int) -> Iterator[Batch]:
    """All pictures of a pool, few at a time."""
    numbers = pool.held()
    for first in range(0, len(numbers), AT_ONCE):
        yield resized(batch_of(pool.take(numbers[first : first + AT_ONCE])), size_px)


def with_errors(regressor: Regressor, pool: PicturePool, model: MorphableModel) -> Regressor:
    """The regressor with the table of how its points err on all pictures of a pool."""
    network, info = regressor.network, regressor.info
    examples = (pool.take([number])[0] for number in range(pool.capacity))
    quick = laid_out(network, info.size_px)
    errors = learn_network_errors(quick, examples, model, info.point_sets, info.size_px)
    return replace(regressor, errors=errors)


COMMAND = Train
