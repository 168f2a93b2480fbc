"""Files of skin models: two mixtures, in float64."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm._hdf5 import FileFormat
from fit3dmm.observe.skin.mixture import Mixture
from fit3dmm.observe.skin.model import SkinModel
from fit3dmm.observe.skin.spaces import COLOUR_SPACES

FORMAT = FileFormat(
    "fit3dmm skin model", 1, "skin model", "make one with `fit3dmm skin train`, or reinstall"
)
_AS_THEY_COME = "as they come"
_MIXTURES = ("skin", "other")
_ARRAYS = ("weights", "means", "covariances")


def write_skin_model(model: SkinModel, path: str | Path, licence: str = "CC0-1.0") -> None:
    """Write a model whole or not at all.

    Args:
        model: what is written.
        path: of the file.
        licence: of what was learned.

    Raises:
        InputError: the file can't be written.
    """
    header = {
        "space": model.space or _AS_THEY_COME,
        "unit": "coordinates of fit3dmm.observe.skin.spaces, of sRGB",
        "prior": model.prior,
        "provenance": model.provenance,
        "licence": licence,
    }
    with FORMAT.writing(path, **header) as file:
        for name in _MIXTURES:
            group, mixture = file.create_group(name), getattr(model, name)
            for array in _ARRAYS:
                values = getattr(mixture, array).double().cpu().numpy()
                group.create_dataset(array, data=values, track_times=False)


def read_skin_model(path: str | Path) -> SkinModel:
    """Read a model.

    Raises:
        InputError: no such file, it is damaged or newer, or no mixture can be made of its numbers.
    """
    with FORMAT.reading(path) as file:
        space, prior = str(file.attrs["space"]), float(file.attrs["prior"])
        if space not in (*COLOUR_SPACES, _AS_THEY_COME):
            raise InputError(
                f"it lies in the colour space {space!r}, and this fit3dmm knows "
                f"{', '.join(COLOUR_SPACES)}: update fit3dmm."
            )
        if not 0 < prior < 1:
            raise InputError(f"its prior is {prior}, not between 0 and 1: {FORMAT.remedy}.")
        skin, other = (_mixture(file[name]) for name in _MIXTURES)
        provenance = str(file.attrs["provenance"])
    known: Any = None if space == _AS_THEY_COME else space
    return SkinModel(known, skin, other, prior, provenance)


def _mixture(group: Any) -> Mixture:
    weights, means, covariances = (
        torch.from_numpy(np.asarray(group[name][()], dtype=np.float64)) for name in _ARRAYS
    )
    if weights.ndim != 1 or means.ndim != 2 or covariances.shape != (*means.shape, means.shape[1]):
        raise ValueError(f"arrays of shapes {tuple(means.shape)} and {tuple(covariances.shape)}")
    if len(weights) != len(means) or not (weights > 0).all() or not means.isfinite().all():
        raise ValueError("weights and means that are no mixture's")
    if not covariances.isfinite().all() or bool((torch.linalg.cholesky_ex(covariances)[1]).any()):
        raise ValueError("a covariance that is not positive definite")
    return Mixture(weights, means, covariances)
