"""What the network says of crops, and what of it has a sigma."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.regress.targets import CropPose

BLOCKS = ("identity", "detail", "expression", "albedo")
"""Coefficients with a log-variance of their own."""
SIGMAS = (*BLOCKS, "turned", "centre", "log_size", "log_distance", "light", "tone")
"""What a sigma is said of, in the order in which they are said."""


@dataclass(frozen=True)
class Outputs(TensorRecord):
    """What the network says of each crop."""

    points: Float[Tensor, "batch points 2"]
    """In crops' sides, from the top-left corner."""
    log_sigma: Float[Tensor, "batch points 2"]
    """Natural logarithms of the sigmas along x and y, in crops' sides."""
    correlation: Float[Tensor, "batch points"]
    """Of the errors along x and y."""
    coefficients: dict[str, Float[Tensor, "batch _"]]
    """By block; in prior sigmas (expression: as the model has it)."""
    log_sigmas: dict[str, Float[Tensor, "batch"]]
    """Of each block's coefficients, and of `turned` (rad), `centre`, `log_size`, `log_distance`,
    `light` and `tone`."""
    pose: CropPose
    light_asinh: Float[Tensor, "batch 9 3"]
    """Inverse hyperbolic sine of the light's harmonics: linear for little light, logarithmic for
    much, because a camera makes dark skin bright."""
    log_tone: Float[Tensor, "batch"]
    """Natural logarithm of the mean luminance of the face's albedo."""
    cover: Float[Tensor, "batch kinds cells cells"]
    """Scores of what each cell shows, before the softmax."""

    @property
    def covariance(self) -> Float[Tensor, "batch points 2 2"]:
        """Of the points' errors, in squares of crops' sides."""
        sigma = self.log_sigma.exp()
        covariance = torch.diag_embed(sigma.square())
        shared = self.correlation * sigma.prod(-1)
        covariance[..., 0, 1] = covariance[..., 1, 0] = shared
        return covariance

    @property
    def irradiance_sh(self) -> Float[Tensor, "batch 9 3"]:
        """Light as a scene has it."""
        return self.light_asinh.sinh()
