"""The readable part of a result: numbers that other programs and people want, as JSON."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fit3dmm._files import atomic_path
from fit3dmm.export.depth import DepthMap
from fit3dmm.fitting.places import landmark_places_px
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.vertex_sigma import neutral_face_sigma_mm
from fit3dmm.geometry.rotation import angles_of_rotation, rotation_matrix
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.model.rig import AXES
from fit3dmm.observe.detection import GIVEN_BOX
from fit3dmm.scene import Scene
from fit3dmm.unknowns import UNKNOWNS

FORMAT = "fit3dmm-summary"
FORMAT_VERSION = 1
LANDMARKS = "ibug68"
_AXES = {
    "model": "mm; x to the subject's left, y up, z out of the face; origin inside the head",
    "camera": "mm; OpenCV's axes: x right, y down, z forward; origin in the camera",
    "photo": "px; x right, y down; origin at the top-left corner, pixel centres at +0.5",
}


def summary(result: FitResult, model: MorphableModel, depth: DepthMap) -> dict[str, Any]:
    """What `fit.json` holds; docs/results.md says what each entry means."""
    scene, quality = result.scene, result.quality
    opencv = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0]))
    T_opencv_model = plain_numbers(opencv @ scene.pose.T_cam_model.matrix().cpu())
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "photo": {
            "name": result.observation.name,
            "width_px": result.observation.photo_width_px,
            "height_px": result.observation.photo_height_px,
            "upright_turn_deg": result.observation.upright_turn_deg,
            "seen_by": [name for name in result.observation.detections if name != GIVEN_BOX[0]],
        },
        "model": {
            "name": result.model.name,
            "version": result.model.version,
            "licence": result.model.licence,
            "level": result.level,
        },
        "preset": result.config.preset,
        "quality": {
            "verdict": quality.verdict,  # first, for people
            **dataclasses.asdict(quality),
            "seen_share": quality.visible_share,  # its former name
        },
        "axes": _AXES,
        "camera": plain_numbers(scene.camera.opencv_matrix()),
        "T_opencv_model": T_opencv_model,
        "T_cam_model": T_opencv_model,  # its former name: these are not the axes of `cam`
        "focal_px": result.focal_px,
        "focal_sigma_px": result.focal_sigma_px,
        "focal_interval_95_px": _rounded(list(result.focal_interval_px(0.95))),
        "distance_mm": result.distance_mm,
        "distance_sigma_mm": result.distance_sigma_mm,
        "distance_interval_95_mm": _rounded(list(result.distance_interval_mm(0.95))),
        "focal_distance_correlation": result.focal_distance_correlation,
        "uncertainty": _uncertainty(result, model),
        "turn_deg": _turn_deg(scene.pose.rotation_rad),
        **_landmarks(result, model),
        "expression": dict(
            zip(model.expression_names, plain_numbers(scene.coefficients.expression), strict=False)
        ),
        **_joints(scene, model),
        "identity": plain_numbers(scene.coefficients.identity),
        "detail": plain_numbers(scene.coefficients.detail),
        "albedo": plain_numbers(scene.coefficients.albedo),
        "irradiance_sh": plain_numbers(scene.lighting.irradiance_sh),
        "depth_box_px": list(depth.box_px),
        "energies": dict(result.energies),
        "stages": [
            {
                "name": stage.name,
                "stopped": stage.reason.name.lower(),
                "steps": len(stage.history) - 1,
                "seconds": round(stage.seconds, 4),
            }
            for stage in result.stages
        ],
        "start": result.start,
        **_refinement(result),
        "versions": dict(result.versions),
    }


def _refinement(result: FitResult) -> dict[str, Any]:
    """Nothing where no coefficients were given."""
    if result.refinement is None:
        return {}
    told = dataclasses.asdict(result.refinement)
    return {"refinement": {**told, "sentence": result.refinement.sentence()}}


def _joints(scene: Scene, model: MorphableModel) -> dict[str, Any]:
    """Rotation vectors by the joints' names, where the model has joints."""
    if model.rig is None:
        return {}
    vectors = scene.coefficients.joints_rad.unflatten(-1, (-1, AXES))
    return {"joints_rad": dict(zip(model.rig.names, plain_numbers(vectors), strict=True))}


def write_json(content: dict[str, Any], path: Path) -> None:
    """Write strict JSON: numbers that are not finite become null.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary:
        # Names of files may hold bytes that are no UTF-8; a backslash is JSON's own escape of them.
        text = json_text(content) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def json_text(content: Any, ascii_only: bool = False) -> str:
    """Strict JSON, indented; in ASCII where it can't be known who reads it."""
    return json.dumps(_finite(content), indent=1, ensure_ascii=ascii_only, allow_nan=False)


def _landmarks(result: FitResult, model: MorphableModel) -> dict[str, Any]:
    """Nothing where the model has no such points."""
    if LANDMARKS not in model.landmarks:
        return {}
    scene = result.scene
    posed = scene.pose.T_cam_model @ model.landmarks_mm(LANDMARKS, scene.coefficients)
    neutral = model.landmarks_mm(LANDMARKS, scene.coefficients.neutral())
    return {
        "landmarks_neutral_mm": plain_numbers(neutral),
        "landmarks_photo_px": plain_numbers(scene.camera.project(posed)),
        "landmarks_photo_sigma_px": plain_numbers(landmark_places_px(result, model)[1]),
    }


def _uncertainty(result: FitResult, model: MorphableModel) -> dict[str, Any]:
    """Standard deviations of what moved, and of the neutral face."""
    found = result.uncertainty
    shown = [name for name in found.names if name in UNKNOWNS]
    return {
        **{name: plain_numbers(found.sigma(name)) for name in shown},
        "neutral_face_mm": _rounded(neutral_face_sigma_mm(model, found)),
    }


def _turn_deg(rotation_rad: Tensor) -> dict[str, float]:
    R_cam_model = rotation_matrix(rotation_rad.detach().cpu().double()).numpy()
    return {name: round(angle, 4) for name, angle in angles_of_rotation(R_cam_model).items()}


def plain_numbers(values: Tensor) -> Any:
    """Nested lists; float32 holds seven digits."""
    return _rounded(values.detach().double().cpu().tolist())


def _rounded(values: Any) -> Any:
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return float(f"{values:.7g}")


def _finite(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
