"""Where a fit starts: pose and focal length in closed form, everything else at rest."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.fitting.config import CAMERA, COLOUR, POSE, SHAPE, FitConfig
from fit3dmm.fitting.evidence.blendshapes import observed_expression
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.observe.detection import Detection
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.predicted import Predicted
from fit3dmm.scene import Lighting, Scene
from fit3dmm.unknowns import (
    EXPRESSION,
    IDENTITY,
    IRRADIANCE,
    JOINTS,
    LOG_FOCAL,
    ROTATION,
    TRANSLATION,
    bounds_of,
    modes_of,
    starts,
    values_of,
)


def initial_values(
    prepared: PreparedModel, observation: Observation, config: FitConfig
) -> dict[str, Tensor]:
    """All unknowns at the start of the first stage.

    Raises:
        InputError: no detector saw points that the model is prepared for.
    """
    model, like = prepared.model, prepared.model.mean_mm
    photo_px = like.new_tensor([observation.photo_width_px, observation.photo_height_px])
    detection = _first_known(prepared, observation)
    rotation, px_per_mm, origin_px = solve_weak_perspective(
        prepared.points[detection.point_set].at(starts(model)).mm, detection.points_px
    )
    focal_px = initial_focal_px(px_per_mm, observation, config)
    distance_mm = focal_px / px_per_mm
    axis_px = photo_px / 2 if observation.axis_px is None else observation.axis_px
    x_px, y_px = (origin_px - axis_px).tolist()
    translation = [x_px / px_per_mm, -y_px / px_per_mm, -distance_mm]
    return {
        **starts(model),
        **_detectors_at_rest(prepared),
        EXPRESSION: observed_expression(model, observation)[0],
        ROTATION: rotation_vector(rotation),
        TRANSLATION: like.new_tensor(translation),
        LOG_FOCAL: like.new_tensor([math.log(focal_px)]),
        IRRADIANCE: Lighting.ambient_white(config.light.level).irradiance_sh.to(like),
    }


def starting_values(
    prepared: PreparedModel, observation: Observation, config: FitConfig
) -> dict[str, dict[str, Tensor]]:
    """The starts between which a fit chooses, by name: `landmarks` and `regressor`.

    Raises:
        InputError: no detector saw points that the model is prepared for, or a regressor is to
            say the start and did not look.
    """
    regressor = prepared.regressor
    borrowed = regressor is not None and not regressor.knows_coefficients
    predicted = None if borrowed else observation.predicted
    if predicted is None and config.init == "regressor":
        raise InputError(
            f"The fit of {observation.name} is to start with what a regressor sees, and none "
            f"looked that knows the coefficients of the model {prepared.model.info.name}: take "
            "`landmarks`, or make one with `fit3dmm train`."
        )
    starts = {}
    if config.init != "regressor":
        starts["landmarks"] = initial_values(prepared, observation, config)
    # Where the shape stays what it is, it stays the mean.
    shape_moves = any(IDENTITY in stage.free for stage in config.stages)
    if predicted is not None and config.init != "landmarks" and shape_moves:
        known_px = config.focal_px or observation.exif_focal_px
        starts["regressor"] = predicted_values(prepared, predicted, known_px)
    return starts


def predicted_values(
    prepared: PreparedModel, predicted: Predicted, focal_px: float | None = None
) -> dict[str, Tensor]:
    """All unknowns as the network sees them, within their bounds.

    Args:
        prepared: the model.
        predicted: what the network said.
        focal_px: of the photo, where it is known; the head then is as far as its size says.
    """
    names = [name for name in (*SHAPE, *COLOUR, *POSE, *CAMERA) if name != JOINTS]
    values = {name: getattr(predicted, name) for name in names}
    values[JOINTS] = prepared.model.zeros().joints_rad
    if focal_px is not None:
        factor = focal_px / values[LOG_FOCAL].exp()
        values[TRANSLATION] = factor * values[TRANSLATION]
        values[LOG_FOCAL] = values[LOG_FOCAL] + factor.log()
    for name, bounds in bounds_of(values, prepared.model).items():
        values[name] = values[name].clamp(bounds[:, 0], bounds[:, 1])
    return {**values, **_detectors_at_rest(prepared)}


def values_at(scene: Scene, prepared: PreparedModel) -> dict[str, Tensor]:
    """All unknowns at a scene, for detectors that err as they do on average."""
    values = values_of(scene)
    if not values[JOINTS].numel():
        values[JOINTS] = prepared.model.zeros().joints_rad
    return {**values, **_detectors_at_rest(prepared)}


def _detectors_at_rest(prepared: PreparedModel) -> dict[str, Tensor]:
    like = prepared.model.mean_mm
    models = prepared.detectors.items()
    return {modes_of(name): like.new_zeros(one.errors.n_modes) for name, one in models}


def _first_known(prepared: PreparedModel, observation: Observation) -> Detection:
    for detection in observation.detections.values():
        if detection.point_set in prepared.points:
            return detection
    raise InputError(
        f"No detector saw points of {observation.name} that the model is prepared for "
        f"({', '.join(prepared.points)}): detect faces, or name the detector to `prepare`."
    )


def initial_focal_px(px_per_mm: float, observation: Observation, config: FitConfig) -> float:
    """The given focal length, EXIF's, or the most likely one by the priors."""
    known = config.focal_px or observation.exif_focal_px
    if known is not None:
        return known
    # Focal length and distance are proportional, so the two normal priors of their logarithms
    # combine into one: the mean weighted by their precisions.
    by_side = math.log(config.focal.typical_to_side * observation.longer_side_px)
    distance_mm, distance_log_sigma = config.distance.of(observation)
    by_distance = math.log(distance_mm * px_per_mm)
    a, b = config.focal.log_sigma**-2, distance_log_sigma**-2
    return math.exp((a * by_side + b * by_distance) / (a + b))


def solve_weak_perspective(
    model_mm: Float[Tensor, "points 3"], observed_px: Float[Tensor, "points 2"]
) -> tuple[Float[Tensor, "3 3"], float, Float[Tensor, "2"]]:
    """Rotation, scale (px a mm) and place of the model's origin (px) for a far camera.

    Least squares of an affine camera, then the nearest scaled rotation (R. Hartley, A. Zisserman,
    "Multiple view geometry", 2003, section 14.3.1). Needs four points that do not lie in a plane.
    """
    centre_mm, centre_px = model_mm.double().mean(0), observed_px.double().mean(0)
    # y is turned upwards, as in `cam`.
    up = torch.tensor([1.0, -1.0], dtype=torch.float64, device=observed_px.device)
    offsets_px = (observed_px.double() - centre_px) * up
    affine = torch.linalg.lstsq(model_mm.double() - centre_mm, offsets_px).solution.mT
    u, s, vt = torch.linalg.svd(affine, full_matrices=False)
    first_rows = u @ vt
    scale = float(s.mean())
    rotation = torch.cat([first_rows, torch.linalg.cross(first_rows[0], first_rows[1])[None]])
    origin_px = centre_px - scale * (first_rows @ centre_mm) * up
    return rotation.to(model_mm), scale, origin_px.to(model_mm)
