"""What was seen of one face: pixels, points and the camera's own account. Never changed."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.box import Box
from fit3dmm.observe.choice import FaceChoice, check_box, choose_faces
from fit3dmm.observe.crop import crop_around, extract_crop
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.detection import GIVEN_BOX, MEDIAPIPE, MEDIAPIPE_POINTS, NETWORK, Detection
from fit3dmm.observe.face import N_POINTS, DetectedFace, Turn, turn_to_upright
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted
from fit3dmm.observe.search import describe_search
from fit3dmm.observe.skin import skin_probability

DEFAULT_SIZE_PX = 224
# The points reach from chin to hairline; the square leaves room for jaw, ears and background.
CROP_MARGIN = 1.4


@dataclass(frozen=True)
class Observation(TensorRecord):
    """One face of one photo, ready to be explained.

    Points are kept in `photo` pixels and the picture in `crop` pixels; `T_crop_photo` joins them.
    """

    name: str
    """What the photo is called."""
    photo_width_px: int
    photo_height_px: int
    exif_focal_px: float | None
    """Focal length in pixels of the photo by EXIF, where believable."""
    T_crop_photo: Similarity
    image_linear: Float[Tensor, "size size 3"]
    inside: Bool[Tensor, "size size"]
    """Pixels of the crop that the photo covers."""
    skin: Float[Tensor, "size size"]
    """Probability of skin by colour alone."""
    detections: Mapping[str, Detection]
    """What each detector saw, by its name."""
    blendshapes: Float[Tensor, "scores"]
    """Scores 0..1 of `blendshape_names` by MediaPipe."""
    blendshape_names: tuple[str, ...]
    T_cam_canonical: Float[Tensor, "4 4"]
    """MediaPipe's head pose (cm); no turn where it saw no face."""
    predicted: Predicted | None = None
    """What the network says of the face, where it was asked."""
    axis_px: Float[Tensor, "2"] | None = None
    """Where the camera's axis meets the photo, where that is known; else it is the middle."""

    @property
    def size_px(self) -> int:
        """Side of the crop."""
        return self.image_linear.shape[0]

    @property
    def longer_side_px(self) -> int:
        """Of the photo."""
        return max(self.photo_width_px, self.photo_height_px)

    @property
    def upright_turn_deg(self) -> Turn:
        """The quarter turn of the photo, clockwise, that brings the face nearest to upright, as far
        as points were seen."""
        points_px = self.face_points_px
        return turn_to_upright(points_px) if len(points_px) == N_POINTS else 0

    @property
    def face_points_px(self) -> Float[Tensor, "points 2"]:
        """MediaPipe's, as it saw them or else as the network did, or else those of the first other
        detector, in `photo` pixels."""
        first = next(iter(self.detections.values()))
        network = self.detections.get(NETWORK, first)
        seen = self.detections.get(MEDIAPIPE, network)
        return seen.points_px[:N_POINTS] if seen.has_mediapipe_points else seen.points_px

    def detection(self, source: str = MEDIAPIPE) -> Detection:
        """What a detector saw.

        Raises:
            InputError: it was not asked.
        """
        if source not in self.detections:
            raise InputError(
                f"The detector {source} has seen nothing of {self.name}, only "
                f"{', '.join(self.detections) or 'none'} has: add its detection."
            )
        return self.detections[source]

    def seen_by(self, *detections: Detection) -> "Observation":
        """The same with detections added, or put in place of those of the same detectors."""
        added = {detection.source: detection for detection in detections}
        return self.replace(detections={**self.detections, **added})


