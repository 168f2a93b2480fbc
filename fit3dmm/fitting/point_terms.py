"""Terms of a stage that compare points: landmarks, outline, silhouette and irises."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.detected import PointErrors, detected_term
from fit3dmm.energy.image import SmoothImage, blurred
from fit3dmm.energy.landmarks import gap_term, iris_sigma_mm, iris_term
from fit3dmm.energy.points import ModelPoints, project
from fit3dmm.energy.robust import charbonnier
from fit3dmm.energy.silhouette import find_edges, silhouette_term
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.prepared import DETECTOR_OUTLINE, DETECTOR_POINTS
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.face import FACE_OVAL
from fit3dmm.observe.observation import MEDIAPIPE, Observation
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import modes_of

# Facing below which a point may be the edge of the head.
_OUTLINE_FACING = 0.5
# The outline from ear to ear below, in the order of FACE_OVAL.
_LOWER_OVAL = FACE_OVAL[9:28]
_EDGE_BLUR_PX = 1.0
_EDGE_REACH_MM, _EDGE_SPREAD_MM = 12.0, 5.0
# Colours that differ by this share of their mean make an edge beyond doubt.
_CLEAR_CONTRAST = 0.3
# Where a surface ends for the eye: its last points that are seen well enough to be called its edge.
_LIMB_FACING = 0.1
# Points that the head itself hides are the detector's guess.
_HIDDEN_FACTOR = 3.0
# Upper and lower lids, and the inner edges of the lips.
_GAPS = (
    (161, 163), (160, 144), (159, 145), (158, 153), (157, 154),
    (388, 390), (387, 373), (386, 374), (385, 380), (384, 381),
    (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318),
)  # fmt: skip
_IRIS_CENTRES = (468, 473)
_IRIS_RIMS = ((469, 471), (470, 472), (474, 476), (475, 477))


def build_landmarks(context: Context) -> Term:
    errors, points = detector_errors_here(context), context.prepared.detected.points
    return detected_term(
        points,
        context.observation.points_px[: len(points)].to(errors.sigma_px),
        errors,
        modes_of(MEDIAPIPE),
        context.intrinsics,
        charbonnier(context.config.landmark_turn),
    )


def detector_errors_here(context: Context) -> PointErrors:
    """How the detector errs at the context's pose."""
    config = context.config
    return context.prepared.detected.at_view(
        rotation_matrix(context.values["rotation_rad"]),
        context.px_per_mm,
        config.detector_scale,
        config.landmark_scale,
        config.landmark_floor_mm,
    )


def build_gaps(context: Context) -> Term:
    """How far eyes and mouth are open."""
    upper, lower = torch.tensor(_GAPS).unbind(1)
    seen = context.surface.at(context.prepared.model.landmarks[DETECTOR_POINTS])
    hidden = (seen.facing < 0) | ~seen.in_front
    sigma_px = context.config.gap_sigma_mm * context.px_per_mm * torch.ones(len(upper))
    sigma_px = torch.where(hidden[upper] | hidden[lower], _HIDDEN_FACTOR * sigma_px, sigma_px)
    landmarks, observed_px = context.prepared.landmarks, context.observation.points_px
    return gap_term(
        landmarks.select(upper),
        landmarks.select(lower),
        (observed_px[upper] - observed_px[lower]).to(landmarks.mean_mm),
        sigma_px.to(landmarks.mean_mm),
        context.intrinsics,
        charbonnier(context.config.landmark_turn),
    )


def _outline_points(context: Context, rows: Tensor) -> tuple[ModelPoints, Tensor, Tensor]:
    """Points, normals (`cam`) and facing of some points of the detector's outline.

    Those that are turned away give way to the point of their line where the surface ends for the
    eye.
    """
    prepared = context.prepared
    seen = context.surface.at(prepared.model.landmarks[DETECTOR_POINTS])
    points = prepared.landmarks.select(rows)
    facing, normal = seen.facing[rows], seen.normal_cam[rows]
    if prepared.outline is None:
        return points, normal, facing
    lines = context.surface.at(prepared.model.contours[DETECTOR_OUTLINE].flat())
    line = facing.new_tensor([FACE_OVAL.index(row) for row in rows.tolist()]).long()
    facings = lines.facing.view(len(FACE_OVAL), -1)
    at = line * facings.shape[1] + (facings[line] - _LIMB_FACING).abs().argmin(1)
    turned_away = (facing < _LIMB_FACING)[:, None]
    chosen = prepared.outline.select(at)
    points = points.replace(
        mean_mm=torch.where(turned_away, chosen.mean_mm, points.mean_mm),
        basis_mm=torch.where(turned_away[..., None], chosen.basis_mm, points.basis_mm),
    )
    normal = torch.where(turned_away, lines.normal_cam[at], normal)
    return points, normal, torch.where(turned_away[:, 0], lines.facing[at], facing)


def _in_picture(normal_cam: Float[Tensor, "points 3"]) -> Float[Tensor, "points 2"]:
    """Direction of normals in the picture, where y is down."""
    return torch.nn.functional.normalize(
        normal_cam[:, :2] * normal_cam.new_tensor([1.0, -1.0]), dim=1
    )


def build_silhouette(context: Context) -> Term | None:
    """Edges of the photo along the lower outline: above the ears it is hair that ends there."""
    config, observation = context.config, context.observation
    rows = torch.tensor(_LOWER_OVAL)
    points, normal, facing = _outline_points(context, rows)
    at = project(points, context.values, context.intrinsics)
    across = _in_picture(normal)
    image = SmoothImage(blurred(observation.image_linear.to(at.px), _EDGE_BLUR_PX))
    crop_px_per_mm = context.px_per_mm * float(observation.T_crop_photo.scale)
    start_px = observation.T_crop_photo @ at.px
    reach_px, spread_px = (mm * crop_px_per_mm for mm in (_EDGE_REACH_MM, _EDGE_SPREAD_MM))
    distance_px, contrast = find_edges(image, start_px, across, reach_px, spread_px)
    edge_px = at.px + across * (distance_px / observation.T_crop_photo.scale)[:, None]
    clear = (contrast / _CLEAR_CONTRAST).clamp(max=1)
    limb = (1 - facing.abs() / _OUTLINE_FACING).clamp(0, 1)
    sigma_px = torch.full_like(clear, config.silhouette_sigma_mm * context.px_per_mm)
    return silhouette_term(points, edge_px, across, clear * limb, sigma_px, context.intrinsics)


def iris_diameter_px(observation: Observation, rotation: Float[Tensor, "3 3"]) -> Tensor:
    """Mean diameter in the photo, with the foreshortening by the head's turn undone."""
    points = observation.points_px.to(rotation)
    diameters = []
    for a, b in _IRIS_RIMS:
        direction = points[b] - points[a]
        length = direction.norm().clamp_min(1e-6)
        # The rim lies about in the face's frontal plane; a turn shortens what lies along it.
        slope = (rotation[:2, 2] * direction.new_tensor([1.0, -1.0]) @ direction) / length
        diameters.append(length / (1 - slope**2).clamp_min(0.25).sqrt())
    return torch.stack(diameters).mean()


def build_iris(context: Context) -> Term:
    rotation = rotation_matrix(context.values["rotation_rad"])
    return iris_term(
        context.prepared.landmarks.select(torch.tensor(_IRIS_CENTRES)),
        iris_diameter_px(context.observation, rotation),
        iris_sigma_mm(context.config.iris_noise_mm),
        context.intrinsics,
    )
