"""GNM's joints as blendshapes: the neck under a still head, and the eyes by ARKit's names."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from fit3dmm.model.formats.source import EXPRESSION_SIGMA

_LOOK_VERTICAL_RAD = np.radians(25.0)
_LOOK_SIDE_RAD = np.radians(30.0)
"""What a full look (activation 1) means: about as far as eyes turn without strain."""
_NECK_SIGMA_RAD = 0.15
_NECK_LIMIT_RAD = 0.4
"""Beyond this a linear rotation stretches the neck visibly."""


@dataclass(frozen=True)
class JointUnits:
    """Blendshapes to be appended to an expression basis."""

    names: tuple[str, ...]
    basis_mm: Float[np.ndarray, "blendshapes vertices 3"]
    sigma: Float[np.ndarray, "blendshapes"]
    bounds: Float[np.ndarray, "blendshapes 2"]


def blendshapes(
    arrays: dict[str, np.ndarray],
    template_mm: Float[np.ndarray, "all_vertices 3"],
    kept: np.ndarray,
) -> JointUnits:
    """The blendshapes that the model's joints give; joints of other names give none.

    Args:
        arrays: of the archive.
        kept: rows of the vertices that are kept.
    """
    joint = {str(name): k for k, name in enumerate(arrays["joint_names"])}
    centres_mm = 1000.0 * arrays["template_joint_positions"]
    points = template_mm[kept]
    weights = arrays["skinning_weights"][:, kept]
    names: list[str] = []
    moves: list[np.ndarray] = []
    for side, outwards in (("Left", 1), ("Right", -1)):
        k = next((k for name, k in joint.items() if "eye" in name and side.lower() in name), None)
        if k is None:
            continue
        for look, axis, angle in (
            ("Up", 0, -_LOOK_VERTICAL_RAD),
            ("Down", 0, _LOOK_VERTICAL_RAD),
            ("Out", 1, outwards * _LOOK_SIDE_RAD),
            ("In", 1, -outwards * _LOOK_SIDE_RAD),
        ):
            arm = points - centres_mm[k]
            names.append(f"eyeLook{look}{side}")
            turn = Rotation.from_rotvec(angle * np.eye(3)[axis])
            moves.append(weights[k][:, None] * (turn.apply(arm) - arm))
    n_eye = len(names)
    if "head" in joint:
        carried = weights[_below(joint["head"], arrays["joint_parent_indices"])].sum(axis=0)
        for axis, name in enumerate(("neckPitch", "neckYaw", "neckRoll")):
            # The head turns by the pose, so here it stays and what hangs below it turns back.
            arm = points - centres_mm[joint["head"]]
            names.append(name)
            moves.append((carried - 1)[:, None] * np.cross(np.eye(3)[axis], arm))
    n_neck = len(names) - n_eye
    return JointUnits(
        tuple(names),
        np.array(moves).reshape(len(names), len(kept), 3),
        np.array([EXPRESSION_SIGMA] * n_eye + [_NECK_SIGMA_RAD] * n_neck),
        np.array([(0.0, 1.0)] * n_eye + [(-_NECK_LIMIT_RAD, _NECK_LIMIT_RAD)] * n_neck).reshape(
            -1, 2
        ),
    )


def _below(joint: int, parents: np.ndarray) -> list[int]:
    """The joint and all that hang on it."""
    found = [joint]
    for k in found:
        found += [
            child for child, parent in enumerate(parents) if parent == k and child not in found
        ]
    return found
