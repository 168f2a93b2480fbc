"""Our own pipeline as a fitter for the benchmarks."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from fit3dmm.evaluate.fitter import FittedFace, SurfacePoints
from fit3dmm.fitting.config import preset
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.fitting.prepared import PreparedModel, prepare
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.files import load_model
from fit3dmm.model.landmarks import LandmarkMap
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detect import detect_faces
from fit3dmm.observe.observation import observe_face
from fit3dmm.observe.photo import read_photo


@dataclass(frozen=True)
class PresetFitter:
    """A preset of `fit3dmm fit` with a model; small, as it is sent to every worker."""

    preset: str = "default"
    model: str = "commons"
    """A model's name or file."""

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo.

        Raises:
            InputError: there is no such preset or model.
        """
        config, info = preset(self.preset), _model(self.model).info
        return f"fit3dmm {version('fit3dmm')}; {info.name} {info.version} {info.licence}; {config}"

    def __call__(self, photo: Path) -> FittedFace | None:
        """Fit the largest face; None where the detector finds none.

        Raises:
            InputError: the photo, the preset or the model can't be used.
        """
        config = preset(self.preset)
        prepared = _prepared(self.model, config.skin_points)
        picture = read_photo(photo)
        faces = detect_faces(picture)
        if not faces:
            return None
        observation = observe_face(picture, faces[0], config.size_px)
        return fitted_face(fit_observation(observation, prepared, config), prepared.model)


def fitted_face(result: FitResult, model: MorphableModel) -> FittedFace:
    """What the protocols ask of a result."""
    scene, triangles = result.scene, model.surface.triangles
    with torch.no_grad():
        neutral = model.shape_mm(scene.coefficients.neutral())
        expressive = model.shape_mm(scene.coefficients)
        points = model.landmarks["ibug68"].locate(expressive, triangles)
        landmarks_px = scene.camera.project(scene.pose.T_cam_model @ points)
    keypoints = model.landmarks.get("realy85")
    return FittedFace(
        neutral_mm=_numpy(neutral),
        expressive_mm=_numpy(expressive),
        triangles=triangles.cpu().numpy().astype(np.int64),
        ibug68=_surface_points(model.landmarks["ibug68"]),
        landmarks_px=_numpy(landmarks_px),
        keypoints85=None if keypoints is None else _surface_points(keypoints),
    )


def _surface_points(points: LandmarkMap) -> SurfacePoints:
    return SurfacePoints(points.triangle.cpu().numpy().astype(np.int64), _numpy(points.barycentric))


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


@lru_cache(maxsize=1)
def _prepared(model: str, n_skin_points: int) -> PreparedModel:
    """Once a process: it takes a second, and a benchmark has thousands of photos."""
    return prepare(_model(model), n_skin_points)


@lru_cache(maxsize=1)
def _model(name: str) -> MorphableModel:
    return load_model(name)
