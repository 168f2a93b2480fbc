"""What of a face is about equally white in all people: the whites of the eyes and the teeth.

A photo shows the product of skin and light. How bright the light is, these tell: they reflect about
the same share of it on every face.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm.colour import luminance
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.observation import Observation

# MediaPipe's points: the edges of the lids from corner to corner, the iris with its middle first,
# and the inner edges of the lips.
EYES = (
    (
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
        slice(468, 473),
    ),
    (
        (362, 398, 384, 385, 386, 387, 388, 466, 263),
        (362, 382, 381, 380, 374, 373, 390, 249, 263),
        slice(473, 478),
    ),
)
_UPPER_LIP = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
_LOWER_LIP = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308)
_N_POINTS = 478

# Lengths are shares of the iris' radius; what follows are judgements, not measurements.
_LEAST_RADIUS_PX = 2.5  # of the photo: of smaller irises the white is mixed with lids
_WHITE, _LID_MARGIN = (1.15, 2.1), 0.15
_LEAST_LID_GAP, _LEAST_LIP_GAP = 1.1, 1.0
_STEPS_PER_PX = 3
_FEWEST = 9
# Lashes and lids darken what they shade, lips most of the teeth: the lightest part tells, but for
# the glints in it.
_WHITE_QUANTILE, _TEETH_QUANTILE = 0.75, 0.85


@dataclass(frozen=True)
class WhiteReferences:
    """Luminance in the photo, linear; None where too little is seen."""

    eyes: float | None
    """Of the lighter one's white."""
    teeth: float | None


def white_references(observation: Observation) -> WhiteReferences:
    """How bright eyes and teeth are, where MediaPipe saw the face."""
    seen = observation.detections.get(MEDIAPIPE)
    if seen is None or len(seen.points_px) != _N_POINTS:
        return WhiteReferences(None, None)
    T_crop_photo = observation.T_crop_photo.to("cpu")
    points = (T_crop_photo @ seen.points_px.cpu().to(T_crop_photo.scale)).float()
    image = observation.image_linear.cpu().float()
    eyes = [_white(image, points, *eye) for eye in EYES]
    radius_px = max(float(_circle(points[iris])[1]) for _, _, iris in EYES)
    if radius_px < _LEAST_RADIUS_PX * float(T_crop_photo.scale):
        return WhiteReferences(None, None)
    told = [one for one in eyes if one is not None]
    return WhiteReferences(max(told, default=None), _teeth(image, points, radius_px))


def _white(
    image: Tensor,
    points: Float[Tensor, "478 2"],
    upper: tuple[int, ...],
    lower: tuple[int, ...],
    iris: slice,
) -> float | None:
    """Of one eye, beside its iris and away from its lids."""
    middle, radius = _circle(points[iris])
    lids = points[list(upper)], points[list(lower)]
    if float((lids[0] - lids[1]).norm(dim=1).amax()) < _LEAST_LID_GAP * float(radius):
        return None
    at = _grid(torch.cat(lids))
    away = (at - middle).norm(dim=1) / radius
    there = (away > _WHITE[0]) & (away < _WHITE[1])
    for edge in (lids[0], lids[1].flip(0)):
        there &= right_of(edge, at, _LID_MARGIN * float(radius))
    return _quantile(image, at[there], _WHITE_QUANTILE)


def _teeth(image: Tensor, points: Float[Tensor, "478 2"], radius_px: float) -> float | None:
    """What is seen between open lips."""
    upper, lower = points[list(_UPPER_LIP)], points[list(_LOWER_LIP)]
    if float((upper - lower).norm(dim=1).amax()) < _LEAST_LIP_GAP * radius_px:
        return None
    at = _grid(torch.cat([upper, lower]))
    return _quantile(image, at[_within(torch.cat([upper, lower.flip(0)]), at)], _TEETH_QUANTILE)


def _circle(points: Float[Tensor, "5 2"]) -> tuple[Float[Tensor, "2"], Float[Tensor, ""]]:
    return points[0], (points[1:] - points[0]).norm(dim=1).mean().clamp_min(1e-3)


def _grid(around: Float[Tensor, "n 2"]) -> Float[Tensor, "places 2"]:
    """Places all over the box of some points, several a pixel."""
    low, high = around.amin(0), around.amax(0)
    x, y = (
        torch.arange(float(a), float(b), 1 / _STEPS_PER_PX) for a, b in zip(low, high, strict=True)
    )
    return torch.cartesian_prod(x, y).reshape(-1, 2)


def right_of(
    line: Float[Tensor, "n 2"],
    at: Float[Tensor, "places 2"],
    margin_px: Float[Tensor, ""] | float,
) -> Bool[Tensor, "places"]:
    """Places on the right of each piece of a line: in the picture below a lid that runs to the
    right, however the face is turned."""
    along = torch.nn.functional.normalize(line[1:] - line[:-1], dim=1)
    right = torch.stack([-along[:, 1], along[:, 0]], 1)
    return (((at[:, None] - line[:-1]) * right).sum(-1) > margin_px).all(1)


def _within(polygon: Float[Tensor, "n 2"], at: Float[Tensor, "places 2"]) -> Bool[Tensor, "places"]:
    """Places from which a ray to the right crosses the polygon an odd number of times."""
    a, b = polygon, polygon.roll(-1, 0)
    x, y = at[:, :1], at[:, 1:]
    crosses = (a[:, 1] > y) != (b[:, 1] > y)
    rise = torch.where(crosses, b[:, 1] - a[:, 1], torch.ones(()))
    meets_x = a[:, 0] + (y - a[:, 1]) / rise * (b[:, 0] - a[:, 0])
    return (crosses & (x < meets_x)).sum(1) % 2 == 1


def _quantile(image: Tensor, at: Float[Tensor, "places 2"], share: float) -> float | None:
    if len(at) < _FEWEST:
        return None
    size = image.shape[0]
    seen = torch.nn.functional.grid_sample(
        image.permute(2, 0, 1)[None], (2 * at / size - 1)[None, None], align_corners=False
    )
    return float(luminance(seen[0, :, 0].T).quantile(share))
