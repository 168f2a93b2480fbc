"""Similarities between frames: `T_a_b @ points_b` gives `points_a`."""

import math
from dataclasses import dataclass
from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord


@dataclass(frozen=True)
class Similarity(TensorRecord):
    """A rotation (or reflection), a scale and a shift, of space (d = 3) or of a picture (d = 2).

    A value named `T_a_b` maps coordinates in frame b to frame a: a = scale R b + translation.
    """

    rotation: Float[Tensor, "*batch d d"]
    """Orthogonal."""
    translation: Float[Tensor, "*batch d"]
    """In the unit of frame a."""
    scale: Float[Tensor, "*batch"]
    """Units of frame a for each unit of frame b, above 0."""

    @classmethod
    def rigid(
        cls, rotation: Float[Tensor, "*batch d d"], translation: Float[Tensor, "*batch d"]
    ) -> "Similarity":
        """Without a change of scale."""
        return cls(rotation, translation, torch.ones_like(translation[..., 0]))

    @classmethod
    def identity(cls, dimension: int = 3, dtype: torch.dtype | None = None) -> "Similarity":
        """Leaves every point where it is."""
        return cls.rigid(torch.eye(dimension, dtype=dtype), torch.zeros(dimension, dtype=dtype))

    @classmethod
    def in_plane(
        cls, scale: float, shift: tuple[float, float], rotation_rad: float = 0.0
    ) -> "Similarity":
        """A 2D similarity such as `T_crop_photo`: turn (from x towards y), scale, shift."""
        c, s = math.cos(rotation_rad), math.sin(rotation_rad)
        return cls(torch.tensor([[c, -s], [s, c]]), torch.tensor(shift), torch.tensor(scale))

    @overload
    def __matmul__(self, other: "Similarity") -> "Similarity": ...
    @overload
    def __matmul__(self, other: Tensor) -> Tensor: ...
    @overload
    def __matmul__(self, other: np.ndarray) -> np.ndarray: ...
    def __matmul__(self, other):
        """Compose with a similarity, or map points of shape (*batch, points, d).

        An array of points gives an array, in the more precise of both types.
        """
        if isinstance(other, np.ndarray):
            points = torch.tensor(other)
            dtype = torch.promote_types(points.dtype, self.rotation.dtype)
            return (self.to(dtype=dtype) @ points.to(dtype)).numpy()
        if isinstance(other, Similarity):
            return Similarity(
                self.rotation @ other.rotation,
                self.scale[..., None] * _turned(self.rotation, other.translation)
                + self.translation,
                self.scale * other.scale,
            )
        return self.linear_map(other) + self.translation[..., None, :]

    def linear_map(self, vectors: Float[Tensor, "*b points d"]) -> Float[Tensor, "*c points d"]:
        """Turn and scale vectors, which differ from points in that a shift leaves them alone."""
        return self.scale[..., None, None] * (vectors @ self.rotation.mT)

    def turn(self, directions: Float[Tensor, "*b points d"]) -> Float[Tensor, "*c points d"]:
        """Turn directions and normals, which keep their length."""
        return directions @ self.rotation.mT

    def inverse(self) -> "Similarity":
        """`T_b_a` of `T_a_b`."""
        back = self.rotation.mT
        return Similarity(
            back, -_turned(back, self.translation) / self.scale[..., None], 1 / self.scale
        )

    def matrix(self) -> Float[Tensor, "*batch d_plus_1 d_plus_1"]:
        """The same map as a homogeneous matrix."""
        d = self.rotation.shape[-1]
        top = torch.cat(
            [self.scale[..., None, None] * self.rotation, self.translation[..., None]], -1
        )
        bottom = torch.zeros_like(top[..., :1, :])
        bottom[..., 0, d] = 1
        return torch.cat([top, bottom], -2)


def _turned(rotation: Tensor, vector: Tensor) -> Tensor:
    return (rotation @ vector[..., None])[..., 0]
