"""The colour of the irises, from the ring between pupil and rim that the photo shows.

The eyes are no part of the face that is compared with the photo, and an iris that is a millimetre
beside its place would be seen at once. So only its colour is taken, and the model's iris keeps its
pattern, its dark rim and the shade of the lids, for which the photo is compared with it place by
place.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.smoothing import ramp
from fit3dmm.export.view import BLACK_LINEAR, PhotoView
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.white_references import EYES, right_of


@dataclass(frozen=True)
class IrisSettings(Settings):
    """What is looked at of an eye: judgements, not measurements. Lengths without a unit are shares
    of the iris' radius."""

    least_diameter_px: float = 8.0
    """Of an iris in the photo: in a smaller one there is no ring free of pupil and white."""
    ring: tuple[float, float] = (0.48, 0.82)
    """What is looked at of the iris: between pupil and dark rim."""
    white: tuple[float, float] = (1.25, 2.0)
    """What is looked at of the white."""
    rim: tuple[float, float] = (0.97, 1.12)
    """Where the iris ends in the white."""
    lid_margin: float = ranged(0.15, 0.0)
    """Left out inside the edges of the lids, which cast shadows and lashes."""
    least_shown: float = ranged(0.18, 0.0, 1.0)
    """Share of the ring that the photo must show."""
    darker_share: float = ranged(0.25, 0.0, 1.0)
    """Share of the ring, by lightness, that is taken: a window fills up to half of an iris, and
    the lids hide most of the other half."""
    clipped: float = 0.97
    """Linear light of the brightest channel from which on a colour is cut off."""


# The natural logarithm of the deepest shade that is believed: in eyes that are nearly shut lashes
# stand for the white.
_DEEPEST_SHADE = -1.0


@dataclass(frozen=True)
class _Eye:
    """An eye among MediaPipe's 478 points."""

    region: str
    iris: slice
    """Its centre and four points of its rim."""
    upper: tuple[int, ...]
    """The edge of the upper lid, from corner to corner."""
    lower: tuple[int, ...]


_EYES = tuple(
    _Eye(region, iris, upper, lower)
    for region, (upper, lower, iris) in zip(("eye_right", "eye_left"), EYES, strict=True)
)


def iris_change(
    model: MorphableModel,
    view: PhotoView,
    points_px: Float[Tensor, "478 2"],
    points_cam_mm: Float[Tensor, "vertices 3"],
    expected_linear: Float[Tensor, "vertices 3"],
    settings: IrisSettings,
) -> Float[Tensor, "vertices 3"]:
    """What the irises' colour is to be multiplied with, as a natural logarithm; elsewhere 0.

    All is 0 where neither iris is open and large enough in the photo.

    Args:
        model: the one that was fitted.
        view: the photo around the face.
        points_px: where MediaPipe's points were found, in the `photo` frame.
        points_cam_mm: the fitted surface.
        expected_linear: the photo's colours by fitted albedo and light.
        settings: what is looked at.
    """
    change = torch.zeros_like(points_cam_mm)
    known = model.landmarks.get("mediapipe478")
    if known is None or any(eye.region not in model.regions for eye in _EYES):
        return change
    rest_mm = model.shape_mm(model.zeros())
    marks_mm = known.locate(rest_mm, model.surface.triangles)
    marks_cam_mm = known.locate(points_cam_mm, model.surface.triangles)
    irises, ratios, whites = [], [], []
    for eye in _EYES:
        rows, radius = _radii(model, rest_mm, marks_mm, eye)
        irises.append((rows, 1 - ramp(radius, settings.rim)))
        for (inner, outer), least, found in (
            (settings.ring, settings.least_shown, ratios),
            (settings.white, 0.0, whites),
        ):
            ring = rows[(radius > inner) & (radius < outer)]
            cam_mm = points_cam_mm[ring]
            at_px, shown = _ring_in_photo(eye, view, points_px, cam_mm, marks_cam_mm, settings)
            seen = view.at(view.image_linear, at_px)
            shown &= seen.amax(1) < settings.clipped
            if shown.float().mean() > least:
                ratio = (
                    seen.clamp_min(BLACK_LINEAR) / expected_linear[ring].clamp_min(BLACK_LINEAR)
                ).log()
                found.append(ratio[shown])
    if not ratios:
        return change
    # People's eyes are alike: what one shows is the other's colour too.
    colour = _darker_part(torch.cat(ratios), settings.darker_share).median(0).values - _shade(
        whites
    )
    for rows, weight in irises:
        change[rows] = weight[:, None] * colour
    return change


