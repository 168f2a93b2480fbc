"""Joints as they lie in a model's file."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.model.rig import AXES, FEATURES, Rig
from fit3dmm.model.validate import check_array, check_joint


@dataclass(frozen=True)
class StoredRig:
    """A `Rig` of plain arrays on the base mesh; see there for what they mean."""

    names: tuple[str, ...]
    parents: np.ndarray
    """(joints,) number of the joint that carries each, smaller than its own; -1 is the head."""
    centres: np.ndarray
    """(joints, base)"""
    skinning: np.ndarray
    """(joints, base)"""
    correctives_mm: np.ndarray
    """(9 joints, base, 3)"""
    sigma_rad: np.ndarray
    """(3 joints,)"""
    bounds_rad: np.ndarray
    """(3 joints, 2)"""

    def check(self, n_base: int) -> None:
        """Check it against the mesh.

        Raises:
            InputError: arrays disagree, or joints don't hang on each other.
        """
        n = len(self.names)
        check_array("rig parents", self.parents, (n,))
        check_array("rig centres", self.centres, (n, n_base))
        check_array("rig skinning", self.skinning, (n, n_base))
        check_array("rig correctives_mm", self.correctives_mm, (FEATURES * n, n_base, 3))
        check_array("rig sigma_rad", self.sigma_rad, (AXES * n,))
        check_array("rig bounds_rad", self.bounds_rad, (AXES * n, 2))
        for name, weights in zip(self.names, self.centres, strict=True):
            check_joint(name, weights, n_base)
        if not n or (self.parents < -1).any() or (self.parents >= np.arange(n)).any():
            raise InputError(
                "Each joint of a rig hangs on the head (-1) or on one that comes before it, got "
                f"parents {self.parents.tolist()}."
            )
        if (self.skinning < -1e-3).any() or (self.skinning.sum(axis=0) > 1 + 1e-3).any():
            raise InputError("The shares of a rig's joints must be 0 or more and at most 1 in all.")
        if (self.sigma_rad <= 0).any() or (self.bounds_rad[:, 0] > self.bounds_rad[:, 1]).any():
            raise InputError("A rig's sigmas must be above 0, and its bounds must rise.")

    def tensors(self) -> Rig:
        """The rig in use, as float32 on the CPU."""
        return Rig(
            self.names,
            tuple(int(parent) for parent in self.parents),
            _tensor(self.centres),
            _tensor(self.skinning),
            _tensor(self.correctives_mm),
            _tensor(self.sigma_rad),
            _tensor(self.bounds_rad),
        )


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32, order="C"))
