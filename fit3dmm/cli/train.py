"""`fit3dmm train`: a regressor for any model, from rendered people."""

import functools
import platform
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import torch
import tyro
from rich.console import Console
from rich.table import Table

from fit3dmm._errors import InputError
from fit3dmm._parallel import available_cores
from fit3dmm._version import __version__
from fit3dmm.fitting.network_errors import FEWEST_PICTURES, learn_network_errors
from fit3dmm.model.files import load_model
from fit3dmm.model.landmarks import NETWORK_POINTS
from fit3dmm.model.library import SHIPPED
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.regress.batch import AT_ONCE, Batch, batch_of, parts_of, resized
from fit3dmm.regress.files import (
    Regressor,
    RegressorInfo,
    model_key,
    read_regressor,
    write_regressor,
)
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.pool import PicturePool
from fit3dmm.regress.readout import refit
from fit3dmm.regress.training import Look, TrainingSettings, train
from fit3dmm.synthetic.fast import Studio, StudioSettings

_HELD_OUT_SEED, _ERRORS_SEED, _TRAINING_SEED = 10**12, 2 * 10**12, 0
_LEVEL = 1
"""Subdivision at which people are rendered: finer is not seen in a crop."""


@dataclass(frozen=True)
class Train:
    """Train a network that sees points, coefficients, pose, light and what covers a face.

    It is trained on rendered people alone. Interrupt it and run the same command again: it goes on.
    """

    out: tyro.conf.Positional[Path]
    """The regressor's file. Pictures and checkpoints lie beside it, in OUT.training."""
    model: str = SHIPPED
    """Whose coefficients it learns: a model's name or file."""
    others: tuple[str, ...] = ()
    """Further models whose people are shown, too."""
    start: Path | None = None
    """A regressor to go on from."""
    trunk: Literal["lite0", "resnet18", "resnet50"] = "resnet18"
    trunk_weights: Path | None = None
    """ImageNet weights of the trunk: a safetensors file with the names of the public release."""
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
    settings: TrainingSettings = field(default_factory=TrainingSettings)

    def run(self) -> None:
        if 0 < self.errors < FEWEST_PICTURES:
            raise InputError(
                f"Expected --errors 0 or {FEWEST_PICTURES} and more, got {self.errors}: every view "
                "needs more faces than its errors have modes."
            )
        console = Console(stderr=True)
        torch.set_num_threads(self.threads)
        device = self._device()
        model = load_model(self.model)
        point_sets = point_sets_of(model)
        studio = StudioSettings(
            size_px=max(phase.size_px for phase in self.settings.phases), point_sets=point_sets
        )
        make = functools.partial(make_studio, self.model, self.others, studio)
        jobs = max(1, available_cores() - 1) if self.jobs is None else self.jobs
        folder = self.out.with_name(f"{self.out.name}.training")
        signature = f"{model_key(model)} {self.others} {studio}"
        held_out_pool = PicturePool(
            folder / "held-out", make, self.held_out, _HELD_OUT_SEED, jobs, signature
        )
        with held_out_pool:
            console.print(f"rendering {self.held_out} held-out pictures")
            held_out_pool.provide(self.held_out)
            held_out = batch_of(held_out_pool.take(range(self.held_out)))
        network = self._network(model, point_sets, held_out.points_px / held_out.size_px)
        looks: list[Look] = []

        def report(look: Look) -> None:
            looks.append(look)
            console.print(_line(look))

        pool = PicturePool(folder / "pool", make, self.pool, _TRAINING_SEED, jobs, signature)
        with pool:
            trained = train(network, pool, held_out, self.settings, folder, report, device).cpu()
            console.print("solving for coefficients, light and tone")
            size_px = self.settings.phases[-1].size_px
            seen = (resized(part, size_px) for part in parts_of(held_out))
            shares = refit(trained, _batches(pool, size_px), seen)
            said = ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
            console.print(f"explained of held-out people: {said}")
        info = self._info(model, point_sets, studio.size_px, looks)
        regressor = Regressor(trained, info)
        if self.errors:
            console.print(f"rendering {self.errors} pictures to learn how the points err")
            with PicturePool(
                folder / "errors", make, self.errors, _ERRORS_SEED, jobs, signature
            ) as seen:
                seen.provide(self.errors)
                regressor = with_errors(regressor, seen, model)
        write_regressor(regressor, self.out)
        console.print(_table(looks))
        print(self.out)

    def _device(self) -> str:
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("--device cuda was asked for, and PyTorch sees no CUDA device here.")
        return self.device if self.device != "auto" else (
            "cuda" if torch.cuda.is_available() else "cpu"
        )  # fmt: skip

    def _network(
        self, model: MorphableModel, point_sets: tuple[str, ...], points: torch.Tensor
    ) -> FaceNetwork:
        if self.start is not None:
            return read_regressor(self.start, model).network
        torch.manual_seed(self.settings.seed)
        n_points = sum(len(model.landmarks[name]) for name in point_sets)
        sizes = (model.n_identity, model.n_detail, model.n_expression, model.n_albedo)
        network = FaceNetwork(NetworkSettings(self.trunk, n_points, *sizes), points.mean(0))
        if self.trunk_weights is not None:
            _load_trunk(network, self.trunk_weights)
        return network

    def _info(
        self, model: MorphableModel, point_sets: tuple[str, ...], size_px: int, looks: list[Look]
    ) -> RegressorInfo:
        last = looks[-1] if looks else None
        best = min(looks, key=lambda look: look.loss) if looks else None
        return RegressorInfo(
            model=f"{model.info.name} {model.info.version}",
            model_key=model_key(model),
            point_sets=point_sets,
            size_px=size_px,
            licence="CC0-1.0",
            provenance="Trained by `fit3dmm train` on rendered people.",
            record={
                "fit3dmm": __version__,
                "seed": self.settings.seed,
                "pictures": last.pictures if last else 0,
                "steps": last.step if last else 0,
                "hours": last.seconds / 3600 if last else 0.0,
                "machine": f"{platform.machine()} {platform.system()}",
                "held_out": best.parts if best else {},
            },
        )


