"""Joints that turn parts of a head: linear blend skinning with pose correctives.

M. Loper et al., "SMPL: a skinned multi-person linear model", SIGGRAPH Asia 2015, equations 2-6; for
heads T. Li et al., "Learning a model of facial shape and expression from 4D scans" (FLAME),
SIGGRAPH Asia 2017. Here the head itself never turns, since its turn is the pose: joints hang on it,
and on each other.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.geometry.rotation import rotation_matrix

AXES = 3
"""Numbers of a joint: its rotation vector, about the axes of `model` at rest."""
FEATURES = 9
"""Numbers of a joint that pose correctives answer to: its rotation matrix less the identity."""


@dataclass(frozen=True)
class Rig(TensorRecord):
    """What turns, about what, and which vertices go along."""

    names: tuple[str, ...]
    """Of the joints, such as `jaw`. Each turns its part against what carries it."""
    parents: tuple[int, ...]
    """Number of the joint that carries each, which is smaller than its own; -1 is the head."""
    centres: Float[Tensor, "joints base"]
    """Weights (they add up to 1) of the base vertices, before anything turns, that give the centre
    of each joint."""
    skinning: Float[Tensor, "joints base"]
    """How much each base vertex goes with each joint; the head has what is left of 1."""
    correctives_mm: Float[Tensor, "features base 3"]
    """What is added before anything turns, times each joint's rotation matrix less the identity,
    row by row, joint after joint."""
    sigma_rad: Float[Tensor, "turns"]
    """Prior standard deviation of each component of each rotation vector, joint after joint."""
    bounds_rad: Float[Tensor, "turns 2"]

    @property
    def n_turns(self) -> int:
        """Numbers that say how the joints are turned."""
        return AXES * len(self.names)

    def moved(
        self, rest_mm: Float[Tensor, "*batch base 3"], joints_rad: Float[Tensor, "*batch turns"]
    ) -> Float[Tensor, "*moved_batch base 3"]:
        """The base vertices after the joints have turned; none of them, where no number is given.

        Args:
            rest_mm: with identity and expression.
            joints_rad: rotation vectors, joint after joint.
        """
        if not joints_rad.shape[-1]:
            return rest_mm
        turns = rotation_matrix(joints_rad.unflatten(-1, (-1, AXES)))
        motion = motion_of(self.parents, turns, self.centres @ rest_mm)
        corrected = rest_mm + torch.einsum(
            "...f,fbc->...bc", turn_features(turns), self.correctives_mm
        )
        # Each vertex is moved by the mean of the motions of what it goes with; the head's is none.
        eye = torch.eye(3).to(rest_mm)
        turn = eye + torch.einsum("jb,...jxy->...bxy", self.skinning, motion.rotation - eye)
        shift = torch.einsum("jb,...jx->...bx", self.skinning, motion.shift_mm)
        return (turn @ corrected[..., None])[..., 0] + shift


@dataclass(frozen=True)
class Motion(TensorRecord):
    """How each joint's part is moved in the frame of the head: point -> rotation @ point +
    shift."""

    rotation: Float[Tensor, "*batch joints 3 3"]
    shift_mm: Float[Tensor, "*batch joints 3"]


def motion_of(
    parents: tuple[int, ...],
    turns: Float[Tensor, "*batch joints 3 3"],
    centres_mm: Float[Tensor, "*batch joints 3"],
) -> Motion:
    """Chain the turns, each about its joint's centre at rest.

    Args:
        parents: as a `Rig` has them.
        turns: rotation matrix of each joint.
        centres_mm: of the joints before anything turns.
    """
    rotations: list[Tensor] = []
    shifts: list[Tensor] = []
    for joint, parent in enumerate(parents):
        rotation = turns[..., joint, :, :]
        centre = centres_mm[..., joint, :]
        shift = centre - (rotation @ centre[..., None])[..., 0]
        if parent >= 0:
            shift = (rotations[parent] @ shift[..., None])[..., 0] + shifts[parent]
            rotation = rotations[parent] @ rotation
        rotations.append(rotation)
        shifts.append(shift)
    return Motion(torch.stack(rotations, -3), torch.stack(shifts, -2))


def turn_features(turns: Float[Tensor, "*batch joints 3 3"]) -> Float[Tensor, "*batch features"]:
    """What pose correctives answer to."""
    return (turns - torch.eye(3).to(turns)).flatten(-3)