def observe(
    photo: Photo,
    size_px: int = DEFAULT_SIZE_PX,
    face: FaceChoice = "only",
    detector: FaceDetector | None = None,
) -> tuple[Observation, ...]:
    """Find faces in a photo and make the observations that a fit takes.

    Args:
        photo: where to look.
        size_px: side of the square crop that is fitted, 224 to 512 for faces of that size.
        face: which of several faces; with `largest` those count too that the border cuts, and
            `all` also looks for small ones beside large ones. A box (left, top, right and bottom of
            the face in px) says where it is; what MediaPipe can't see there is left to a network.
        detector: one that is open already; else one is opened and closed.

    Raises:
        InputError: no face, no such face, several where one was meant, or the size is out of range.
    """
    if isinstance(face, tuple):
        check_box(face, photo.width_px, photo.height_px)
    small = face == "all" or (isinstance(face, int) and face > 1)
    with nullcontext(detector) if detector is not None else FaceDetector() as opened:
        if isinstance(face, tuple):
            there = opened.look_in_box(photo, face)
            return (observe_face(photo, there or face, size_px),)
        faces = opened.detect(photo, small, several=face != "only")
    searched = describe_search(photo.width_px, photo.height_px)
    chosen = choose_faces(faces, face, f"the photo {photo.name}", searched)
    return tuple(observe_face(photo, one, size_px) for one in chosen)


def observe_face(
    photo: Photo,
    face: DetectedFace | Box,
    size_px: int = DEFAULT_SIZE_PX,
    margin: float = CROP_MARGIN,
    skin_by: Callable[[Tensor], Tensor] = skin_probability,
) -> Observation:
    """The observation of a face that has been detected, or of what lies in a box.

    Args:
        photo: where it was found.
        face: as the detector sees it; of a box nothing is known but where it is.
        size_px: side of the square crop that is fitted.
        margin: side of the crop in units of the longer side of the points' box.
        skin_by: says how likely each sRGB colour is to be skin's.
    """
    seen = Detection(*GIVEN_BOX, _corners(face)) if isinstance(face, tuple) else _seen(face)
    T_crop_photo = crop_around(seen.points_px, size_px, margin)
    image_linear, inside, skin = _cut(photo, T_crop_photo, size_px, skin_by)
    return Observation(
        name=photo.name,
        photo_width_px=photo.width_px,
        photo_height_px=photo.height_px,
        exif_focal_px=photo.focal_px,
        T_crop_photo=T_crop_photo,
        image_linear=image_linear,
        inside=inside,
        skin=skin,
        detections={seen.source: seen},
        **_scores(face),
    )


def _seen(face: DetectedFace) -> Detection:
    return Detection(MEDIAPIPE, MEDIAPIPE_POINTS, face.points_px)


def _corners(box: Box) -> Float[Tensor, "2 2"]:
    return torch.tensor(box).reshape(2, 2)


def _scores(face: DetectedFace | Box) -> dict[str, Any]:
    """Of the expression and the pose, where MediaPipe saw a face."""
    if isinstance(face, tuple):
        return {
            "blendshapes": torch.zeros(0),
            "blendshape_names": (),
            "T_cam_canonical": torch.eye(4),
        }
    names = ("blendshapes", "blendshape_names", "T_cam_canonical")
    return {name: getattr(face, name) for name in names}


def cut_anew(observation: Observation, photo: Photo, T_crop_photo: Similarity) -> Observation:
    """The same face in another square of its photo, of the same number of pixels."""
    image_linear, inside, skin = _cut(photo, T_crop_photo, observation.size_px)
    return observation.replace(
        T_crop_photo=T_crop_photo, image_linear=image_linear, inside=inside, skin=skin
    )


def _cut(
    photo: Photo,
    T_crop_photo: Similarity,
    size_px: int,
    skin_by: Callable[[Tensor], Tensor] = skin_probability,
) -> tuple[Tensor, Tensor, Tensor]:
    """What is seen in a square: the picture, where the photo covers it, and how likely skin is."""
    crop = extract_crop(photo, T_crop_photo, size_px)
    skin = skin_by(linear_to_srgb(crop.image_linear))
    return crop.image_linear, crop.inside, torch.where(crop.inside, skin, torch.zeros_like(skin))
