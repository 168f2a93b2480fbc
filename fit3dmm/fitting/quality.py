"""Judging a fit by what is known without the truth."""

import math

import torch

from fit3dmm.energy.points import project
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence import Landmarks
from fit3dmm.fitting.hardness import point_doubt
from fit3dmm.fitting.nearer import likeness, mean_face_chance
from fit3dmm.fitting.result import Quality
from fit3dmm.fitting.trust import CAUSES, DOUBTFUL_CHANCE, Signs, failure_chance, main_cause
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.blur import blurred
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.observation import Observation
from fit3dmm.solve.problem import Evaluation
from fit3dmm.solve.solution import Reason
from fit3dmm.unknowns import DETAIL, IDENTITY, ROTATION

# Beyond these a fit is doubtful whatever else speaks for it. Portraits have MediaPipe's landmarks
# 0.45 to 0.9 mm off a fit that follows the network more closely.
_DOUBTFUL_LANDMARKS_MM, _FAILED_LANDMARKS_MM = 1.0, 4.0
# Of generated photos, small, dark, blurred and covered ones among them, the worst had 2.7 mm.
_DOUBTFUL_RAW_MM = 3.5
_DOUBTFUL_COLOUR = 0.35
_DOUBTFUL_EXPLAINED = 0.5
_DOUBTFUL_TURN_DEG = 60.0
_SMALL_FACE_PX = 48.0
_STRANGE_FACE_SIGMAS = 1.8
_LIPS_AND_LIDS = (
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,
)  # fmt: skip
# Of the crop's side: what lies around the face is often out of focus for good reason.
_RIM = 0.25
_BLURS_PX, _REFERENCE_SIZE_PX = (0.5, 1.0, 4.0), 224


def judge(
    context: Context,
    config: FitConfig,
    at: Evaluation,
    reason: Reason,
    distance_log_sigma: float | None = None,
    uncertainty: Uncertainty | None = None,
) -> Quality:
    """Look at where the last stage ended.

    Args:
        context: of the last stage.
        config: its settings.
        at: its terms there.
        reason: why it stopped.
        distance_log_sigma: the fit's own doubt about the distance of the camera.
        uncertainty: of the fit; without it the mean face is not compared.
    """
    seen = context.surface.at(context.prepared.samples.places)
    visible_share = float((seen.in_front & seen.inside & (seen.facing > 0)).float().mean())
    signs = _signs(context, config, at, distance_log_sigma, uncertainty)
    remarks = remarks_on(signs)
    off_mm = signs.landmark_error_mm
    # Every comparison with what is no number is false.
    reached = off_mm is not None and off_mm <= _FAILED_LANDMARKS_MM
    failed = reason is Reason.NOT_FINITE or not reached
    if failed:
        remarks.append("The fit did not reach the photo.")
    verdict = "failed" if failed else "doubtful" if remarks else "good"
    return Quality(
        **vars(signs),
        verdict=verdict,
        remarks=tuple(remarks),
        visible_share=visible_share,
        failure_chance=failure_chance(signs),
    )


def remarks_on(signs: Signs) -> list[str]:
    """What is doubtful about a fit, in sentences; nothing where all is well."""
    remarks = [CAUSES[name].remark(signs) for name in _beyond_doubt(signs)]
    strange = signs.departure or 0.0
    if strange > _STRANGE_FACE_SIGMAS:
        remarks.append(f"The shape is unusual ({strange:.1f} sigmas).")
    if failure_chance(signs) > DOUBTFUL_CHANCE and not remarks:
        remarks.append(main_cause(signs))
    return remarks


