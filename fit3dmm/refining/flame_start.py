"""What DECA, EMOCA, SMIRK and FLAME trackers say of a face, in FLAME's numbers.

Y. Feng et al., "Learning an animatable detailed 3D face model from in-the-wild images" (DECA),
SIGGRAPH 2021; R. Danecek et al., "EMOCA", CVPR 2022; G. Retsinas et al., "SMIRK", CVPR 2024. Their
cameras are orthographic, so that where the face is in the photo is told by the landmarks.
"""

from collections.abc import Mapping

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from fit3dmm._errors import InputError
from fit3dmm.model.formats.flame import JOINTS
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.refining.containers import vector
from fit3dmm.refining.fitted_length import of_length
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose

_SHAPE = ("shape", "shape_params", "shapecode", "betas")
_EXPRESSION = ("exp", "expression_params", "expcode", "expr", "expression")
_POSE = ("pose", "posecode")
"""Turn of the whole and of the jaw, six numbers."""
_WHOLE = ("pose_params", "global_orient", "rotation", "head_pose")
_JAW = ("jaw_params", "jaw_pose", "jaw")
_NECK = ("neck_pose_params", "neck_params", "neck_pose", "neck")
_EYES = ("eye_pose_params", "eyes_pose", "eye_pose", "eyes")


def is_flame(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays have the names that systems give FLAME's numbers, turns among them."""
    shape = any(name in arrays for name in _SHAPE)
    return shape and any(name in arrays for name in (*_POSE, *_WHOLE, *_JAW))


def flame_start(arrays: Mapping[str, np.ndarray], model: MorphableModel) -> Start:
    """What they say of a face.

    Args:
        arrays: by the names under which these systems save them.
        model: FLAME.

    Raises:
        InputError: it is another model, or the numbers are not as they should be.
    """
    if model.rig is None or model.rig.names != JOINTS:
        raise InputError(
            f"These are numbers of FLAME, and the model is {model.info.name}: give `--model "
            "flame.h5` (`fit3dmm model convert` makes it of FLAME's file)."
        )
    identity, beyond = of_length(vector(arrays, *_SHAPE), model.n_identity, "shape")
    expression, more = of_length(vector(arrays, *_EXPRESSION), model.n_expression, "expression")
    whole, neck, jaw, eyes = _turns(arrays)
    # The neck turns below the head, the other way round (`model.formats.flame`).
    joints = np.concatenate([jaw, eyes, -neck]).astype(np.float32)
    low, high = model.rig.bounds_rad.unbind(-1)
    within = torch.minimum(torch.maximum(torch.from_numpy(joints), low), high)
    remarks = beyond + more
    if "eyelid_params" in arrays:
        remarks += ("SMIRK's two numbers of the lids are no part of FLAME and left out.",)
    turn = (Rotation.from_rotvec(whole) * Rotation.from_rotvec(neck)).as_rotvec()
    return Start(
        "FLAME's numbers, as of DECA, EMOCA or SMIRK",
        Coefficients(
            identity, torch.zeros(model.n_detail), expression, torch.zeros(model.n_albedo), within
        ),
        Pose(torch.from_numpy(turn.astype(np.float32)), torch.zeros(3)),
        remarks=remarks,
    )


def _turns(arrays: Mapping[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Rotation vectors of the whole, the neck, the jaw, and both eyes."""
    still = np.zeros(3)
    pose = vector(arrays, *_POSE)
    if pose is not None and len(pose) not in (3, 6):
        raise InputError(
            f"The array pose should have 6 numbers (of the whole and of the jaw), got {len(pose)}."
        )
    whole, jaw = (still, still) if pose is None else (pose[:3], pose[3:])
    whole = whole if pose is not None else _given(arrays, _WHOLE, 3)
    jaw = jaw if len(jaw) and pose is not None else _given(arrays, _JAW, 3)
    return whole, _given(arrays, _NECK, 3), jaw, _given(arrays, _EYES, 6)


def _given(arrays: Mapping[str, np.ndarray], names: tuple[str, ...], n: int) -> np.ndarray:
    found = vector(arrays, *names, size=n)
    return np.zeros(n) if found is None else found
