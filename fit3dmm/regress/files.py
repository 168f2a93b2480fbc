"""Regressor files: HDF5, float16 weights, how its points err, the model that they belong to and
their record."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm._hdf5 import FileFormat
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detector_errors import DetectorErrors, errors_in, put_errors
from fit3dmm.regress.network import FaceNetwork, NetworkSettings
from fit3dmm.regress.refiner import RefinerSettings

FORMAT = FileFormat(
    "fit3dmm regressor", 1, "regressor", "get it again, or make one with `fit3dmm train`"
)


@dataclass(frozen=True)
class RegressorInfo:
    """What a regressor is and how it came about. Travels with its file."""

    model: str
    """Name and version of the model whose coefficients it says."""
    model_key: str
    """`model_key` of that model."""
    point_sets: tuple[str, ...]
    """Names of the model's landmark sets that its points are, one after another."""
    size_px: int
    """Side of the crops that it was trained on last."""
    licence: str
    provenance: str
    """What it was trained on, in sentences."""
    record: dict[str, Any]
    """Seed, pictures, steps, hours, machine, held-out losses."""


@dataclass(frozen=True)
class Regressor:
    """A trained network and what is known of it."""

    network: FaceNetwork
    info: RegressorInfo
    errors: DetectorErrors | None = None
    """How its points lie off the true ones, where that was learned: a fit takes them by it."""
    knows_coefficients: bool = True
    """Whether the coefficients that it says are those of the model that it is used with. Points,
    light, tone and what covers the face mean the same for all models that have its points."""


def model_key(model: MorphableModel) -> str:
    """Equal exactly where coefficients mean the same shapes and colours."""
    digest = hashlib.sha256()
    for name in ("mean_mm", "identity_basis_mm", "detail_basis_mm", "expression_basis_mm"):
        digest.update(np.ascontiguousarray(getattr(model, name).cpu().numpy()).tobytes())
    # Vertex k of the base is vertex k of every level.
    colours = model.albedo_basis_linear[:, : model.surface.n_base].cpu().numpy()
    digest.update(np.ascontiguousarray(colours).tobytes())
    return digest.hexdigest()[:16]


def write_regressor(regressor: Regressor, path: str | Path) -> None:
    """Write a regressor whole or not at all.

    Raises:
        InputError: the file can't be written.
    """
    network = json.dumps(asdict(regressor.network.settings))
    info = json.dumps(asdict(regressor.info))
    with FORMAT.writing(path, network=network, info=info) as file:
        weights = file.create_group("weights")
        for name, tensor in regressor.network.state_dict().items():
            value = tensor.detach().cpu()
            value = value.half() if value.is_floating_point() else value
            weights.create_dataset(name, data=value.numpy())
        if regressor.errors is not None:
            put_errors(regressor.errors, file.create_group("errors"))


def read_regressor(path: str | Path, model: MorphableModel | None = None) -> Regressor:
    """Read a regressor.

    Args:
        model: that it is to be used with.

    Raises:
        InputError: no such file, it is damaged or newer, or it belongs to another model.
    """
    with FORMAT.reading(path) as file:
        regressor = _read(file)
    if model is not None and model_key(model) != regressor.info.model_key:
        raise InputError(
            f"The regressor {path} belongs to the model {regressor.info.model}, not to this "
            f"{model.info.name} {model.info.version}: train one with `fit3dmm train --model ...`."
        )
    return regressor


def _read(file: Any) -> Regressor:
    sizes = json.loads(file.attrs["network"])
    # Files from before there were refiners name none.
    if sizes.get("refiner") is not None:
        sizes["refiner"] = RefinerSettings(**sizes["refiner"])
    settings = NetworkSettings(**sizes)
    said = json.loads(file.attrs["info"])
    said["point_sets"] = tuple(said["point_sets"])
    info = RegressorInfo(**{f.name: said[f.name] for f in fields(RegressorInfo)})
    # Without numbers, as all of them are read.
    with torch.device("meta"):
        network = FaceNetwork(settings, torch.zeros(settings.n_points, 2))
    weights = {name: torch.from_numpy(np.asarray(data)) for name, data in _leaves(file["weights"])}
    network.load_state_dict(
        {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}, assign=True
    )
    return Regressor(network.eval(), info, errors_in(file["errors"]) if "errors" in file else None)


def _leaves(group: Any) -> list[tuple[str, Any]]:
    return [(name, group[name][()]) for name in group]
