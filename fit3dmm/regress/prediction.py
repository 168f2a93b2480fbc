"""What a regressor says of a face in a photo, in the photo's own frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.crop import Crop, crop_around, extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.regress.network import AT_ONCE
from fit3dmm.regress.outputs import Outputs
from fit3dmm.regress.targets import distance_mm_of, focal_px_of, pose_in_camera
from fit3dmm.scene import Lighting, Pose, Scene

FACE_POINTS = 468
"""The points of the face come first: their box is what the crop is taken around."""
CROP_MARGIN = 1.6
"""Side of the crop in units of the box's longer side: the middle of what training shows."""
_PASSES = 2

Network = Callable[[Float[Tensor, "batch 3 size size"]], Outputs]


@dataclass(frozen=True)
class Prediction(TensorRecord):
    """One face as the network sees it."""

    points_px: Float[Tensor, "points 2"]
    """In `photo`; hidden ones too."""
    covariance_px2: Float[Tensor, "points 2 2"]
    """Of each point's error, as the network states it."""
    scene: Scene
    """The face in the photo's camera."""
    log_sigmas: dict[str, Float[Tensor, ""]]
    """Natural logarithms of the sigmas that the network states: of each block of coefficients in
    their own units, `turned` (rad), `centre` and `log_size` (of the crop), `log_distance`, `light`
    and `tone`."""
    distance_mm: Float[Tensor, ""]
    """Of the head's origin from the camera, as the perspective of the face alone tells it."""
    tone: Float[Tensor, ""]
    """Mean luminance of the face's albedo, linear."""
    cover: Float[Tensor, "kinds cells cells"]
    """Probability of what each cell of the crop shows: `observe.predicted.COVERS`."""
    T_crop_photo: Similarity
    """From `photo` to the pixels of the crop that was looked at."""
    crop_size_px: int


def predict(
    network: Network,
    photo: Photo,
    around_px: Float[Tensor, "around 2"],
    size_px: int,
    focal_px: float | None = None,
    passes: int = _PASSES,
) -> Prediction:
    """Look at a face twice: at the place that is told, then around the points that were seen there.

    Args:
        network: a trained one.
        photo: where the face is.
        around_px: points of the face in `photo`, or corners of its box.
        size_px: side of the crop.
        focal_px: of the photo, if it is known; else the network's distance and size say it.
        passes: looks; one will do where the points told are nearly the network's own.
    """
    found = predict_batch(network, [photo], [around_px], size_px, [focal_px], passes=passes)
    return found[0]


def predict_batch(
    network: Network,
    photos: Sequence[Photo],
    around_px: Sequence[Float[Tensor, "around 2"]],
    size_px: int,
    focals_px: Sequence[float | None] | None = None,
    at_once: int = AT_ONCE,
    passes: int = _PASSES,
) -> tuple[Prediction, ...]:
    """Look at several faces, at each as `predict` does.

    Args:
        network: a trained one.
        photos: where the faces are, one a face: a photo may stand several times.
        around_px: points of each face in its photo, or corners of its box.
        size_px: side of the crops.
        focals_px: of each photo, None where it is not known; none is if left out.
        at_once: how many crops the network gets at a time. On a processor few are quickest: to fill
            memory for many takes longer than it saves (docs/regressor.md).
        passes: as for `predict`.
    """
    focals_px = focals_px or [None] * len(photos)
    found: list[Prediction] = []
    for first in range(0, len(photos), at_once):
        some = slice(first, first + at_once)
        found += _look(network, photos[some], around_px[some], size_px, focals_px[some], passes)
    return tuple(found)


@torch.no_grad()
def _look(
    network: Network,
    photos: Sequence[Photo],
    around_px: Sequence[Float[Tensor, "around 2"]],
    size_px: int,
    focals_px: Sequence[float | None],
    passes: int,
) -> list[Prediction]:
    places_px = [points.float() for points in around_px]
    for _ in range(passes):
        crops = [
            extract_crop(photo, crop_around(place, size_px, CROP_MARGIN), size_px)
            for photo, place in zip(photos, places_px, strict=True)
        ]
        pictures = [linear_to_srgb(crop.image_linear).permute(2, 0, 1) for crop in crops]
        outputs = network(torch.stack(pictures))
        places_px = [
            (crop.T_crop_photo.inverse() @ (points * size_px))[:FACE_POINTS]
            for crop, points in zip(crops, outputs.points, strict=True)
        ]
    each = [outputs.map(lambda values, k=k: values[k : k + 1]) for k in range(len(photos))]
    faces = zip(each, crops, photos, focals_px, strict=True)
    return [_in_photo(*face) for face in faces]


def _in_photo(outputs: Outputs, crop: Crop, photo: Photo, focal_px: float | None) -> Prediction:
    T_crop_photo, size = crop.T_crop_photo, crop.image_linear.shape[0]
    scale = T_crop_photo.scale
    covariance = (size / scale) ** 2 * outputs.covariance[0]
    if focal_px is None:
        focal_px = float(focal_px_of(outputs.pose, size)[0] / scale)
    camera = Camera.centred(focal_px, photo.width_px, photo.height_px)
    pose = outputs.pose.map(lambda tensor: tensor[0])
    rotation, translation_mm = pose_in_camera(pose, camera.cropped(T_crop_photo, size, size))
    coefficients = Coefficients(**{name: v[0] for name, v in outputs.coefficients.items()})
    return Prediction(
        points_px=T_crop_photo.inverse() @ (outputs.points[0] * size),
        covariance_px2=covariance,
        scene=Scene(
            coefficients,
            Pose(rotation_vector(rotation), translation_mm),
            camera,
            Lighting(outputs.irradiance_sh[0]),
        ),
        log_sigmas={name: value[0] for name, value in outputs.log_sigmas.items()},
        distance_mm=distance_mm_of(pose),
        tone=outputs.log_tone[0].exp(),
        cover=outputs.cover[0].softmax(0),
        T_crop_photo=T_crop_photo,
        crop_size_px=size,
    )
