"""What the recognition network says of who is in several photos."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.fitting.evidence.perceptual import embedding_of
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.observation import Observation
from fit3dmm.recognise.chip import FIVE_OF_MEDIAPIPE, chip_from_points


@dataclass(frozen=True)
class Recognition(Settings):
    """How distances of embeddings become odds.

    Two normal distributions of one width have logarithmic odds that are linear in the distance. On
    six people of the validation half, five photos each, pairs of one person were 0.41 +- 0.08
    apart, and of two 0.70 +- 0.07; of a photo's mean distance from four others the spreads were
    0.06. Photos of real people are some hundredths farther (dlib takes 0.6 for the limit).
    """

    half_way: float = 0.555
    """Distance that says nothing."""
    log_odds_per_unit: float = ranged(90.0, 0.0)
    """By which the logarithm of the odds falls with the distance."""


def pair_log_odds(
    observations: Sequence[Observation], settings: Recognition
) -> Float[Tensor, "photos photos"]:
    """For each pair of photos the natural logarithm of how much more likely they are of one person
    than of two; 0 where a photo has no points that put it before the network.

    Args:
        observations: one a photo.
        settings: of the odds.
    """
    seen = [_embedding(one) for one in observations]
    said = torch.zeros(len(seen), len(seen))
    for i, one in enumerate(seen):
        for j, other in enumerate(seen):
            if one is not None and other is not None:
                apart = float((one - other).norm())
                said[i, j] = settings.log_odds_per_unit * (settings.half_way - apart)
    return said


def _embedding(observation: Observation) -> Float[Tensor, "128"] | None:
    image = observation.image_linear
    for one in observation.detections.values():
        if one.point_set == MEDIAPIPE_POINTS:
            five_px = observation.T_crop_photo @ one.points_px[list(FIVE_OF_MEDIAPIPE)]
            return embedding_of(image, chip_from_points(five_px.to(image)))
    return None
