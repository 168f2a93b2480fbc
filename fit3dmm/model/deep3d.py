"""Deep3DFaceRecon's 257 numbers, to and from our coefficients and pose.

Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning", CVPRW 2019; the
layout is that of the released code. The same numbers serve HRN and 3DDFA-V3.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.morphable import Coefficients, MorphableModel

SIZES = {"id": 80, "exp": 64, "tex": 80, "angle": 3, "gamma": 27, "trans": 3}
"""Blocks of the vector in order, by the names under which that code saves them."""
FOCAL_PX, IMAGE_PX, CAMERA_DISTANCE_DM = 1015.0, 224, 10.0
_MM_PER_DM = 100.0


@dataclass(frozen=True)
class Deep3DVector(TensorRecord):
    """The blocks of the 257-vector, under our names and in that code's units."""

    identity: Float[Tensor, "*batch 80"]
    expression: Float[Tensor, "*batch 64"]
    albedo: Float[Tensor, "*batch 80"]
    angles_rad: Float[Tensor, "*batch 3"]
    """About the fixed x, y and z axis, applied in this order."""
    gamma: Float[Tensor, "*batch 27"]
    """Light; `geometry.harmonics.irradiance_from_deng2019` turns it into ours."""
    translation_dm: Float[Tensor, "*batch 3"]

    def coefficients(self) -> Coefficients:
        """For the model that `fit3dmm model convert` makes of the Basel files."""
        none = self.identity.new_zeros(*self.identity.shape[:-1], 0)
        return Coefficients(self.identity, none, self.expression, self.albedo)


def split(vector: Float[Tensor, "*batch numbers"]) -> Deep3DVector:
    """Take the vector apart.

    Raises:
        InputError: the last axis has not 257 entries.
    """
    if vector.shape[-1] != sum(SIZES.values()):
        raise InputError(f"A Deep3DFaceRecon vector has 257 numbers, got {vector.shape[-1]}.")
    return Deep3DVector(*vector.split(list(SIZES.values()), dim=-1))


def joined(parts: Deep3DVector) -> Float[Tensor, "*batch 257"]:
    """Put the blocks together again: `joined(split(v))` is v."""
    return torch.cat(
        [
            parts.identity,
            parts.expression,
            parts.albedo,
            parts.angles_rad,
            parts.gamma,
            parts.translation_dm,
        ],
        dim=-1,
    )


def rotation(angles_rad: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """R_cam_model = Rz Ry Rx, for column vectors."""
    x, y, z = (rotation_matrix(part) for part in torch.diag_embed(angles_rad).unbind(-2))
    return z @ y @ x


def angles(R_cam_model: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """The angles of `rotation`, the second within a quarter turn."""
    r = R_cam_model
    x = torch.atan2(r[..., 2, 1], r[..., 2, 2])
    y = torch.asin(-r[..., 2, 0].clamp(-1, 1))
    z = torch.atan2(r[..., 1, 0], r[..., 0, 0])
    return torch.stack([x, y, z], -1)


def pose(
    parts: Deep3DVector, model: MorphableModel
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3"]]:
    """Rotation and translation in mm of T_cam_model for our camera, which sits at the origin.

    That code centres the mean face on its vertices; ours keeps its origin between the ears.
    """
    R_cam_model = rotation(parts.angles_rad)
    centre_mm = model.mean_mm.mean(dim=0).to(R_cam_model)
    camera_mm = centre_mm.new_tensor([0.0, 0.0, _MM_PER_DM * CAMERA_DISTANCE_DM])
    return R_cam_model, _MM_PER_DM * parts.translation_dm - camera_mm - R_cam_model @ centre_mm


def translation_dm(
    R_cam_model: Float[Tensor, "*batch 3 3"],
    translation_mm: Float[Tensor, "*batch 3"],
    model: MorphableModel,
) -> Float[Tensor, "*batch 3"]:
    """The vector's translation of a pose of ours: the inverse of `pose`."""
    centre_mm = model.mean_mm.mean(dim=0).to(R_cam_model)
    camera_mm = centre_mm.new_tensor([0.0, 0.0, _MM_PER_DM * CAMERA_DISTANCE_DM])
    return (translation_mm + R_cam_model @ centre_mm + camera_mm) / _MM_PER_DM
