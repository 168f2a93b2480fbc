"""Surface samples of a model, kept from one run to the next.

They are half of what a model is prepared with, a third of a second for Commons, and the same each
time. They lie in the user's cache by the content of the model and of fit3dmm's own code; a
file that is missing, damaged or can't be written only costs that time.
"""

import contextlib
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fit3dmm._content import code_digest
from fit3dmm._errors import InputError
from fit3dmm._hdf5 import FileFormat
from fit3dmm.energy.points import LinearPoints
from fit3dmm.energy.surface_samples import SurfaceSamples, surface_samples
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.library import cache_folder
from fit3dmm.model.morphable import MorphableModel

FORMAT = FileFormat("fit3dmm surface samples", 1, "file of samples", "delete it")
_WORTH_VALUES = 2**18
"""Models with fewer numbers than this are as quickly worked out as read."""
_MOST_FILES = 8


def kept_samples(model: MorphableModel, n: int) -> SurfaceSamples:
    """`surface_samples`, read if an earlier run has made them.

    Args:
        model: whose surface it is.
        n: how many.
    """
    like = model.mean_mm
    plain = like.device.type == "cpu" and like.dtype == torch.float32
    if not plain or model.identity_basis_mm.numel() < _WORTH_VALUES:
        return surface_samples(model, n)
    folder = cache_folder()
    if folder is None:
        return surface_samples(model, n)
    path = folder / f"samples-{_key(model, n)}.h5"
    try:
        return _read(path)
    except InputError:
        samples = surface_samples(model, n)
        # A full disk, or a folder that is another's: then the next run works it out again.
        with contextlib.suppress(InputError, OSError):
            _write(samples, path)
            _prune(folder)
        return samples


def _key(model: MorphableModel, n: int) -> str:
    """Equal exactly where the same samples come out."""
    digest = hashlib.sha256(f"{code_digest()} {n} {model.surface.level}".encode())

    def add(tensor: Tensor) -> Tensor:
        # The operator of the surface, which is sparse, follows from its base and level.
        if tensor.layout is torch.strided:
            digest.update(f"{tuple(tensor.shape)}".encode())
            digest.update(np.ascontiguousarray(tensor.numpy()).data)
        return tensor

    model.map(add)
    return digest.hexdigest()[:32]


def _write(samples: SurfaceSamples, path: Path) -> None:
    points = samples.points
    if not isinstance(points, LinearPoints):
        return
    with FORMAT.writing(path, unknowns=list(points.unknowns), sizes=list(points.sizes)) as file:
        for name, values in _arrays(samples, points).items():
            file.create_dataset(name, data=values.numpy(), track_times=False)


def _arrays(samples: SurfaceSamples, points: LinearPoints) -> dict[str, Tensor]:
    return {
        "mean": points.mean,
        "basis": points.basis,
        "albedo_mean_linear": samples.albedo_mean_linear,
        "albedo_basis_linear": samples.albedo_basis_linear,
        "area_mm2": samples.area_mm2,
        "triangle": samples.places.triangle,
        "barycentric": samples.places.barycentric,
    }


def _read(path: Path) -> SurfaceSamples:
    with FORMAT.reading(path) as file:

        def array(name: str) -> Any:
            return torch.from_numpy(file[name][()])

        unknowns = tuple(str(name) for name in file.attrs["unknowns"])
        sizes = tuple(int(size) for size in file.attrs["sizes"])
        return SurfaceSamples(
            LinearPoints(array("mean"), array("basis"), unknowns, sizes),
            array("albedo_mean_linear"),
            array("albedo_basis_linear"),
            array("area_mm2"),
            SurfacePoints(array("triangle"), array("barycentric")),
        )


def _prune(folder: Path) -> None:
    """Files of earlier versions go, the oldest first."""
    files = sorted(folder.glob("samples-*.h5"), key=lambda path: path.stat().st_mtime)
    for old in files[:-_MOST_FILES]:
        old.unlink(missing_ok=True)
