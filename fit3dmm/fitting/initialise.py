"""Where a fit starts: pose and focal length in closed form, everything else at rest."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.observation import MEDIAPIPE, Observation
from fit3dmm.scene import Lighting, Scene
from fit3dmm.unknowns import (
    EXPRESSION,
    IRRADIANCE,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    PhotoIntrinsics,
    modes_of,
    starts,
    values_of,
)

# Units that MediaPipe has names for and never scores (exactly 0 on some 300 portraits, smiling and
# not): its silence is no observation.
_NEVER_SCORED = (
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip


def initial_values(
    prepared: PreparedModel, observation: Observation, config: FitConfig
) -> dict[str, Tensor]:
    """All unknowns at the start of the first stage."""
    model, like = prepared.model, prepared.model.mean_mm
    intrinsics = intrinsics_of(observation, like)
    rotation, px_per_mm, origin_px = solve_weak_perspective(
        prepared.landmarks.mean_mm, observation.points_px
    )
    focal_px = initial_focal_px(px_per_mm, observation, config)
    distance_mm = focal_px / px_per_mm
    x_px, y_px = (origin_px - intrinsics.principal_point_px).tolist()
    translation = [x_px / px_per_mm, -y_px / px_per_mm, -distance_mm]
    return {
        **starts(model),
        **_detector_at_rest(prepared),
        EXPRESSION: observed_expression(model, observation)[0],
        ROTATION: rotation_vector(rotation),
        TRANSLATION: like.new_tensor(translation),
        LOG_FOCAL: like.new_tensor([math.log(focal_px)]),
        IRRADIANCE: Lighting.ambient_white(config.light_level).irradiance_sh.to(like),
    }


def values_at(scene: Scene, prepared: PreparedModel) -> dict[str, Tensor]:
    """All unknowns at a scene, for a detector that errs as it does on average."""
    return {**values_of(scene), **_detector_at_rest(prepared)}


def intrinsics_of(observation: Observation, like: Tensor) -> PhotoIntrinsics:
    """What is fixed about the camera of a photo."""
    return PhotoIntrinsics.centred(observation.photo_width_px, observation.photo_height_px, like)


def _detector_at_rest(prepared: PreparedModel) -> dict[str, Tensor]:
    n_modes = prepared.detected.errors.n_modes
    return {modes_of(MEDIAPIPE): prepared.model.mean_mm.new_zeros(n_modes)}


def initial_focal_px(px_per_mm: float, observation: Observation, config: FitConfig) -> float:
    """The given focal length, EXIF's, or the most likely one by the priors."""
    known = config.focal_px or observation.exif_focal_px
    if known is not None:
        return known
    # Focal length and distance are proportional, so the two normal priors of their logarithms
    # combine into one: the mean weighted by their precisions.
    by_side = math.log(config.focal_to_side * observation.longer_side_px)
    by_distance = math.log(config.distance_mm * px_per_mm)
    a, b = config.focal_log_sigma**-2, config.distance_log_sigma**-2
    return math.exp((a * by_side + b * by_distance) / (a + b))


def solve_weak_perspective(
    model_mm: Float[Tensor, "points 3"], seen_px: Float[Tensor, "points 2"]
) -> tuple[Float[Tensor, "3 3"], float, Float[Tensor, "2"]]:
    """Rotation, scale (px a mm) and place of the model's origin (px) for a far camera.

    Least squares of an affine camera, then the nearest scaled rotation (R. Hartley, A. Zisserman,
    "Multiple view geometry", 2003, section 14.3.1). Needs four points that do not lie in a plane.
    """
    centre_mm, centre_px = model_mm.double().mean(0), seen_px.double().mean(0)
    # y is turned upwards, as in `cam`.
    up = torch.tensor([1.0, -1.0], dtype=torch.float64, device=seen_px.device)
    offsets_px = (seen_px.double() - centre_px) * up
    affine = torch.linalg.lstsq(model_mm.double() - centre_mm, offsets_px).solution.T
    u, s, vt = torch.linalg.svd(affine, full_matrices=False)
    first_rows = u @ vt
    scale = float(s.mean())
    rotation = torch.cat([first_rows, torch.linalg.cross(first_rows[0], first_rows[1])[None]])
    origin_px = centre_px - scale * (first_rows @ centre_mm) * up
    return rotation.to(model_mm), scale, origin_px.to(model_mm)


def observed_expression(
    model: MorphableModel, observation: Observation
) -> tuple[Float[Tensor, "expression"], Float[Tensor, "expression"]]:
    """The detector's score of each of the model's units, and 1 where there is one (else 0)."""
    found = zip(observation.blendshape_names, observation.blendshapes.tolist(), strict=True)
    scores = {name: score for name, score in found if name not in _NEVER_SCORED}
    like = model.expression_sigma
    value = like.new_tensor([scores.get(name, 0.0) for name in model.expression_names])
    known = like.new_tensor([float(name in scores) for name in model.expression_names])
    low, high = model.expression_bounds.unbind(-1)
    return torch.minimum(torch.maximum(value, low), high), known
