"""What results of version 1 call by other names or lay out in another way, as version 2 has it.

Each function takes what a file holds as JSON, or an open group, and gives what `record` reads.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from fit3dmm.fitting.config import FitConfig
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS, Detection
from fit3dmm.unknowns import DETECTOR_MODES, modes_of

_TERMS = {"gaps": "openings", "silhouette": "contour", "detector": "detector_modes"}
_UNKNOWNS = {"detector": DETECTOR_MODES}
_STAGE = {"bare_skin": "hairless_only", "leaves_out_occluded": "mask_occlusions"}
# Where each setting of one large record has gone: the evidence that it is of, and its name there.
_SETTINGS = {
    "detector_scale": [("landmarks", "modes_scale")],
    "landmark_floor_mm": [("landmarks", "noise_floor_mm")],
    "landmark_scale": [("landmarks", "noise_scale")],
    "landmark_turn": [("landmarks", "robust_scale"), ("openings", "robust_scale")],
    "gap_sigma_mm": [("openings", "sigma_mm")],
    "photometric_sigma_range": [("photometric", "sigma_range")],
    "photometric_correlation_mm": [("photometric", "correlation_mm")],
    "photometric_turn": [("photometric", "robust_scale")],
    "silhouette_sigma_mm": [("contour", "sigma_mm")],
    "skin_floor": [("photometric", "skin_floor")],
    "skin_points": [("photometric", "n_samples")],
    "identity_sigma": [("identity", "sigma")],
    "detail_sigma": [("detail", "sigma")],
    "expression_sigma": [("expression", "sigma")],
    "albedo_sigma": [("albedo", "sigma")],
    "blendshape_sigma": [("blendshapes", "sigma")],
    "exif_log_sigma": [("focal", "exif_log_sigma")],
    "focal_to_side": [("focal", "typical_to_side")],
    "focal_log_sigma": [("focal", "log_sigma")],
    "distance_mm": [("distance", "typical_mm")],
    "distance_log_sigma": [("distance", "log_sigma")],
    "iris_noise_mm": [("iris", "noise_mm")],
    "light_level": [("light", "level")],
    "light_level_sigma": [("light", "level_sigma")],
    "light_direct_sigma": [("light", "direct_sigma")],
    "light_tint_sigma": [("light", "tint_sigma")],
}


def _config(saved: dict[str, Any]) -> dict[str, Any]:
    """Settings that there are no more are left out; those that are new take their defaults."""
    today = {name: value for name, value in saved.items() if name not in _SETTINGS}
    for name, places in _SETTINGS.items():
        for evidence, setting in places if name in saved else []:
            today.setdefault(evidence, {})[setting] = saved[name]
    return {**today, "stages": [_stage(stage) for stage in saved["stages"]]}


def _stage(saved: dict[str, Any]) -> dict[str, Any]:
    today = {_STAGE.get(name, name): value for name, value in saved.items()}
    solver = dict(saved["solver"])
    if "gradient" in solver:
        solver["gradient_tolerance"] = solver.pop("gradient")
    return {
        **today,
        "solver": solver,
        "free": [_UNKNOWNS.get(name, name) for name in saved["free"]],
        "terms": [_TERMS.get(name, name) for name in saved["terms"]],
    }


def _energies(saved: dict[str, float]) -> dict[str, float]:
    return {_TERMS.get(name, name): value for name, value in saved.items()}


def _reports(saved: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "energies": _energies(one["energies"])} for one in saved]


def _quality(saved: dict[str, Any]) -> dict[str, Any]:
    today = dict(saved)
    today["visible_share"] = today.pop("seen_share")
    return today


def _unknowns(saved: list[str]) -> list[str]:
    return [modes_of(MEDIAPIPE) if name == "detector" else name for name in saved]


def without_foreign_terms(config: dict[str, Any]) -> dict[str, Any]:
    """Stages of saved settings without evidence that is not ours, or no more: it counted once, but
    can't be asked for now."""
    known = FitConfig().evidence()
    stages = [
        {**stage, "terms": [name for name in stage["terms"] if name in known]}
        for stage in config["stages"]
    ]
    return {**config, "stages": stages}


JSON: Mapping[str, Callable[[Any], Any]] = {
    "config": _config,
    "stages": _reports,
    "energies": _energies,
    "quality": _quality,
    "uncertainty/names": _unknowns,
}
"""By the place in a file."""


def detections(observation: Any) -> dict[str, Detection]:
    """Of an observation of version 1, which had one detector."""
    points_px = torch.as_tensor(observation["points_px"][()])
    return {MEDIAPIPE: Detection(MEDIAPIPE, MEDIAPIPE_POINTS, points_px)}