def _signs(
    context: Context,
    config: FitConfig,
    at: Evaluation,
    distance_log_sigma: float | None,
    uncertainty: Uncertainty | None,
) -> Signs:
    colour, explained, evidence = None, None, None
    if "photometric" in at.terms:
        colour, explained = config.photometric.explained(context)
        evidence = explained * float(config.photometric.weights(context).sum())
    model, values, seen = context.prepared.model, context.values, context.observation.predicted
    person = values[IDENTITY], values[DETAIL]
    compared, alike = None, None
    if uncertainty is not None:
        compared = mean_face_chance(model, *person, uncertainty)
    if seen is not None:
        alike = likeness(model, person, (seen.identity, seen.detail))
    low, high = context.observation.face_points_px.aminmax(dim=0)
    # A head that leans to its shoulder shows as much of itself as an upright one, so only the angle
    # out of the picture's plane counts: that between the head's and the camera's axes.
    facing = rotation_matrix(context.values[ROTATION])[..., 2, 2].clamp(-1, 1)
    return Signs(
        face_px=float((high - low).max()),
        landmark_error_mm=_landmark_error_mm(context, config),
        raw_error_mm=_raw_error_mm(context),
        photometric_error=colour,
        explained_share=explained,
        colour_evidence=evidence,
        turn_deg=math.degrees(math.acos(float(facing))),
        sharpness=sharpness(context.observation),
        distance_log_sigma=distance_log_sigma,
        departure=_departure(context),
        point_doubt=point_doubt(context.observation),
        mean_face_chance=compared,
        likeness=alike,
        network_looked=seen is not None,
    )


def sharpness(observation: Observation) -> float:
    """Finest contrasts of the picture about the face, over those four times as wide."""
    image = observation.image_linear.mean(-1, keepdim=True)
    image = (image / image.mean().clamp_min(1e-6)).clamp(max=4.0)
    margin = round(_RIM * observation.size_px)
    scale = observation.size_px / _REFERENCE_SIZE_PX
    fine, middle, coarse = (blurred(image, scale * px) for px in _BLURS_PX)
    inner = slice(margin, -margin)
    sharp, soft = (part[inner, inner].std() for part in (fine - middle, middle - coarse))
    return float(sharp / soft.clamp_min(1e-6))


def _beyond_doubt(signs: Signs) -> list[str]:
    """Names of causes that suffice by themselves."""
    found = {
        "points": (signs.landmark_error_mm or 0) > _DOUBTFUL_LANDMARKS_MM,
        "lips and lids": (signs.raw_error_mm or 0) > _DOUBTFUL_RAW_MM,
        "colours": (signs.photometric_error or 0) > _DOUBTFUL_COLOUR,
        "cover": signs.explained_share is not None and signs.explained_share < _DOUBTFUL_EXPLAINED,
        "turn": (signs.turn_deg or 0) > _DOUBTFUL_TURN_DEG,
        "size": signs.face_px < _SMALL_FACE_PX,
    }
    return [name for name, is_so in found.items() if is_so]


def _departure(context: Context) -> float | None:
    identity = context.values[IDENTITY]
    return float(identity.square().mean().sqrt()) if identity.numel() else None


def _landmark_error_mm(context: Context, config: FitConfig) -> float | None:
    """Of all points of all detectors; None where none was asked."""
    detectors = [one for one in config.evidence().values() if isinstance(one, Landmarks)]
    off_px = [one.unexplained_px(context) for one in detectors if one.applies(context)]
    if not off_px:
        return None
    return float(torch.cat(off_px).square().sum(-1).mean().sqrt()) / context.px_per_mm


def _raw_error_mm(context: Context) -> float | None:
    """Of seen lips and lids, from where MediaPipe saw them; None where it did not, or they hide."""
    seen_by = [
        one for one in context.observation.detections.values() if one.point_set == MEDIAPIPE_POINTS
    ]
    surface = context.surface.at(context.prepared.model.landmarks[MEDIAPIPE_POINTS])
    rows = torch.tensor(_LIPS_AND_LIDS, device=surface.facing.device)
    rows = rows[(surface.facing[rows] > 0) & surface.in_front[rows]]
    if not seen_by or not len(rows):
        return None
    points = context.prepared.points[MEDIAPIPE_POINTS].select(rows)
    at = project(points, context.values, context.intrinsics)
    off_px = at.px - seen_by[0].points_px[rows].to(at.px)
    return float(off_px.square().sum(-1).mean().sqrt()) / context.px_per_mm
