"""A trained classifier of skin: two mixtures in a colour space, and a prior; and its files."""

import csv
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm._hdf5 import FileFormat
from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.skin.mixture import Mixture
from fit3dmm.observe.skin.spaces import COLOUR_SPACES, ColourSpace, in_space

FORMAT = FileFormat(
    "fit3dmm skin model", 1, "skin model", "make one with `fit3dmm skin train`, or reinstall"
)
_AS_THEY_COME = "as they come"
_MIXTURES = ("skin", "other")
_ARRAYS = ("weights", "means", "covariances")
TRAINED = "skin.h5"
_PUBLISHED = "skin_jones_rehg.csv"
# Features and densities of so many pixels take some 10 MB: photos may have a hundred million.
_PIXELS_AT_ONCE = 1 << 17


@dataclass(frozen=True)
class SkinModel(TensorRecord):
    """Naive Bayes: how dense skin's and other colours lie, and how much skin is expected."""

    space: ColourSpace | None
    """In which the mixtures lie; None: colours are taken as they come."""
    skin: Mixture
    other: Mixture
    prior: float
    """Share of skin that is expected among the pixels, where nothing else is said."""
    provenance: str
    """What it was trained on, in sentences."""

    @classmethod
    def jones_rehg(cls) -> "SkinModel":
        """The published mixtures: M. Jones, J. Rehg, "Statistical color models with application to
        skin detection", IJCV 46(1), 2002, tables 2 and 3 (data/skin_jones_rehg.csv)."""
        return _published()

    @classmethod
    def trained(cls) -> "SkinModel":
        """Ours (data/skin.h5): docs/skin.md says on what it was trained and how it compares."""
        return _shipped()

    def log_odds(
        self, image_srgb: Float[Tensor, "*batch channels"], prior: float | None = None
    ) -> Float[Tensor, "*batch"]:
        """Natural logarithm of skin's chance over that of everything else, for each colour.

        Args:
            image_srgb: sRGB in 0..1.
            prior: share of skin that is expected among the pixels; the model's own if left out.

        Raises:
            InputError: a prior that is not between 0 and 1.
        """
        prior = self.prior if prior is None else prior
        if not 0 < prior < 1:
            raise InputError(f"The prior must lie between 0 and 1, got {prior}.")
        colours = image_srgb.reshape(-1, image_srgb.shape[-1])
        parts = [self._log_ratio(part) for part in colours.split(_PIXELS_AT_ONCE)]
        ratio = torch.cat(parts) if parts else colours.new_zeros(0)
        return (ratio + math.log(prior / (1 - prior))).reshape(image_srgb.shape[:-1])

    def probability(
        self, image_srgb: Float[Tensor, "*batch channels"], prior: float | None = None
    ) -> Float[Tensor, "*batch"]:
        """Posterior probability of skin for each colour; see `log_odds`."""
        return torch.sigmoid(self.log_odds(image_srgb, prior))

    def _log_ratio(self, colours_srgb: Float[Tensor, "n channels"]) -> Float[Tensor, "n"]:
        colours = in_space(colours_srgb, self.space)
        return self.skin.log_density(colours) - self.other.log_density(colours)


@functools.cache
def _published() -> SkinModel:
    rows: dict[str, list[list[float]]] = {"skin": [], "other": []}
    with data_path(_PUBLISHED).open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row.pop("class")].append([float(value) for value in row.values()])
    return SkinModel(
        "rgb",
        _diagonal(rows["skin"]),
        _diagonal(rows["other"]),
        prior=0.5,
        provenance="M. Jones, J. Rehg, IJCV 46(1), 2002: nearly a billion pixels of web pictures.",
    )


def _diagonal(rows: list[list[float]]) -> Mixture:
    """Mean, variance and weight; the published weights add to 0.9992 and 0.9996, and stay so."""
    mean, variance, weight = torch.tensor(rows, dtype=torch.float64).split([3, 3, 1], dim=1)
    return Mixture(weight[:, 0], mean, torch.diag_embed(variance))


@functools.cache
def _shipped() -> SkinModel:
    return read_skin_model(data_path(TRAINED))


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
