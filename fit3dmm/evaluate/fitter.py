"""What evaluation asks of a system that fits photos, ours or another."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from fit3dmm.geometry.surface_points import SurfacePoints


@dataclass(frozen=True)
class FittedScene:
    """What a fit says beyond shapes; only the synthetic set asks. What is None is not scored."""

    rotation: Float[np.ndarray, "3 3"]
    """From the mesh's frame to `cam` (docs/conventions.md)."""
    translation_mm: Float[np.ndarray, "3"]
    focal_px: float
    """In px of the photo, whose axis goes through its middle."""
    topology: str = ""
    """`topology.topology_name` of the mesh, where its vertices can be compared one to one."""
    points478: SurfacePoints[np.ndarray] | None = None
    """MediaPipe's points on the mesh, to compare meshes whose vertices do not correspond."""
    irradiance_sh: Float[np.ndarray, "9 3"] | None = None
    """Light as `scene.Lighting` has it."""
    albedo_linear: Float[np.ndarray, "vertices 3"] | None = None
    focal_log_sigma: float | None = None
    """Standard deviation of the natural logarithm of the focal length."""
    distance_sigma_mm: float | None = None
    relative_depth_rows: Int[np.ndarray, "asked"] | None = None
    """Vertices of the face, for `relative_depth_sigma_mm`."""
    relative_depth_sigma_mm: Float[np.ndarray, "asked"] | None = None
    """Standard deviation of their depth in `cam`, less the mean depth of them all."""


@dataclass(frozen=True)
class FittedFace:
    """One face of one photo, in the forms that the protocols ask for."""

    neutral_mm: Float[np.ndarray, "vertices 3"]
    """Identity alone: no expression, jaw closed. Not cropped. Any rigid frame."""
    expressive_mm: Float[np.ndarray, "vertices 3"]
    """With the photo's expression; same vertices."""
    triangles: Int[np.ndarray, "triangles 3"]
    ibug68: SurfacePoints[np.ndarray]
    """The 68 points of iBUG on the mesh; the jaw line is the anatomical one, not the contour."""
    landmarks_px: Float[np.ndarray, "68 2"]
    """The same points of the expressive face in the photo: origin at the top-left corner of the
    picture, pixel centres at +0.5."""
    keypoints85: SurfacePoints[np.ndarray] | None = None
    """REALY's 85 points; only REALY asks for them."""
    scene: FittedScene | None = None
    """Pose, camera, light and uncertainty; only the synthetic set asks for them."""
    coefficients: Float[np.ndarray, "k"] | None = None
    """Of the neutral shape, in the model's sigmas; only identity asks for them."""


@runtime_checkable
class SeveralFitter(Protocol):
    """A fitter that also fits several photos of one person together."""

    def together(self, photos: Sequence[Path]) -> FittedFace | None:
        """Fit the person, whose largest face in each photo it is.

        Returns:
            The person at rest, in the first photo with a face; None where none has one.

        Raises:
            InputError: a photo can't be read.
        """
        ...


@runtime_checkable
class Fitter(Protocol):
    """Fits one photo. Must survive pickling, since workers are processes of their own."""

    @property
    def fingerprint(self) -> str:
        """Changes with whatever changes results: preset, model, version. Part of cache keys."""
        ...

    def __call__(self, photo: Path) -> FittedFace | None:
        """Fit the largest face.

        Returns:
            The face, or None where none was found in the photo.

        Raises:
            InputError: the photo can't be read.
        """
        ...
