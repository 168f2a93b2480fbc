"""From what a system says to a scene in the photo: cameras of crops become the photo's own."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.energy.points import Points, isotropic_whitening, project
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.initialise import initial_focal_px, initial_values, solve_weak_perspective
from fit3dmm.fitting.prepared import PreparedModel
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_matrix, rotation_vector
from fit3dmm.observe.detection import MEDIAPIPE_POINTS, Detection
from fit3dmm.observe.face import FACE_OVAL
from fit3dmm.observe.observation import Observation
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose, Scene
from fit3dmm.solve import LevenbergMarquardt, Problem, Residuals, Values, solve, sum_of_squares
from fit3dmm.unknowns import (
    IRRADIANCE,
    ROTATION,
    TRANSLATION,
    PhotoIntrinsics,
    scene_of,
    values_of,
)


def is_placed(start: Start) -> bool:
    """Whether the system says where in the photo the face is, so that no landmark need tell."""
    known = start.pose is not None and start.camera is not None
    return known and start.T_picture_photo is not None


def placed(
    start: Start, observation: Observation, prepared: PreparedModel, config: FitConfig
) -> Scene:
    """The start as a scene in the photo, whose camera looks through its middle.

    A crop's camera looks through the middle of the crop: the same picture is taken by a camera that
    looks elsewhere, with the head turned the other way. Where a crop is not known, the points of
    the face say how it is scaled and where it is, and nothing else.

    Raises:
        InputError: it is of another photo or model.
    """
    _check(start, observation, prepared)
    start = start.to(prepared.model.mean_mm.device)
    values = initial_values(prepared, observation, config)
    coefficients = _whole(start, prepared)
    intrinsics = PhotoIntrinsics.centred(
        observation.photo_width_px, observation.photo_height_px, prepared.model.mean_mm
    )
    values |= values_of(Scene.portrait(coefficients, 100, 100)) | {
        name: values[name] for name in (ROTATION, TRANSLATION, "log_focal", IRRADIANCE)
    }
    if start.lighting is not None:
        values[IRRADIANCE] = start.lighting.irradiance_sh
    points = prepared.points[MEDIAPIPE_POINTS]
    if start.pose is None or start.camera is None:
        values |= _by_landmarks(start.pose, points, values, observation, config)
    elif _is_of_photo(start, observation):
        values |= {
            ROTATION: start.pose.rotation_rad,
            TRANSLATION: start.pose.translation_mm,
            "log_focal": start.camera.focal_px.log()[None],
        }
    else:
        values |= _by_crop(start.pose, start.camera, start, points, values, observation)
    return scene_of(values, intrinsics)


def _check(start: Start, observation: Observation, prepared: PreparedModel) -> None:
    size = (observation.photo_width_px, observation.photo_height_px)
    if start.photo_size_px not in (None, size):
        assert start.photo_size_px is not None
        width, height = start.photo_size_px
        raise InputError(
            f"The coefficients are of a photo of {width} x {height} px, and {observation.name} has "
            f"{size[0]} x {size[1]}: give those of the same photo."
        )
    model = prepared.model
    wanted = model.zeros()
    for name in ("identity", "detail", "expression", "albedo", "joints_rad"):
        n_given, n_wanted = (getattr(one, name).shape[-1] for one in (start.coefficients, wanted))
        if n_given > n_wanted:
            raise InputError(
                f"There are {n_given} {name} coefficients, and the model {model.info.name} has "
                f"{n_wanted}: give those of the same model."
            )


def _whole(start: Start, prepared: PreparedModel):
    """With a zero for each component of the model that is not said, within the bounds."""
    model = prepared.model
    whole = model.zeros() + start.coefficients.to(dtype=model.mean_mm.dtype)
    low, high = model.expression_bounds.unbind(-1)
    return whole.replace(expression=torch.minimum(torch.maximum(whole.expression, low), high))


def _is_of_photo(start: Start, observation: Observation) -> bool:
    """Whether the system saw the photo itself, through its middle."""
    camera = start.camera
    assert camera is not None
    size = (observation.photo_width_px, observation.photo_height_px)
    middle = camera.principal_point_px.new_tensor(size) / 2
    return (camera.width_px, camera.height_px) == size and bool(
        torch.allclose(camera.principal_point_px, middle)
    )


def _detection(observation: Observation) -> Detection:
    for one in observation.detections.values():
        if one.point_set == MEDIAPIPE_POINTS:
            return one
    raise InputError(f"MediaPipe saw no points of {observation.name}, which say where the face is.")


def _inner(n: int) -> Tensor:
    """Points that lie on features: the contour's slide along the face."""
    keep = torch.ones(n, dtype=torch.bool)
    keep[list(FACE_OVAL)] = False
    return keep


