"""Where in a photo the network sees a face that MediaPipe passed over: a near profile, for one.

The network was shown faces only, and yet knows what is none: the sigmas that it tells of its points
are 0.8 to 1.4 % of the face on faces, and 11 % and more on clothes, hands and walls.
"""

import torch

from fit3dmm._kept import kept
from fit3dmm.observe.box import Box, middle_lies_in
from fit3dmm.observe.detection import doubt
from fit3dmm.observe.photo import Photo, photo_from_array
from fit3dmm.observe.window import reduced, squares
from fit3dmm.regress.laid_out import laid_out
from fit3dmm.regress.network import FaceNetwork
from fit3dmm.regress.prediction import FACE_POINTS, Network, Prediction, predict_batch

MOST_DOUBT = 0.04
"""Sigma of a point, as a share of the face, beyond which there is no face."""
_SIDES = (0.8, 0.5, 0.32)
"""Of the boxes that are looked at, in units of the photo's shorter side."""
_OVERLAP = 0.6
"""Of neighbouring boxes, in units of their side: two looks reach over the rest."""
_LONGEST_PX = 1024
_MOST_LOOKS = 64


def find_face(
    network: Network, photo: Photo, size_px: int, smallest_px: float = 48.0
) -> Box | None:
    """The box of the face that the network is surest of, among the largest that it is sure of.

    Args:
        network: a trained one.
        photo: where to look; what is many times as long as wide is looked at for large faces only.
        size_px: side of the network's crops.
        smallest_px: a smaller face is none.
    """
    block = max(1, max(photo.width_px, photo.height_px) // _LONGEST_PX)
    small = photo_from_array(reduced(photo.pixels_srgb.numpy(), block), photo.name)
    for share in _SIDES:
        if share < _SIDES[0]:
            # Many looks follow, and mostly at what is no face.
            network = _quick(network, size_px)
        side_px = round(share * min(small.width_px, small.height_px))
        places = list(squares(small.width_px, small.height_px, side_px, 0, _OVERLAP))
        if len(places) > _MOST_LOOKS:
            return None
        corners = [
            torch.tensor([[at.left, at.top], [at.left + at.width, at.top + at.height]]).float()
            for at in places
        ]
        seen = predict_batch(network, [small] * len(places), corners, size_px)
        faces = [one for one in seen if _is_face(one, small, smallest_px / block)]
        if faces:
            left, top, right, bottom = face_box(min(faces, key=face_doubt))
            return block * left, block * top, block * right, block * bottom
    return None


@kept(most=1)
def _quick(network: Network, size_px: int) -> Network:
    return laid_out(network, size_px) if isinstance(network, FaceNetwork) else network


def face_doubt(prediction: Prediction) -> float:
    """Mean sigma of the face's points, as a share of the face."""
    return doubt(prediction.points_px[:FACE_POINTS], prediction.covariance_px2[:FACE_POINTS])


def face_box(prediction: Prediction) -> Box:
    """Left, top, right and bottom of the face's points."""
    points_px = prediction.points_px[:FACE_POINTS]
    left, top, right, bottom = torch.cat([points_px.amin(0), points_px.amax(0)]).tolist()
    return left, top, right, bottom


def _is_face(prediction: Prediction, photo: Photo, smallest_px: float) -> bool:
    left, top, right, bottom = face_box(prediction)
    large = max(right - left, bottom - top) >= smallest_px
    inside = middle_lies_in((left, top, right, bottom), photo.width_px, photo.height_px)
    return inside and large and face_doubt(prediction) < MOST_DOUBT
