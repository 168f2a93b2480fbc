"""Our own pipeline as a fitter for the benchmarks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fit3dmm._content import code_digest, content_key
from fit3dmm.evaluate.fitter import FittedFace, FittedScene
from fit3dmm.evaluate.realy_keypoints import realy_keypoints
from fit3dmm.evaluate.relative_depth import relative_depth_sigma_mm
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import fit_observation
from fit3dmm.fitting.prepared import PreparedModel, prepare
from fit3dmm.fitting.presets import preset
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.several import FEWEST, MOST, fit_together
from fit3dmm.geometry.correspondence import topology_name
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.files import load_model
from fit3dmm.model.library import find_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import NoFaceError
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.photo import Photo, as_photo
from fit3dmm.regress.library import regressor_of
from fit3dmm.scene import Scene
from fit3dmm.solve.solvers import Solver


@dataclass(frozen=True)
class PresetFitter:
    """A preset of `fit3dmm fit` with a model; small, as it is sent to every worker."""

    preset: str = "default"
    model: str = "commons"
    """A model's name or file."""
    solver: Solver | None = None
    """Instead of each stage's own."""

    @property
    def fingerprint(self) -> str:
        """Everything that decides a result, but for the photo.

        Raises:
            InputError: there is no such preset or model.
        """
        return fingerprint(self.model, str(self._config))

    def __call__(self, photo: Path) -> FittedFace | None:
        """Fit the largest face; None where the detector finds none.

        Raises:
            InputError: the photo, the preset or the model can't be used.
        """
        config = self._config
        prepared = prepared_model(self.model, config.photometric.n_samples)
        observation = observe_largest(photo, prepared, config)
        if observation is None:
            return None
        face = fitted_face(fit_observation(observation, prepared, config), prepared.model)
        return replace(face, keypoints85=keypoints85_of(self.model))

    def together(self, photos: Sequence[Path]) -> FittedFace | None:
        """Fit one person, whose largest face in each photo it is; None where there is none.

        Of more photos than are fitted together, as of a video, those are taken that are spread
        evenly over them.

        Raises:
            InputError: a photo, the preset or the model can't be used.
        """
        config = self._config
        prepared = prepared_model(self.model, config.photometric.n_samples)
        spread = np.linspace(0, len(photos) - 1, min(len(photos), MOST)).round()
        found = (observe_largest(photos[int(k)], prepared, config) for k in spread)
        seen = [one for one in found if one is not None]
        if not seen:
            return None
        if len(seen) < FEWEST:
            scene = fit_observation(seen[0], prepared, config).scene
            scene = scene.replace(coefficients=scene.coefficients.neutral())
        else:
            fit = fit_together(prepared, seen, config)
            scene = fit.scenes[0].replace(coefficients=fit.identity)
        has_light = any("irradiance_sh" in stage.free for stage in config.stages)
        face = face_of_scene(scene, prepared.model, has_light)
        return replace(face, keypoints85=keypoints85_of(self.model))

    @property
    def _config(self) -> FitConfig:
        config = preset(self.preset)
        return config if self.solver is None else config.solved_by(self.solver)


def fingerprint(model: str, settings: str) -> str:
    """Everything that decides a result of our own code, but for the photo.

    Raises:
        InputError: there is no such model.
    """
    content = content_key(find_model(model))
    return f"fit3dmm {version('fit3dmm')} {code_digest()}; model {content}; {settings}"


def observe_largest(
    photo: Photo | str | Path | Any, prepared: PreparedModel, config: FitConfig
) -> Observation | None:
    """The largest face of a photo, as a fit sees it (`look`); None where nobody sees one.

    Args:
        photo: its file, or what was read of it.
        prepared: the model, whose network looks, too.
        config: settings of the fit.

    Raises:
        InputError: the photo can't be read.
    """
    try:
        return look(as_photo(photo), prepared, config, "largest")[0]
    except NoFaceError:
        return None


def fitted_face(result: FitResult, model: MorphableModel) -> FittedFace:
    """What the protocols ask of a result, with its uncertainty."""
    # Without such a stage the light is a mere default.
    has_light = any("irradiance_sh" in stage.free for stage in result.config.stages)
    face = face_of_scene(result.scene, model, has_light)
    assert face.scene is not None
    given = "log_focal" not in result.uncertainty.names
    rows, sigma_mm = relative_depth_sigma_mm(result, model)
    told = replace(
        face.scene,
        focal_log_sigma=None if given else float(result.uncertainty.sigma("log_focal")[0]),
        distance_sigma_mm=result.distance_sigma_mm,
        relative_depth_rows=rows,
        relative_depth_sigma_mm=sigma_mm,
    )
    return replace(face, scene=told)


def face_of_scene(scene: Scene, model: MorphableModel, has_light: bool) -> FittedFace:
    """What the protocols ask of a scene.

    Args:
        has_light: whether light and colours were estimated.
    """
    triangles = model.surface.triangles
    with torch.no_grad():
        neutral = model.shape_mm(scene.coefficients.neutral())
        expressive = model.shape_mm(scene.coefficients)
        points = model.landmarks["ibug68"].locate(expressive, triangles)
        landmarks_px = scene.camera.project(scene.pose.T_cam_model @ points)
        albedo = model.albedo_linear(scene.coefficients)
    detected = model.landmarks.get("mediapipe478")
    shape = torch.cat([scene.coefficients.identity, scene.coefficients.detail])
    return FittedFace(
        neutral_mm=_numpy(neutral),
        expressive_mm=_numpy(expressive),
        triangles=triangles.cpu().numpy().astype(np.int64),
        ibug68=model.landmarks["ibug68"].numpy(),
        landmarks_px=_numpy(landmarks_px),
        scene=FittedScene(
            rotation=_numpy(scene.pose.T_cam_model.rotation),
            translation_mm=_numpy(scene.pose.translation_mm),
            focal_px=float(scene.camera.focal_px),
            topology=topology_name(model.surface.base_faces.cpu().numpy(), model.surface.level),
            points478=None if detected is None else detected.numpy(),
            irradiance_sh=_numpy(scene.lighting.irradiance_sh) if has_light else None,
            albedo_linear=_numpy(albedo) if has_light else None,
        ),
        coefficients=_numpy(shape),
    )


def _numpy(values: torch.Tensor) -> np.ndarray:
    return values.detach().cpu().double().numpy()


@lru_cache(maxsize=2)
def prepared_model(model: str, n_colour_samples: int) -> PreparedModel:
    """Once a process and number of samples: it takes a second, and a benchmark has thousands of
    photos."""
    loaded = load_model(model)
    return prepare(loaded, n_colour_samples, regressor=regressor_of(loaded))


@lru_cache(maxsize=1)
def keypoints85_of(name: str) -> SurfacePoints[np.ndarray]:
    """Once a process: they are the same for all faces of a model."""
    return realy_keypoints(load_model(name))
