"""How wrong the network is: minus logarithms of the densities that it states, and cross entropy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fit3dmm.regress.batch import Batch
from fit3dmm.regress.outputs import BLOCKS, Outputs


@dataclass(frozen=True)
class LossWeights:
    """How much each thing counts. All but `cover` are mean negative log-likelihoods a number."""

    points: float = 1.0
    coefficients: float = 0.15
    pose: float = 0.3
    light: float = 0.05
    tone: float = 0.05
    cover: float = 0.5


def losses(
    outputs: Outputs, batch: Batch, n_of_model: Float[Tensor, ""] | None = None
) -> dict[str, Float[Tensor, ""]]:
    """By the names of `LossWeights`.

    Args:
        outputs: what the network says.
        batch: what is true.
        n_of_model: by how many people the coefficients' losses are divided, where the batch is a
            share of a larger one; by those of the model in it if left out.
    """
    log_sigmas, pose = outputs.log_sigmas, batch.pose
    of_model = batch.is_of_model.float()
    count = of_model.sum().clamp_min(1) if n_of_model is None else n_of_model
    blocks = [
        _normal(
            outputs.coefficients[name] - batch.coefficients[name],
            log_sigmas[name],
            of_model / count,
        )
        for name in BLOCKS
        if batch.coefficients[name].shape[1]
    ]
    said = outputs.pose
    turned = 2 * (said.turned - pose.turned).flatten(1) / math.sqrt(8)
    poses = [
        _normal(turned, log_sigmas["turned"]),
        _normal(said.centre - pose.centre, log_sigmas["centre"]),
        _normal((said.log_size - pose.log_size)[:, None], log_sigmas["log_size"]),
        _normal((said.log_distance - pose.log_distance)[:, None], log_sigmas["log_distance"]),
    ]
    light = (outputs.light_asinh - batch.irradiance_sh.asinh()).flatten(1)
    tone = (outputs.log_tone - batch.tone.log())[:, None]
    return {
        "points": point_loss(outputs, batch.points_px / batch.size_px),
        "coefficients": torch.stack(blocks).mean(),
        "pose": torch.stack(poses).mean(),
        "light": _normal(light, log_sigmas["light"]),
        "tone": _normal(tone, log_sigmas["tone"]),
        "cover": F.cross_entropy(outputs.cover, batch.cover),
    }


def total(parts: Mapping[str, Tensor], weights: LossWeights) -> Float[Tensor, ""]:
    """The weighted sum."""
    return torch.stack([getattr(weights, f.name) * parts[f.name] for f in fields(weights)]).sum()


def point_loss(outputs: Outputs, points: Float[Tensor, "batch points 2"]) -> Float[Tensor, ""]:
    """Mean negative log-likelihood of points under the 2 x 2 covariances, less its constant.

    Args:
        points: true ones, in crops' sides.
    """
    z = (points - outputs.points) * torch.exp(-outputs.log_sigma)
    rho = outputs.correlation
    rest = 1 - rho.square()
    squared = (z.square().sum(-1) - 2 * rho * z.prod(-1)) / rest
    return (outputs.log_sigma.sum(-1) + 0.5 * rest.log() + 0.5 * squared).mean()


def _normal(
    error: Float[Tensor, "batch n"],
    log_sigma: Float[Tensor, "batch"],
    weight: Float[Tensor, "batch"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over numbers, then over the batch (or a weighted sum), less the constant."""
    each = log_sigma + 0.5 * error.square().mean(1) * torch.exp(-2 * log_sigma)
    return each.mean() if weight is None else (weight * each).sum()
