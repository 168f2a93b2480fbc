"""Rotations as axis-angle vectors in radians: exponential, logarithm and their Jacobian.

Formulas: J. Sola, J. Deray, D. Atchuthan, "A micro Lie theory for state estimation in robotics",
2018, appendix B (equations 132, 133 and 145).
"""

import warnings

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

# Below this squared angle the Taylor series is more exact than the quotient in float32 (the next
# term is smaller than 1e-9), and it keeps gradients finite at zero.
_SMALL_SQUARED_RAD = 1e-3


def cross_matrix(vector: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The matrix K with K @ p = vector x p."""
    x, y, z = vector.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).unflatten(-1, (3, 3))


def rotation_matrix(rotation_rad: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Matrix of an axis-angle vector (Rodrigues). Smooth everywhere, also at zero."""
    return rotation_and_jacobian(rotation_rad)[0]


def left_jacobian(rotation_rad: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """How the rotation turns when its vector changes: exp(r + d) = exp(J d) exp(r) to first order.

    Hence for a rotated point q = R p the derivative of q by the vector is `-cross_matrix(q) @ J`.
    """
    return rotation_and_jacobian(rotation_rad)[1]


def rotation_and_jacobian(
    rotation_rad: Float[Tensor, "*batch 3"],
) -> tuple[Float[Tensor, "*batch 3 3"], Float[Tensor, "*batch 3 3"]]:
    """`rotation_matrix` and `left_jacobian`, which are made of the same parts."""
    sine, cosine, rest = _coefficients(rotation_rad)
    k = cross_matrix(rotation_rad)
    eye, square = _identity_like(k), k @ k
    return eye + sine * k + cosine * square, eye + cosine * k + rest * square


def rotation_vector(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Axis-angle vector of a rotation matrix, of length at most pi.

    Goes through the unit quaternion, so that it is exact near zero and near pi alike. At exactly pi
    the sign of the axis is a matter of rounding.
    """
    quaternion = _quaternion(rotation)
    # The half of the quaternions with w >= 0 holds the angles up to pi.
    quaternion = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, v = quaternion[..., :1], quaternion[..., 1:]
    squared = (v * v).sum(-1, keepdim=True)
    small = squared < _SMALL_SQUARED_RAD / 4
    safe = torch.where(small, torch.ones_like(squared), squared)
    length = safe.sqrt()
    ratio = squared / (w * w).clamp_min(0.5)
    series = 2 / w.clamp_min(0.5) * (1 - ratio / 3 + ratio**2 / 5)
    return v * torch.where(small, series, 2 * torch.atan2(length, w) / length)


def rotation_from_angles(
    pitch_deg: float, yaw_deg: float, roll_deg: float
) -> Float[np.ndarray, "3 3"]:
    """The rotation of a head: pitch first, then yaw, then roll, each about an axis of `cam`.

    docs/conventions.md says what is positive.
    """
    # SciPy takes a third of a second to import: only who asks for angles waits for it.
    from scipy.spatial.transform import Rotation

    angles = [pitch_deg, yaw_deg, roll_deg]
    return Rotation.from_euler("xyz", angles, degrees=True).as_matrix()


def angles_of_rotation(rotation: Float[np.ndarray, "3 3"]) -> dict[str, float]:
    """`pitch`, `yaw` and `roll` in degrees of a rotation: the inverse of `rotation_from_angles`.

    Where yaw is a right angle, pitch and roll turn about the same axis: then roll is 0.
    """
    from scipy.spatial.transform import Rotation

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Gimbal lock")
        angles = Rotation.from_matrix(rotation).as_euler("xyz", degrees=True)
    return dict(zip(("pitch", "yaw", "roll"), angles.tolist(), strict=True))


def _coefficients(rotation_rad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """sin(t)/t, (1 - cos t)/t^2 and (t - sin t)/t^3, each of shape (*batch, 1, 1)."""
    squared = (rotation_rad * rotation_rad).sum(-1)[..., None, None]
    small = squared < _SMALL_SQUARED_RAD
    # Both branches of a `where` are differentiated: the unused one must not divide by zero.
    safe = torch.where(small, torch.ones_like(squared), squared)
    t = safe.sqrt()
    sine = torch.where(small, 1 - squared / 6 + squared**2 / 120, t.sin() / t)
    cosine = torch.where(
        small, 0.5 - squared / 24 + squared**2 / 720, 2 * (t / 2).sin() ** 2 / safe
    )
    rest = torch.where(small, 1 / 6 - squared / 120 + squared**2 / 5040, (t - t.sin()) / (t * safe))
    return sine, cosine, rest


def _quaternion(rotation: Tensor) -> Tensor:
    """Unit quaternion (w, x, y, z), from the row of q q^T with the largest diagonal entry.

    S. W. Shepperd, "Quaternion from rotation matrix", Journal of Guidance and Control 1(3), 1978.
    """
    r = rotation
    trace = r[..., 0, 0] + r[..., 1, 1] + r[..., 2, 2]
    symmetric = r + r.mT
    skew = torch.stack(
        [r[..., 2, 1] - r[..., 1, 2], r[..., 0, 2] - r[..., 2, 0], r[..., 1, 0] - r[..., 0, 1]], -1
    )
    # Row w holds 4 w (w, x, y, z); row i holds 4 q_i (w, x, y, z).
    first = torch.cat([1 + trace[..., None], skew], -1)
    lower = torch.cat(
        [skew[..., None], symmetric + _identity_like(r) * (1 - trace)[..., None, None]], -1
    )
    rows = torch.cat([first[..., None, :], lower], -2)
    scores = torch.diagonal(rows, dim1=-2, dim2=-1)
    best = scores.argmax(-1)[..., None, None].expand(*scores.shape[:-1], 1, 4)
    row = rows.gather(-2, best).squeeze(-2)
    return row / row.norm(dim=-1, keepdim=True)


def _identity_like(matrices: Tensor) -> Tensor:
    return torch.eye(3, dtype=matrices.dtype, device=matrices.device)
