"""Judging a fit by what is known without the truth."""

import math

import torch

from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence import Landmarks
from fit3dmm.fitting.result import Quality
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.solve.problem import Evaluation, Reason
from fit3dmm.unknowns import IDENTITY, ROTATION

# Portraits have 0.35 to 0.65; of generated photos all whose landmarks came out more than 4 % wrong,
# and few others, were above.
_DOUBTFUL_LANDMARKS_MM, _FAILED_LANDMARKS_MM = 0.75, 4.0
_DOUBTFUL_COLOUR = 0.35
_DOUBTFUL_EXPLAINED = 0.5
_DOUBTFUL_TURN_DEG = 60.0
_SMALL_FACE_PX = 48.0
_STRANGE_FACE_SIGMAS = 1.8


def judge(context: Context, config: FitConfig, at: Evaluation, reason: Reason) -> Quality:
    """Look at where the last stage ended.

    Args:
        context: of the last stage.
        config: its settings.
        at: its terms there.
        reason: why it stopped.
    """
    observation, values = context.observation, context.values
    landmark_mm = _landmark_error_mm(context, config)
    colour, explained = None, None
    if "photometric" in at.terms:
        colour, explained = config.photometric.explained(context)
    seen = context.surface.at(context.prepared.samples.places)
    visible_share = float((seen.in_front & seen.inside & (seen.facing > 0)).float().mean())
    low, high = observation.all_points_px.amin(0), observation.all_points_px.amax(0)
    face_px = float((high - low).max())
    # A head that leans to its shoulder shows as much of itself as an upright one, so only the angle
    # out of the picture's plane counts: that between the head's and the camera's axes.
    facing = rotation_matrix(values[ROTATION])[..., 2, 2].clamp(-1, 1)
    turn_deg = math.degrees(math.acos(float(facing)))
    identity = values[IDENTITY]
    strange = float(identity.square().mean().sqrt()) if identity.numel() else 0.0

    remarks = []
    if landmark_mm > _DOUBTFUL_LANDMARKS_MM:
        remarks.append(
            f"The detector's points lie {landmark_mm:.1f} mm off what a face explains: "
            "is part of it hidden?"
        )
    if colour is not None and colour > _DOUBTFUL_COLOUR:
        remarks.append(
            "The colours differ much from the photo's: strong shadows or a false colour?"
        )
    if explained is not None and explained < _DOUBTFUL_EXPLAINED:
        remarks.append(
            f"Only {100 * explained:.0f} % of the seen face looks like one: is something before it?"
        )
    if turn_deg > _DOUBTFUL_TURN_DEG:
        remarks.append(f"The head is turned by {turn_deg:.0f} degrees: half the face is a guess.")
    if face_px < _SMALL_FACE_PX:
        remarks.append(f"The face is {face_px:.0f} px large: little of its shape can be seen.")
    if strange > _STRANGE_FACE_SIGMAS:
        remarks.append(f"The shape is unusual ({strange:.1f} sigmas).")
    failed = (
        reason is Reason.NOT_FINITE
        or not math.isfinite(landmark_mm)
        or landmark_mm > _FAILED_LANDMARKS_MM
    )
    if failed:
        remarks.append("The fit did not reach the photo.")
    verdict = "failed" if failed else "doubtful" if remarks else "good"
    return Quality(verdict, tuple(remarks), landmark_mm, colour, visible_share, face_px, explained)


def _landmark_error_mm(context: Context, config: FitConfig) -> float:
    """Of all points of all detectors."""
    detectors = [one for one in config.evidence().values() if isinstance(one, Landmarks)]
    off_px = [one.unexplained_px(context) for one in detectors if one.applies(context)]
    if not off_px:
        return math.nan
    return float(torch.cat(off_px).square().sum(-1).mean().sqrt()) / context.px_per_mm
