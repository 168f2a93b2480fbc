"""How far people are from what a model can be, place by place on the face."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.ibug import IBUG68_EYES, ibug68_of_mediapipe


@dataclass(frozen=True)
class Misfit:
    """Standard deviation along each axis of how far a person lies from the best that a model can
    do.

    Chosen on generated photos of the half for choosing, by the variance of errors there that the
    unknowns' covariance does not tell. A fit lays the model's features on those that it sees: most
    closely the lids, least what lies farthest from any, such as the forehead.
    """

    at_features_mm: float = 1.0
    """On nose, mouth, brows and contour."""
    eyes_mm: float = 10.0
    """How far around the lids it is less: to nothing on them, as a bell of this width."""
    by_distance: float = 0.05
    """What comes to it per mm of distance from the nearest feature; the two are independent."""
    across_by_distance: float = 0.03
    """The same across the picture, where outlines and colours are seen: less than along the depth,
    which nothing shows."""

    def at(
        self,
        eyes_mm: Float[Tensor, "points"],
        features_mm: Float[Tensor, "points"],
    ) -> Float[Tensor, "points"]:
        """In mm.

        Args:
            eyes_mm: distances from the nearest point of the lids.
            features_mm: distances from the nearest feature.
        """
        away = 1 - torch.exp(-((eyes_mm / self.eyes_mm) ** 2))
        variance = self.at_features_mm**2 * away + (self.by_distance * features_mm) ** 2
        return variance.sqrt()

    def across(self) -> "Misfit":
        """The same for places in the picture."""
        return replace(self, by_distance=self.across_by_distance)


def misfit_mm(
    model: MorphableModel, points_mm: Float[Tensor, "points 3"], misfit: Misfit | None = None
) -> Float[Tensor, "points"]:
    """Of places on the mean face.

    Args:
        model: whose features are meant: the 68 points of iBUG's scheme.
        points_mm: places on its mean face, in `model`.
        misfit: how it depends on the place; the default one if left out.
    """
    seen_mm = model.landmarks_mm(MEDIAPIPE_POINTS, model.zeros())
    features_mm = ibug68_of_mediapipe(seen_mm)
    apart_mm = (points_mm[:, None] - features_mm).norm(dim=-1)
    return (misfit or Misfit()).at(apart_mm[:, IBUG68_EYES].amin(1), apart_mm.amin(1))
