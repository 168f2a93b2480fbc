"""How large the irises are in the photo, which tells how far away a face is."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.energy.landmarks import iris_sigma_mm, iris_term
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import ROTATION

_CENTRES = (468, 473)
_RIMS = ((469, 471), (470, 472), (474, 476), (475, 477))


@dataclass(frozen=True)
class Iris(Evidence):
    """The diameter of the irises, which is nearly the same for all adults."""

    source: str = MEDIAPIPE
    """A detector that sees MediaPipe's points."""
    noise_mm: float = ranged(0.6, 0.0)
    """Error of the detector's iris diameter, at the eye."""

    def term(self, context: Context) -> Term | None:
        """None where the detector saw no such points."""
        detection = context.observation.detections.get(self.source)
        if detection is None or detection.point_set != MEDIAPIPE_POINTS:
            return None
        rotation = rotation_matrix(context.values[ROTATION])
        return iris_term(
            context.prepared.points[MEDIAPIPE_POINTS].select(torch.tensor(_CENTRES)),
            _diameter_px(detection.points_px.to(rotation), rotation),
            iris_sigma_mm(self.noise_mm),
            context.intrinsics,
        )


def _diameter_px(points_px: Float[Tensor, "478 2"], rotation: Float[Tensor, "3 3"]) -> Tensor:
    """Mean diameter in the photo, with the foreshortening by the head's turn undone."""
    diameters = []
    for a, b in _RIMS:
        direction = points_px[b] - points_px[a]
        length = direction.norm().clamp_min(1e-6)
        # The rim lies about in the face's frontal plane; a turn shortens what lies along it.
        slope = (rotation[:2, 2] * direction.new_tensor([1.0, -1.0]) @ direction) / length
        diameters.append(length / (1 - slope**2).clamp_min(0.25).sqrt())
    return torch.stack(diameters).mean()
