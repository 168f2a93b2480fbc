"""Where lips and lids of the photo lie, beside where the fitted ones do.

A fit leaves lips a millimetre or two off: texels would take the skin beside them, and the texture
had two outlines. So what the photo shows is looked up where the detector saw it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings
from fit3dmm.export.view import PhotoView
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS

# MediaPipe's points of the lips' outer and inner edges, of the lids' edges and of the brows.
LIPS = (
    61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146,
    78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 324, 318, 402, 317, 14, 87, 178, 88, 95,
)  # fmt: skip
LIDS = (
    33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7,
    263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249,
)  # fmt: skip
BROWS = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
_POINTS = (*LIPS, *LIDS, *BROWS)


@dataclass(frozen=True)
class AlignmentSettings(Settings):
    """How far what was seen may lie off: judgements, not measurements."""

    reach_mm: float = 5.0
    """Distance on the face over which an offset fades."""
    most_mm: float = 4.0
    """What is farther off is a detector's mistake, and counts as this."""
    calm: float = 0.5
    """How many points' worth of no offset each place has: where one point alone is near, half of
    what it says is taken, and far from all of them nothing."""


def offsets_px(
    model: MorphableModel,
    view: PhotoView,
    found_px: Float[Tensor, "478 2"],
    points_cam_mm: Float[Tensor, "vertices 3"],
    settings: AlignmentSettings,
) -> Float[Tensor, "vertices 2"]:
    """From where each vertex is fitted to where it is seen, in pixels of the view.

    Args:
        model: the one that was fitted.
        view: the photo around the face.
        found_px: where MediaPipe's points were found, in the `photo` frame.
        points_cam_mm: the fitted surface.
        settings: how far they may lie off.
    """
    known = model.landmarks.get(MEDIAPIPE_POINTS)
    offsets = points_cam_mm.new_zeros(len(points_cam_mm), 2)
    if known is None:
        return offsets
    rows = torch.tensor(_POINTS, device=offsets.device)
    marks_cam_mm = known.locate(points_cam_mm, model.surface.triangles)[rows]
    shift_px = view.T_view_photo @ found_px.to(offsets)[rows] - view.camera.project(marks_cam_mm)
    px_per_mm = view.camera.focal_px / -marks_cam_mm[:, 2]
    length_mm = shift_px.norm(dim=1) / px_per_mm
    shift_px = shift_px * (settings.most_mm / length_mm.clamp_min(settings.most_mm))[:, None]
    # The nose hides the far side of a head that is turned, and the detector makes it up.
    shown = view.in_front(marks_cam_mm)
    (near,) = torch.nonzero(model.regions["face"] > 0.05, as_tuple=True)
    away_mm = torch.cdist(points_cam_mm[near], marks_cam_mm)
    weight = torch.exp(-0.5 * (away_mm / settings.reach_mm).square()) * shown
    offsets[near] = weight @ shift_px / (weight.sum(1, keepdim=True) + settings.calm)
    return offsets
