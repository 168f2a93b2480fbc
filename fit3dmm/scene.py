"""The scene: everything that makes the picture of a face, and all that a fit estimates."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.harmonics import clamped_cosine_sh
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import Coefficients


@dataclass(frozen=True)
class Pose(TensorRecord):
    """Where the head is. Signs are told about the person in docs/conventions.md."""

    rotation_rad: Float[Tensor, "*batch 3"]
    """Axis-angle vector about the axes of `cam`; zero is a frontal face."""
    translation_mm: Float[Tensor, "*batch 3"]
    """Where the origin of `model` lies in `cam`."""

    @classmethod
    def facing(cls, distance_mm: float = 600.0) -> "Pose":
        """Looking straight into a camera at this distance."""
        return cls(torch.zeros(3), torch.tensor([0.0, 0.0, -distance_mm]))

    @property
    def T_cam_model(self) -> Similarity:
        """Maps points of the model into the frame of the camera."""
        return Similarity.rigid(rotation_matrix(self.rotation_rad), self.translation_mm)


@dataclass(frozen=True)
class Lighting(TensorRecord):
    """Distant light on a matte surface: what a white surface with each normal would reflect.

    The colour of a surface is its albedo times the sum over k of `irradiance_sh[k] Y_k(normal)`,
    with Y the orthonormal harmonics of `geometry.harmonics` and normals in `cam`: the light stays
    when the head turns. Lights add up. Source: R. Ramamoorthi, P. Hanrahan, "An efficient
    representation for irradiance environment maps", SIGGRAPH 2001.
    """

    irradiance_sh: Float[Tensor, "*batch 9 3"]
    """Irradiance over pi, in linear RGB: 1 makes a white surface white."""

    @classmethod
    def ambient_white(cls, level: float = 1.0) -> "Lighting":
        """The same from everywhere: at level 1 the picture shows pure albedo."""
        sh = torch.zeros(9, 3)
        sh[0] = level * math.sqrt(4 * math.pi)
        return cls(sh)

    @classmethod
    def directional(
        cls,
        towards_light_cam: Sequence[float] | Tensor,
        colour_linear: Sequence[float] | Tensor = (1.0, 1.0, 1.0),
    ) -> "Lighting":
        """A far lamp; a white surface that faces it takes (nearly) this colour.

        Order 2 keeps a clamped cosine to within a tenth of the colour: the side that faces it is
        slightly too bright, and a part of the far side slightly negative.
        """
        direction = torch.as_tensor(towards_light_cam, dtype=torch.get_default_dtype())
        colour = torch.as_tensor(colour_linear).to(direction)
        sh = clamped_cosine_sh(torch.nn.functional.normalize(direction, dim=-1))
        return cls(sh[..., None] * colour[..., None, :])

    @classmethod
    def white(cls, irradiance_sh: Float[Tensor, "*batch 9"]) -> "Lighting":
        """White light of any shape: nine numbers for all colours, as in the paper of Deng 2019."""
        return cls(irradiance_sh[..., None].repeat_interleave(3, -1))

    def __add__(self, other: "Lighting") -> "Lighting":
        return Lighting(self.irradiance_sh + other.irradiance_sh)

    def __mul__(self, factor: float | Tensor) -> "Lighting":
        return Lighting(self.irradiance_sh * factor)

    __rmul__ = __mul__


@dataclass(frozen=True)
class Scene(TensorRecord):
    """A face, where it is, who looks at it and what lights it.

    Parts may have different leading axes as long as they broadcast: one camera can serve a batch of
    faces.
    """

    coefficients: Coefficients
    pose: Pose
    camera: Camera
    lighting: Lighting

    @property
    def batch_shape(self) -> torch.Size:
        """The leading axes of the pictures that the scene makes."""
        c = self.coefficients
        parts = (c.identity, c.detail, c.expression, c.albedo, c.joints_rad)
        # NumPy's, because torch's function of this name has its first user wait for all of SymPy.
        return torch.Size(
            np.broadcast_shapes(
                *(part.shape[:-1] for part in parts),
                self.pose.rotation_rad.shape[:-1],
                self.pose.translation_mm.shape[:-1],
                self.camera.focal_px.shape,
                self.camera.principal_point_px.shape[:-1],
                self.lighting.irradiance_sh.shape[:-2],
            )
        )

    @classmethod
    def portrait(cls, coefficients: Coefficients, width_px: int, height_px: int) -> "Scene":
        """The face alone, frontal and frame-filling, at 600 mm in plain white light."""
        # A head of 230 mm takes four fifths of the picture's shorter side.
        distance_mm, head_mm, share = 600.0, 230.0, 0.8
        focal_px = share * min(width_px, height_px) * distance_mm / head_mm
        like = coefficients.identity
        scene = cls(
            coefficients,
            Pose.facing(distance_mm),
            Camera.centred(focal_px, width_px, height_px),
            Lighting.ambient_white(),
        )
        return scene.to(device=like.device, dtype=like.dtype)
