"""A trained classifier of skin: two mixtures in a colour space, and a prior."""

import csv
import functools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import data_path
from fit3dmm._tensors import TensorRecord
from fit3dmm.observe.skin.mixture import Mixture
from fit3dmm.observe.skin.spaces import ColourSpace, in_space

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
    # Files are read by those who know models, so that their module is loaded when it is needed.
    from fit3dmm.observe.skin.files import read_skin_model

    return read_skin_model(data_path(TRAINED))
