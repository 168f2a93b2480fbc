"""Checkpoints of a training: tensors as safetensors, the rest as JSON; nothing is pickled."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path

_NAME = "checkpoint"


@dataclass(frozen=True)
class Checkpoint:
    """All that training needs to go on as if it had not been interrupted."""

    weights: dict[str, Tensor]
    optimiser: dict[str, Any]
    """State of AdamW."""
    average: dict[str, Tensor]
    best: dict[str, Tensor]
    step: int
    seconds: float
    best_loss: float
    looks_since_best: int
    best_errors: dict[str, float] = field(default_factory=dict)
    """On held-out renders, each at its smallest so far."""


def write_checkpoint(folder: Path, settings: Any, checkpoint: Checkpoint) -> None:
    """Write whole, or leave the earlier one.

    Raises:
        InputError: the folder can't be written to.
    """
    tensors: dict[str, Tensor] = {}
    for part in ("weights", "average", "best"):
        tensors |= {f"{part}/{k}": v.contiguous() for k, v in getattr(checkpoint, part).items()}
    for place, state in checkpoint.optimiser["state"].items():
        tensors |= {f"optimiser/{place}/{k}": v.contiguous() for k, v in state.items()}
    note = {
        "settings": asdict(settings),
        "param_groups": checkpoint.optimiser["param_groups"],
        "step": checkpoint.step,
        "seconds": checkpoint.seconds,
        "best_loss": checkpoint.best_loss,
        "looks_since_best": checkpoint.looks_since_best,
        "best_errors": checkpoint.best_errors,
    }
    with atomic_path(folder / f"{_NAME}.safetensors") as temporary:
        # The note travels inside, so that both are of the same moment.
        save_file(tensors, temporary, metadata={"note": json.dumps(note)})


def read_checkpoint(folder: Path, settings: Any) -> Checkpoint | None:
    """The last checkpoint, or None.

    Raises:
        InputError: it was made with other settings.
    """
    path = folder / f"{_NAME}.safetensors"
    if not path.is_file():
        return None
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        note = json.loads(file.metadata()["note"])
    wanted = json.loads(json.dumps(asdict(settings)))
    differing = [name for name, value in wanted.items() if note["settings"].get(name) != value]
    if differing:
        raise InputError(
            f"{folder} holds a training with other settings ({', '.join(differing)}): use the same "
            "ones to go on with it, or another folder to start anew."
        )
    tensors = load_file(path)

    def part(name: str) -> dict[str, Tensor]:
        start = f"{name}/"
        return {k.removeprefix(start): v for k, v in tensors.items() if k.startswith(start)}

    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in part("optimiser").items():
        place, kind = name.split("/")
        state.setdefault(int(place), {})[kind] = tensor
    return Checkpoint(
        weights=part("weights"),
        optimiser={"state": state, "param_groups": note["param_groups"]},
        average=part("average"),
        best=part("best"),
        step=note["step"],
        seconds=note["seconds"],
        best_loss=note["best_loss"],
        looks_since_best=note["looks_since_best"],
        best_errors=note["best_errors"],
    )