def iris_weight(model: MorphableModel, settings: IrisSettings) -> Float[Tensor, "vertices"]:
    """1 on irises and pupils, fading out over their rims; 0 where a model knows none.

    Args:
        model: the one that was fitted.
        settings: where the iris ends.
    """
    weight = torch.zeros_like(model.regions["face"])
    known = model.landmarks.get("mediapipe478")
    if known is None or any(eye.region not in model.regions for eye in _EYES):
        return weight
    rest_mm = model.shape_mm(model.zeros())
    marks_mm = known.locate(rest_mm, model.surface.triangles)
    for eye in _EYES:
        rows, radius = _radii(model, rest_mm, marks_mm, eye)
        weight[rows] = 1 - ramp(radius, settings.rim)
    return weight


def _radii(
    model: MorphableModel,
    rest_mm: Float[Tensor, "vertices 3"],
    marks_mm: Float[Tensor, "478 3"],
    eye: _Eye,
) -> tuple[Tensor, Float[Tensor, "rows"]]:
    """The vertices of an eyeball, and how far they are from the iris' centre in its radii."""
    rows = torch.nonzero(model.regions[eye.region] > 0.5)[:, 0]
    centre_mm, radius_mm = _circle(marks_mm[eye.iris])
    return rows, (rest_mm[rows] - centre_mm).norm(dim=1) / radius_mm


def _ring_in_photo(
    eye: _Eye,
    view: PhotoView,
    points_px: Float[Tensor, "478 2"],
    ring_cam_mm: Float[Tensor, "ring 3"],
    marks_cam_mm: Float[Tensor, "478 3"],
    settings: IrisSettings,
) -> tuple[Float[Tensor, "ring 2"], Bool[Tensor, "ring"]]:
    """Where the view shows points of an iris, and which of them it does show."""
    found_px = view.T_view_photo @ points_px.to(ring_cam_mm)
    centre_px, radius_px = _circle(found_px[eye.iris])
    drawn_centre_px, drawn_radius_px = _circle(view.camera.project(marks_cam_mm[eye.iris]))
    # The fitted gaze is a little off: the ring is laid onto the iris that was found.
    offset_px = view.camera.project(ring_cam_mm) - drawn_centre_px
    at_px = centre_px + offset_px * radius_px / drawn_radius_px
    # The nose hides the far eye of a head that is turned away, and the detector makes one up.
    shown = view.in_front(ring_cam_mm) > 0
    shown &= _between_lids(found_px, eye, at_px, settings.lid_margin * radius_px)
    shown &= 2 * _circle(points_px[eye.iris])[1].to(shown.device) >= settings.least_diameter_px
    return at_px, shown


def _circle(
    points: Float[Tensor, "5 c"],
) -> tuple[Float[Tensor, "c"], Float[Tensor, ""]]:
    """Centre and radius of an iris, of a centre and four points of the rim."""
    return points[0], (points[1:] - points[0]).norm(dim=1).mean()


def _between_lids(
    found_px: Float[Tensor, "478 2"],
    eye: _Eye,
    at_px: Float[Tensor, "n 2"],
    margin_px: Float[Tensor, ""],
) -> Bool[Tensor, "n"]:
    """Which places lie inside the open eye, away from its edges."""
    upper, lower = found_px[list(eye.upper)], found_px[list(eye.lower)].flip(0)
    return right_of(upper, at_px, margin_px) & right_of(lower, at_px, margin_px)


def _darker_part(log_ratios: Float[Tensor, "n 3"], share: float) -> Float[Tensor, "m 3"]:
    """What mirrors no window: the cornea adds light to dark irises that may outshine them."""
    lightness = log_ratios.mean(1)
    return log_ratios[lightness <= lightness.quantile(share)]


def _shade(whites: list[Float[Tensor, "_ 3"]]) -> Float[Tensor, ""] | float:
    """The shadow of brows and lids, which the fitted light knows nothing of, as a logarithm.

    Whites are alike among people. What lids and lashes darken is their darker half.
    """
    if not whites:
        return 0.0
    lightness = torch.cat(whites).mean(1)
    return lightness[lightness >= lightness.median()].median().clamp(_DEEPEST_SHADE, 0)
