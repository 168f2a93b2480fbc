"""The crop and the camera of Deng et al. 2019: a square by five points, one focal length for all.

Their network sees faces that lie in a square of 224 px as a far camera would show them, 102 px a
decimetre, and a camera of 1015 px looks at the middle of the square.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.fitting.config import FitConfig
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.observe.ibug import ibug68_of_mediapipe
from fit3dmm.observe.observation import Observation, cut_anew
from fit3dmm.observe.photo import Photo

_REFERENCE_SIZE_PX = 224
_PX_PER_MM = 1.02
# Corners of each eye, the tip of the nose, corners of the mouth, in iBUG's 68.
_FIVE = ((36, 39), (42, 45), (30, 30), (48, 48), (54, 54))


def by_five_points(observation: Observation, photo: Photo, model: MorphableModel) -> Observation:
    """The same face in the published square; as it is where MediaPipe did not look or the model has
    no such points."""
    seen = observation.detections.get(MEDIAPIPE)
    if seen is None or seen.point_set != MEDIAPIPE_POINTS or "ibug68" not in model.landmarks:
        return observation
    five_px = _five_of(ibug68_of_mediapipe(seen.points_px))
    rest_mm = model.shape_mm(model.zeros())
    points_mm = model.landmarks["ibug68"].locate(rest_mm, model.surface.triangles)
    weight = model.regions["face"]
    # Theirs is the mean of the face's vertices.
    origin_mm = (weight[:, None] * rest_mm).sum(0) / weight.sum()
    T_crop_photo = five_point_crop(five_px, _five_of(points_mm) - origin_mm, observation.size_px)
    return cut_anew(observation, photo, T_crop_photo)


def five_point_crop(
    points_px: Float[Tensor, "5 2"], points_mm: Float[Tensor, "5 3"], size_px: int
) -> Similarity:
    """`T_crop_photo` of the published square (util/preprocess.py: POS, align_img).

    Args:
        points_px: eyes, nose and corners of the mouth in the photo.
        points_mm: the same on the mean face, around the point that comes into the middle.
        size_px: side of the crop.
    """
    known = torch.cat([points_mm, torch.ones_like(points_mm[:, :1])], 1).double()
    affine = torch.linalg.lstsq(known, points_px.double().to(known.device)).solution.mT
    px_per_mm = affine[:, :3].norm(dim=1).mean()
    scale = _PX_PER_MM / px_per_mm * size_px / _REFERENCE_SIZE_PX
    shift_px = size_px / 2 - scale * affine[:, 3]
    upright = torch.eye(2, dtype=points_px.dtype)
    return Similarity(upright, shift_px.to(upright), scale.to(upright))


def with_camera_of_crop(
    observation: Observation, config: FitConfig
) -> tuple[Observation, FitConfig]:
    """The observation and the settings by which the camera looks at the middle of the crop, with
    the focal length that the settings say; both as they are where they say none, or where the
    photo's own is known."""
    if config.crop_focal_px is None or config.focal_px is not None:
        return observation, config
    T_photo_crop = observation.T_crop_photo.inverse()
    size_px = observation.size_px
    middle = torch.full_like(observation.T_crop_photo.translation, size_px / 2)
    focal_px = config.crop_focal_px * size_px / _REFERENCE_SIZE_PX * float(T_photo_crop.scale)
    axis_px = (T_photo_crop @ middle[None])[0]
    return observation.replace(axis_px=axis_px), replace(config, focal_px=focal_px)


def _five_of(points: Float[Tensor, "68 d"]) -> Float[Tensor, "5 d"]:
    return torch.stack([(points[a] + points[b]) / 2 for a, b in _FIVE])
