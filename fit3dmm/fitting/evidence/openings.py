"""How far eyes and mouth are open."""

from dataclasses import dataclass

import torch

from fit3dmm.energy.landmarks import opening_term
from fit3dmm.energy.robust import charbonnier
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.solve.problem import Term

# Points that the head itself hides are the detector's guess.
_HIDDEN_FACTOR = 3.0
# Upper and lower lids, and the inner edges of the lips.
_PAIRS = (
    (161, 163), (160, 144), (159, 145), (158, 153), (157, 154),
    (388, 390), (387, 373), (386, 374), (385, 380), (384, 381),
    (80, 88), (81, 178), (82, 87), (13, 14), (312, 317), (311, 402), (310, 318),
)  # fmt: skip


@dataclass(frozen=True)
class Openings(Evidence):
    """Vectors across eyes and mouth."""

    source: str = MEDIAPIPE
    """A detector that sees MediaPipe's points."""
    sigma_mm: float = 1.0
    """Error of the vector between two points across the eye or the mouth."""
    robust_scale: float = 1.5
    """Sigmas beyond which a vector counts as badly detected and pulls no harder."""

    def term(self, context: Context) -> Term | None:
        """None where the detector saw no such points."""
        detection = context.observation.detections.get(self.source)
        if detection is None or detection.point_set != MEDIAPIPE_POINTS:
            return None
        points = context.prepared.points[MEDIAPIPE_POINTS]
        upper, lower = torch.tensor(_PAIRS).unbind(-1)
        seen = context.surface.at(context.prepared.model.landmarks[MEDIAPIPE_POINTS])
        hidden = (seen.facing < 0) | ~seen.in_front
        sigma_px = self.sigma_mm * context.px_per_mm * torch.ones(len(upper))
        sigma_px = torch.where(hidden[upper] | hidden[lower], _HIDDEN_FACTOR * sigma_px, sigma_px)
        like = context.prepared.model.mean_mm
        return opening_term(
            points.select(upper),
            points.select(lower),
            (detection.points_px[upper] - detection.points_px[lower]).to(like),
            sigma_px.to(like),
            context.intrinsics,
            charbonnier(self.robust_scale),
        )
