"""Where a detector saw points of the face."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.energy.detected import PointErrors, detected_term, expected_px
from fit3dmm.energy.points import project
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import ROTATION, modes_of


@dataclass(frozen=True)
class Landmarks(Evidence):
    """All points of one detector, by what is known of its errors (`energy.detected`)."""

    source: str = MEDIAPIPE
    """The detector."""
    modes_scale: float = 1.8
    """How much more the detector errs, on many points alike, than on the renders that the table of
    its errors was made of: hair, light and glasses are not on them."""
    noise_scale: float = 2.0
    """Multiplies the noise of the points: what is left of it is still alike for neighbours, so that
    468 count as few independent ones."""
    noise_floor_mm: float = ranged(1.5, 0.0)
    """What comes to the noise of each point, because no person's features lie quite where the
    model can put them."""
    robust_scale: float = 1.5
    """Sigmas beyond which a point counts as badly detected and pulls no harder."""

    def term(self, context: Context) -> Term | None:
        """None where the detector was not asked, or nothing is known of its errors."""
        if not self.applies(context):
            return None
        errors = self._errors(context)
        return detected_term(
            context.prepared.detectors[self.source].points,
            self._observed_px(context).to(errors.whitening),
            errors,
            modes_of(self.source),
            context.intrinsics,
            self.loss(context),
        )

    def loss(self, context: Context) -> Loss:
        """Of each point's distance in sigmas."""
        return charbonnier(self.robust_scale)

    def applies(self, context: Context) -> bool:
        """Whether there is anything to say."""
        known = self.source in context.prepared.detectors
        return known and self.source in context.observation.detections

    def unexplained_px(self, context: Context) -> Float[Tensor, "points 2"]:
        """Where the detector should see the points, less where it saw them."""
        at = project(
            context.prepared.detectors[self.source].points, context.values, context.intrinsics
        )
        expected = expected_px(at, context.values, self._errors(context), modes_of(self.source))
        return expected - self._observed_px(context)

    def _observed_px(self, context: Context) -> Float[Tensor, "points 2"]:
        """Of the points whose errors are known, which are the first."""
        n_points = len(context.prepared.detectors[self.source].points)
        return context.observation.detections[self.source].points_px[:n_points]

    def _errors(self, context: Context) -> PointErrors:
        """How the detector errs at the context's pose."""
        return context.prepared.detectors[self.source].at_view(
            rotation_matrix(context.values[ROTATION]),
            context.px_per_mm,
            self.modes_scale,
            self.noise_scale,
            self.noise_floor_mm,
            context.observation.detections[self.source].covariance_px2,
        )