def _batches(pool: PicturePool, size_px: int) -> Iterator[Batch]:
    """All pictures of a pool, few at a time."""
    numbers = pool.held()
    for first in range(0, len(numbers), AT_ONCE):
        yield resized(batch_of(pool.take(numbers[first : first + AT_ONCE])), size_px)


def with_errors(regressor: Regressor, pool: PicturePool, model: MorphableModel) -> Regressor:
    """The regressor with the table of how its points err on all pictures of a pool."""
    network, info = regressor.network, regressor.info
    examples = (pool.take([number])[0] for number in range(pool.capacity))
    errors = learn_network_errors(network, examples, model, info.point_sets, info.size_px)
    return replace(regressor, errors=errors)


def point_sets_of(model: MorphableModel) -> tuple[str, ...]:
    """Which points a network of a model sees: those that the model has."""
    return tuple(name for name in NETWORK_POINTS if name in model.landmarks)


def make_studio(model: str, others: tuple[str, ...], settings: StudioSettings) -> Studio:
    """What a rendering process works with."""
    torch.set_num_threads(1)
    return Studio(_coarse(model), [_coarse(name) for name in others], settings)


def _coarse(name: str) -> MorphableModel:
    model = load_model(name)
    return load_model(name, level=_LEVEL) if model.surface.level > _LEVEL else model


def _load_trunk(network: FaceNetwork, path: Path) -> None:
    from safetensors.torch import load_file

    found = load_file(path)
    missing, _ = network.trunk.load_state_dict(found, strict=False)
    if missing:
        raise InputError(
            f"{path} has no weights for {missing[0]} and {len(missing) - 1} others of the trunk: "
            f"expected the ImageNet weights of {network.settings.trunk}."
        )


def _line(look: Look) -> str:
    parts = " ".join(f"{name} {value:.3f}" for name, value in look.parts.items())
    return (
        f"step {look.step} ({look.steps_share:.0%}), {look.pictures} pictures, waited for "
        f"{look.waited}: held-out loss {look.loss:.4f} ({parts})"
    )


def _table(looks: list[Look]) -> Table:
    table = Table("step", "pictures", "hours", "held-out loss")
    for look in looks:
        row = (look.step, look.pictures, f"{look.seconds / 3600:.2f}", f"{look.loss:.4f}")
        table.add_row(*map(str, row))
    return table


COMMAND = Train
