"""Where the face ends in the photo."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.contour import contour_term, find_edges
from fit3dmm.energy.image import SmoothImage
from fit3dmm.energy.points import Points, project
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.fitting.prepared import CONTOUR_LINES
from fit3dmm.observe.blur import blurred
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.face import FACE_OVAL
from fit3dmm.solve.problem import Term

# Facing below which a point may be the edge of the head.
_EDGE_FACING = 0.5
# The contour from ear to ear below, in the order of FACE_OVAL: above the ears it is hair that ends.
_LOWER = slice(9, 28)
_BLUR_PX = 1.0
_REACH_MM, _SPREAD_MM = 12.0, 5.0
# Colours that differ by this share of their mean make an edge beyond doubt.
_CLEAR_CONTRAST = 0.3
# Where a surface ends for the eye: its last points that are seen well enough to be called its edge.
_LAST_FACING = 0.1


@dataclass(frozen=True)
class Contour(Evidence):
    """Edges of the photo along the lower contour of the face."""

    sigma_mm: float = 2.0
    """Distance of the contour from the photo's edge."""

    def term(self, context: Context) -> Term:
        """The edges are searched at the context's values."""
        observation = context.observation
        points, normal_cam, facing = _points(context)
        at = project(points, context.values, context.intrinsics)
        across = _in_picture(normal_cam)
        image = SmoothImage(blurred(observation.image_linear.to(at.px), _BLUR_PX))
        crop_px_per_mm = context.px_per_mm * float(observation.T_crop_photo.scale)
        start_px = observation.T_crop_photo @ at.px
        reach_px, spread_px = _REACH_MM * crop_px_per_mm, _SPREAD_MM * crop_px_per_mm
        distance_px, contrast = find_edges(image, start_px, across, reach_px, spread_px)
        edge_px = at.px + across * (distance_px / observation.T_crop_photo.scale)[:, None]
        clear = (contrast / _CLEAR_CONTRAST).clamp(max=1)
        on_edge = (1 - facing.abs() / _EDGE_FACING).clamp(0, 1)
        sigma_px = torch.full_like(clear, self.sigma_mm * context.px_per_mm)
        return contour_term(points, edge_px, across, clear * on_edge, sigma_px, context.intrinsics)


def _points(context: Context) -> tuple[Points, Float[Tensor, "points 3"], Float[Tensor, "points"]]:
    """Points of the lower contour, their normals (`cam`) and facing.

    Those that are turned away give way to the point of their line where the surface ends for the
    eye.
    """
    model, contour = context.prepared.model, context.prepared.contour
    seen = context.surface.at(model.landmarks[MEDIAPIPE_POINTS])
    rows = torch.tensor(FACE_OVAL, device=seen.facing.device)[_LOWER]
    line = torch.arange(len(FACE_OVAL), device=rows.device)[_LOWER]
    facing, normal = seen.facing[rows], seen.normal_cam[rows]
    if CONTOUR_LINES not in model.contours:
        return contour.select(line), normal, facing
    lines = context.surface.at(model.contours[CONTOUR_LINES].flat())
    facings = lines.facing.unflatten(0, (len(FACE_OVAL), -1))
    at = line * facings.shape[1] + (facings[line] - _LAST_FACING).abs().argmin(1)
    turned_away = facing < _LAST_FACING
    # The points of the contour come first, the candidates of all lines behind them.
    chosen = torch.where(turned_away, len(FACE_OVAL) + at, line)
    normal = torch.where(turned_away[:, None], lines.normal_cam[at], normal)
    return contour.select(chosen), normal, torch.where(turned_away, lines.facing[at], facing)


def _in_picture(normal_cam: Float[Tensor, "points 3"]) -> Float[Tensor, "points 2"]:
    """Direction of normals in the picture, where y is down."""
    flipped = normal_cam[..., :2] * normal_cam.new_tensor([1.0, -1.0])
    return torch.nn.functional.normalize(flipped, dim=-1)
