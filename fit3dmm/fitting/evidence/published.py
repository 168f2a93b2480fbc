"""Losses of Deng et al. 2019 in their published form, for presets that do as they did."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.colour import linear_to_srgb
from fit3dmm.energy import model_points
from fit3dmm.energy.published import (
    as_one_residual,
    landmark_square_term,
    mean_colour_distance,
    white_light_term,
)
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.fitting.picture import draw_vertex_colours, face_shown
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS
from fit3dmm.observe.ibug import ibug68_of_mediapipe
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import IRRADIANCE

POINT_SET = "ibug68"
REFERENCE_SIZE_PX = 224
# The lower ridge and tip of the nose, and the inner lips.
_EMPHASISED = (28, 29, 30, *range(60, 68))


@dataclass(frozen=True)
class Pixels(Evidence):
    """Distance of the colours of each pixel, sRGB, on the average of what looks like skin (equation
    2)."""

    slow: ClassVar[bool] = True
    sigma_srgb: float = 1 / 1.92
    """Mean distance of sRGB colours that costs 1: the inverse of the published weight 1.92."""
    sure_from: float = ranged(1.0, 0.0, 1.0)
    """Probability of skin from which a pixel counts in full: 0.5 in the paper, 1 in its code, where
    each pixel counts by its probability."""

    def term(self, context: Context) -> Term:
        """What counts is the photo's skin where the model's face is drawn at the time."""
        observation = context.observation
        photo_srgb = linear_to_srgb(observation.image_linear)
        skin = torch.where(observation.skin > self.sure_from, 1.0, observation.skin)

        def term(values: Values) -> Residuals:
            drawn, fragments = draw_vertex_colours(context, values)
            shown = face_shown(context, fragments).detach()
            distance = mean_colour_distance(linear_to_srgb(drawn), photo_srgb, skin * shown)
            return as_one_residual(distance / self.sigma_srgb)

        return term


@dataclass(frozen=True)
class Landmarks68(Evidence):
    """Squared distances of 68 points in a crop of 224 px, nose and inner lips twenty times
    (equation 3)."""

    source: str = MEDIAPIPE
    """A detector that sees MediaPipe's points, of which the 68 are made."""
    sigma_px: float = (2 * 1.6e-3) ** -0.5
    """Root of the weighted mean square that is as likely as one sigma, in px of a crop of 224: by
    the published weight 1.6e-3."""
    emphasis: float = 20.0
    """Weight of the lower nose and of the inner lips; that of other points is 1."""

    def term(self, context: Context) -> Term | None:
        """None where the detector saw no such points or the model has none."""
        detection = context.observation.detections.get(self.source)
        model = context.prepared.model
        if detection is None or detection.point_set != MEDIAPIPE_POINTS:
            return None
        if POINT_SET not in model.landmarks:
            return None
        T_crop_photo = context.observation.T_crop_photo.to(dtype=model.mean_mm.dtype)
        seen_px = ibug68_of_mediapipe(detection.points_px.to(model.mean_mm))
        return landmark_square_term(
            model_points(model, model.landmarks[POINT_SET]),
            T_crop_photo @ seen_px,
            self.weights(seen_px),
            T_crop_photo,
            context.intrinsics,
            self.sigma_px * context.observation.size_px / REFERENCE_SIZE_PX,
        )

    def weights(self, like: Tensor) -> Float[Tensor, "68"]:
        """Of each point."""
        weight = like.new_ones(68)
        weight[list(_EMPHASISED)] = self.emphasis
        return weight


@dataclass(frozen=True)
class WhiteLight(Evidence):
    """Light has nearly one colour: the published code's penalty on coloured light."""

    about: ClassVar[tuple[str, ...]] = (IRRADIANCE,)
    unit: ClassVar[str] = "of a harmonic"

    sigma: float = (2 * 10.0) ** -0.5
    """Root mean square of what the light's harmonics differ between colours, by the published
    weight 10."""

    def term(self, context: Context) -> Term:
        """The same for all photos."""
        return white_light_term(self.sigma)
