"""How likely a colour is to be skin's.

The published mixtures of M. Jones, J. Rehg, "Statistical color models with application to skin
detection", IJCV 46(1), 2002, tables 2 and 3 (data/skin_jones_rehg.csv). Colour alone takes brown
hair for skin and misses skin under coloured light: multiply by the region where a face is rendered
and keep a floor.
"""

import csv
import functools
import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._files import data_path


def skin_probability(
    image_srgb: Float[Tensor, "*batch 3"], prior: float = 0.5
) -> Float[Tensor, "*batch"]:
    """Posterior probability of skin for each colour.

    Args:
        image_srgb: sRGB in 0..1.
        prior: share of skin that is expected among the pixels.
    """
    skin, other = (table.to(image_srgb) for table in _mixtures())
    colours = (255 * image_srgb).reshape(-1, 3)
    # A diagonal Gaussian's log-density is linear in these seven numbers, so that a mixture over a
    # whole picture is one product of matrices.
    features = torch.cat([colours**2, colours, torch.ones_like(colours[:, :1])], dim=1)
    log_odds = torch.logsumexp(features @ skin, 1) - torch.logsumexp(features @ other, 1)
    log_odds = log_odds + math.log(prior / (1 - prior))
    return torch.sigmoid(log_odds).reshape(image_srgb.shape[:-1])


@functools.cache
def _mixtures() -> tuple[Tensor, Tensor]:
    """For skin and for other colours: (7, components) coefficients of colours^2, colours and 1."""
    rows: dict[str, list[list[float]]] = {"skin": [], "other": []}
    with data_path("skin_jones_rehg.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            rows[row.pop("class")].append([float(value) for value in row.values()])
    return _log_density(rows["skin"]), _log_density(rows["other"])


def _log_density(rows: list[list[float]]) -> Tensor:
    mean, variance, weight = torch.tensor(rows, dtype=torch.float64).split([3, 3, 1], dim=1)
    constant = (
        torch.log(weight[:, 0])
        - 0.5 * (mean**2 / variance).sum(1)
        - 0.5 * torch.log(variance).sum(1)
        - 1.5 * math.log(2 * math.pi)
    )
    return torch.cat([(-0.5 / variance).T, (mean / variance).T, constant[None]])
