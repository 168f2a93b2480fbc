"""One training picture and everything that is known of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8


@dataclass(frozen=True)
class Example:
    """A square crop around a face. Pixels are of the crop, with centres at +0.5."""

    image_srgb: UInt8[np.ndarray, "size size 3"]
    points_px: Float[np.ndarray, "points 2"]
    """The named points, hidden ones too, in the order of the studio's point sets."""
    points_mm: Float[np.ndarray, "points 3"]
    """The same in `model`."""
    cover: UInt8[np.ndarray, "cells cells"]
    """What each cell of a coarse grid over the crop mostly shows: places in `COVERS` of
    `observe.predicted`."""
    rotation: Float[np.ndarray, "3 3"]
    """From `model` to `cam`."""
    translation_mm: Float[np.ndarray, "3"]
    focal_px: float
    principal_point_px: Float[np.ndarray, "2"]
    """Of the photo that the crop is from; mostly outside the crop's middle, as in photos."""
    identity: Float[np.ndarray, "identity"]
    detail: Float[np.ndarray, "detail"]
    expression: Float[np.ndarray, "expression"]
    albedo: Float[np.ndarray, "albedo"]
    is_of_model: bool
    """Whether the coefficients mean anything: people of other models have zeros."""
    irradiance_sh: Float[np.ndarray, "9 3"]
    """Light without shadows, as a scene has it, in units of the picture's linear values."""
    tone: float
    """Mean luminance of the face's albedo, linear."""
