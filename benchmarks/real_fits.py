"""Photos of real people fitted by several methods: what of each fit the measures look at."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.identity import NeutralFace
from fit3dmm.evaluate.preset_fitter import face_of_scene, prepared_model
from fit3dmm.evaluate.synthetic.methods import POSE_ONLY
from fit3dmm.fitting import FitConfig, FitResult, fit_observation
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import NoFaceError
from fit3dmm.synthetic.heads import outer_face
from real_heads import ScannedHead
from variants import DEFAULT, VARIANTS, Trial, trial_of

MEAN_FACE, LANDMARKS_ONLY, FOCAL_KNOWN = "mean face", "landmarks only", "focal known"
METHODS = (DEFAULT, LANDMARKS_ONLY, MEAN_FACE)
EYE_CORNERS = (36, 39, 42, 45)
"""In iBUG's order."""


@dataclass(frozen=True)
class RealFit:
    """One method's fit of one photo."""

    neutral: NeutralFace
    coefficients: Float[np.ndarray, "k"]
    """Of shape, in the model's sigmas."""
    landmarks_px: Float[np.ndarray, "68 2"]
    albedo_linear: Float[np.ndarray, "3"]
    """Mean over the face."""
    has_colours: bool
    """Whether the method looks at colours at all."""
    distance_mm: float
    """Depth of the mean of the corners of the eyes."""
    focal_px: float
    verdict: str
    """Empty for the mean face."""
    now: Mapping[str, float]
    """NoW's distances; empty without a scan."""


def fit_photo(
    photo: Path,
    methods: Sequence[str],
    scanned: ScannedHead | None = None,
    focal_px: float | None = None,
) -> dict[str, RealFit]:
    """Fit the largest face by each method; nothing where no face is found, and no fit by methods
    that look at the photo otherwise and see none.

    Args:
        methods: variants of the ablation, or `MEAN_FACE`.
        scanned: whose face it is.
        focal_px: of the photo, for variants that are told.
    """
    trial = trial_of(photo, focal_px=focal_px)
    if trial is None:
        return {}
    model = trial.prepared.model
    found = {}
    for name in methods:
        try:
            found[name] = _look_at(_METHOD[name](trial), model, scanned)
        except NoFaceError as error:
            print(f"{photo.name}, {name}: {error}")
    return found


def around_mouth(model: MorphableModel, reach_mm: float = 20.0) -> np.ndarray:
    """Which of the face's vertices lie near the outer edge of the lips, on the mean face."""
    mean_mm = model.shape_mm(model.zeros())
    lips = model.landmarks["ibug68"].locate(mean_mm, model.surface.triangles)[48:60]
    face = model.mean_mm[torch.from_numpy(face_rows())]
    return (torch.cdist(face, lips).amin(1) < reach_mm).numpy()


@lru_cache(maxsize=1)
def face_rows() -> np.ndarray:
    """Base vertices of the outer face: a base mesh has the shape's detail, and is small."""
    model = prepared_model("commons", FitConfig().photometric.n_samples).model
    return np.flatnonzero(outer_face(model)[: model.surface.n_base] > 0.5)


def _variant(name: str) -> Callable[[Trial], FitResult]:
    return lambda trial: VARIANTS[name].change(trial).result()


def _mean_face(trial: Trial) -> FitResult:
    """Placed by the detector's points, as it is."""
    result = fit_observation(trial.observation, trial.prepared, POSE_ONLY)
    placed = result.scene.replace(coefficients=trial.prepared.model.zeros())
    return replace(result, scene=placed)


_METHOD: Mapping[str, Callable[[Trial], FitResult]] = {
    MEAN_FACE: _mean_face,
    **{name: _variant(name) for name in VARIANTS},
}


def _look_at(result: FitResult, model: MorphableModel, scanned: ScannedHead | None) -> RealFit:
    face = face_of_scene(result.scene, model, has_light=True)
    assert face.scene is not None
    assert face.scene.albedo_linear is not None
    assert face.coefficients is not None
    return RealFit(
        NeutralFace(
            face.neutral_mm[face_rows()], face.ibug68.locate(face.neutral_mm, face.triangles)
        ),
        face.coefficients,
        face.landmarks_px,
        face.scene.albedo_linear[face_rows()].mean(axis=0),
        any("albedo" in stage.free for stage in result.config.stages),
        eye_distance_mm(face),
        face.scene.focal_px,
        result.quality.verdict,
        _now(face, scanned) if scanned is not None else {},
    )


def eye_distance_mm(face: FittedFace) -> float:
    """Depth of the mean of the corners of the eyes, of a face with a scene."""
    assert face.scene is not None
    corners_mm = face.ibug68.take(EYE_CORNERS).locate(face.expressive_mm, face.triangles)
    return -float((corners_mm @ face.scene.rotation[2] + face.scene.translation_mm[2]).mean())


def _now(face: FittedFace, scanned: ScannedHead) -> Mapping[str, float]:
    points = face.ibug68.take(NOW7_IN_IBUG68)
    seven = points.locate(face.neutral_mm, face.triangles)
    return scanned.now_errors(face.neutral_mm, face.triangles, seven)
