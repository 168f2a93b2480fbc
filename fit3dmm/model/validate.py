"""What must hold of arrays from a model file, each broken rule told in one sentence."""

from collections.abc import Mapping

import numpy as np

from fit3dmm._errors import InputError

_SUM_TOLERANCE = 1e-3
"""Of sums over a few thousand float32 numbers."""


def check_array(name: str, values: np.ndarray, shape: tuple[int, ...], finite: bool = True) -> None:
    """Check a shape, and that every number is finite.

    Args:
        name: what messages call it.
        values: the array.
        shape: that it must have.
        finite: whether infinite numbers and NaN are refused.

    Raises:
        InputError: naming the array.
    """
    if values.shape != shape:
        raise InputError(
            f"{name} has shape {values.shape} where the rest of the model needs {shape}; "
            "the file is damaged or was made by something else."
        )
    if finite and not np.isfinite(values).all():
        raise InputError(f"{name} holds values that are not finite numbers.")


def check_indices(name: str, values: np.ndarray, count: int) -> None:
    """Check that indices name one of `count` things.

    Raises:
        InputError: naming the array.
    """
    if values.size and (values.min() < 0 or values.max() >= count):
        raise InputError(f"{name} must index 0..{count - 1}, got {values.min()}..{values.max()}.")


def check_expression_factor(factor: np.ndarray, sigma: np.ndarray) -> None:
    """Check that a factor of the expressions' covariance is one, and agrees with their sigmas.

    Raises:
        InputError: saying what it is not.
    """
    check_array("expression_covariance_factor", factor, (len(sigma), len(sigma)))
    if np.triu(factor, 1).any():
        raise InputError("expression_covariance_factor must be lower triangular.")
    deviation = np.sqrt((np.asarray(factor, np.float64) ** 2).sum(axis=1))
    if not np.allclose(deviation, sigma, rtol=_SUM_TOLERANCE):
        raise InputError(
            "The rows of expression_covariance_factor must be as long as expression_sigma says."
        )


def check_parts(parts: Mapping[str, np.ndarray], n_faces: int) -> None:
    """Check that each face belongs to one part, or that there are no parts.

    Raises:
        InputError: naming a face that belongs to none or several.
    """
    if not parts:
        return
    for name, rows in parts.items():
        check_indices(f"part {name}", rows, n_faces)
    uses = np.bincount(np.concatenate(list(parts.values())), minlength=n_faces)
    if (uses != 1).any():
        face = int((uses != 1).argmax())
        raise InputError(
            f"Each face must belong to one part: face {face} belongs to {int(uses[face])}."
        )


def check_joint(name: str, weights: np.ndarray, n_base: int) -> None:
    """Check that a joint's weights make a mean of base vertices.

    Raises:
        InputError: naming the joint.
    """
    check_array(f"joint {name}", weights, (n_base,))
    if abs(weights.sum() - 1) > _SUM_TOLERANCE:
        raise InputError(f"The weights of joint {name} add up to {weights.sum():.4g}, not 1.")
