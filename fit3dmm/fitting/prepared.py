"""What a fit needs of a model, worked out once for all photos."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.points import ModelPoints, model_points
from fit3dmm.energy.skin_points import SkinPoints, skin_points
from fit3dmm.fitting.landmark_noise import landmark_sigmas_mm
from fit3dmm.model.morphable import MorphableModel

DETECTOR_POINTS = "mediapipe478"
DETECTOR_OUTLINE = "oval36"


@dataclass(frozen=True)
class PreparedModel(TensorRecord):
    """A model with the points at which it meets photos."""

    model: MorphableModel
    landmarks: ModelPoints
    """The detector's 478 points."""
    outline: ModelPoints | None
    """Candidates on the lines along which the points of the detector's outline slide, line by line;
    None where the model has no such lines."""
    landmark_sigma_mm: Float[Tensor, "478"]
    """Noise of each point, on the face."""
    skin: SkinPoints


def prepare(model: MorphableModel, n_skin_points: int = 2000) -> PreparedModel:
    """Takes some tenths of a second and 50 MB.

    Raises:
        InputError: the model lacks the detector's points or the face region.
    """
    if DETECTOR_POINTS not in model.landmarks or "face" not in model.regions:
        raise InputError(
            f"The model {model.info.name} has no {DETECTOR_POINTS} landmarks or no face region, "
            "without which it can't be fitted: convert it again with `fit3dmm model convert`."
        )
    landmarks = model_points(model, model.landmarks[DETECTOR_POINTS])
    lines = model.contours.get(DETECTOR_OUTLINE)
    return PreparedModel(
        model,
        landmarks,
        None if lines is None else model_points(model, lines),
        landmark_sigmas_mm().to(model.mean_mm),
        skin_points(model, n_skin_points),
    )