def _by_landmarks(
    pose: Pose | None,
    points: Points,
    values: Values,
    observation: Observation,
    config: FitConfig,
) -> dict[str, Tensor]:
    """Where a far camera sees the face: its size and place, and its turn unless that is said."""
    model_mm = points.at(values).mm
    seen_px = _detection(observation).points_px.to(model_mm)
    rows = _inner(len(model_mm))
    rotation, px_per_mm, origin_px = solve_weak_perspective(model_mm[rows], seen_px[rows])
    if pose is not None:
        rotation = rotation_matrix(pose.rotation_rad.to(model_mm))
        flat = (model_mm @ rotation.mT)[:, :2] * model_mm.new_tensor([1.0, -1.0])
        px_per_mm, origin_px = _scale_and_shift(flat[rows], seen_px[rows])
    focal_px = initial_focal_px(px_per_mm, observation, config)
    middle = model_mm.new_tensor([observation.photo_width_px, observation.photo_height_px]) / 2
    x, y = ((origin_px - middle) / px_per_mm).tolist()
    distance_mm = focal_px / px_per_mm
    translation = model_mm.new_tensor([x, -y, -distance_mm])
    if pose is not None:
        # Their camera looks at the face, ours past it.
        rotation = _towards(translation) @ rotation
    return {
        ROTATION: rotation_vector(rotation),
        TRANSLATION: translation,
        "log_focal": model_mm.new_tensor([math.log(focal_px)]),
    }


def _towards(place_mm: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """The least turn from the camera's axis to the direction of a place."""
    axis = place_mm.new_tensor([0.0, 0.0, -1.0])
    direction = torch.nn.functional.normalize(place_mm, dim=0)
    across = torch.linalg.cross(axis, direction)
    sine = across.norm().clamp_min(1e-12)
    return rotation_matrix(across / sine * torch.atan2(sine, axis @ direction))


def _scale_and_shift(
    source: Float[Tensor, "points 2"], target: Float[Tensor, "points 2"]
) -> tuple[float, Float[Tensor, "2"]]:
    """Least squares of a picture that is scaled and moved, and not turned."""
    off, want = source - source.mean(0), target - target.mean(0)
    scale = float((off * want).sum() / off.square().sum())
    return scale, target.mean(0) - scale * source.mean(0)


def _by_crop(
    pose: Pose,
    camera: Camera,
    start: Start,
    points: Points,
    values: Values,
    observation: Observation,
) -> dict[str, Tensor]:
    """The pose in which our camera sees the face where theirs saw it."""
    model_mm = points.at(values).mm
    crop_px = camera.to(dtype=model_mm.dtype).project(
        pose.to(dtype=model_mm.dtype).T_cam_model @ model_mm
    )
    if start.T_picture_photo is None:
        seen_px = _detection(observation).points_px.to(model_mm)
        rows = _inner(len(model_mm))
        scale, shift = _scale_and_shift(crop_px[rows], seen_px[rows])
        if scale <= 0:
            raise InputError(
                f"The face of {observation.name} lies the other way up than the coefficients say."
            )
        photo_px = scale * crop_px + shift
        middle_px = scale * camera.principal_point_px + shift
    else:
        T_photo_picture = start.T_picture_photo.inverse()
        photo_px, scale = T_photo_picture @ crop_px, float(T_photo_picture.scale)
        middle_px = (T_photo_picture @ camera.principal_point_px[None])[0]
    intrinsics = PhotoIntrinsics.centred(
        observation.photo_width_px, observation.photo_height_px, model_mm
    )
    focal_px = scale * camera.focal_px.to(model_mm)
    offset = (middle_px - intrinsics.principal_point_px) / focal_px
    axis = torch.stack([offset[0], -offset[1], -torch.ones_like(offset[0])])
    turn = _towards(axis)
    begin = {
        **values,
        ROTATION: rotation_vector(turn @ rotation_matrix(pose.rotation_rad.to(model_mm))),
        TRANSLATION: turn @ pose.translation_mm.to(model_mm),
        "log_focal": focal_px.log()[None],
    }
    found = _seen_alike(points, begin, photo_px, intrinsics)
    return {name: found[name] for name in (ROTATION, TRANSLATION, "log_focal")}


def _seen_alike(
    points: Points, start: Values, photo_px: Float[Tensor, "points 2"], intrinsics: PhotoIntrinsics
) -> Values:
    whitening = isotropic_whitening(torch.ones(len(photo_px)).to(photo_px))

    def term(values: Values) -> Residuals:
        at = project(points, values, intrinsics)
        return sum_of_squares(
            (at.px - photo_px).flatten(), lambda free: at.pull_back(whitening, free)
        )

    problem = Problem(start, (ROTATION, TRANSLATION), {"points": term})
    return solve(problem, LevenbergMarquardt(max_steps=10)).values
