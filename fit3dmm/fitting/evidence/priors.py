"""What is likely before the photo is seen."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fit3dmm._settings import ranged
from fit3dmm.energy.exposure import colours_of_tone_prior
from fit3dmm.energy.priors import (
    correlated_prior,
    distance_prior,
    light_prior,
    normal_prior,
    standard_normal,
)
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.predicted import Predicted
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import (
    ALBEDO,
    DETAIL,
    DETECTOR_MODES,
    EXPRESSION,
    IDENTITY,
    IRRADIANCE,
    JOINTS,
    LOG_FOCAL,
    TRANSLATION,
    Per,
)

_MODEL_SIGMAS = "of the model's sigmas"

EXPOSURE = "exposure"
"""The evidence that tells tone and light together; see `fitting.evidence.exposure`."""
# A sigma of what nobody knows.
_ANY = 1e3


@dataclass(frozen=True)
class IdentityPrior(Evidence):
    """Identity coefficients are those of people."""

    per: ClassVar[Per] = "person"
    about: ClassVar[tuple[str, ...]] = (IDENTITY,)
    unit: ClassVar[str] = _MODEL_SIGMAS
    sigma: float = 1.0
    """Spread, in the model's own sigmas."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no such coefficients."""
        return _coefficients(context, IDENTITY, self.sigma)


@dataclass(frozen=True)
class DetailPrior(Evidence):
    """Detail coefficients are those of people."""

    per: ClassVar[Per] = "person"
    about: ClassVar[tuple[str, ...]] = (DETAIL,)
    unit: ClassVar[str] = _MODEL_SIGMAS
    sigma: float = 1.5
    """Spread, in the model's own sigmas. With half as much again as Commons says, a real head came
    out 0.03 mm nearer, and generated ones as before."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no such coefficients."""
        return _coefficients(context, DETAIL, self.sigma)


@dataclass(frozen=True)
class AlbedoPrior(Evidence):
    """Albedo coefficients are those of people."""

    per: ClassVar[Per] = "person"
    about: ClassVar[tuple[str, ...]] = (ALBEDO,)
    unit: ClassVar[str] = _MODEL_SIGMAS
    sigma: float = 1.0
    """Spread, in the model's own sigmas."""
    tone_sigma: float = 8.0
    """The same along the direction in which a face's mean luminance changes, in stages where
    `exposure` says what is known of that: a model's sigma there is that of the skins that it was
    made of."""
    by_tone: bool = True
    """Whether all else is spread in proportion to the tone in those stages, as in people who are
    drawn."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no such coefficients."""
        if not context.values[ALBEDO].numel():
            return None
        if EXPOSURE in context.stage.terms and self.by_tone:
            return colours_of_tone_prior(context.prepared.tone, self.sigma, self.tone_sigma)
        along = torch.nn.functional.normalize(context.prepared.tone.slope, dim=0)
        eye = torch.eye(len(along), dtype=along.dtype, device=along.device)
        if EXPOSURE not in context.stage.terms:
            return normal_prior(ALBEDO, 0.0, self.sigma)
        wider = self.tone_sigma**2 - self.sigma**2
        covariance = self.sigma**2 * eye + wider * torch.outer(along, along)
        return correlated_prior(ALBEDO, torch.linalg.cholesky(covariance))


@dataclass(frozen=True)
class ExpressionPrior(Evidence):
    """Expressions are those of people who are photographed."""

    about: ClassVar[tuple[str, ...]] = (EXPRESSION,)
    unit: ClassVar[str] = _MODEL_SIGMAS
    sigma: float = 1.0
    """Spread, in the model's own sigmas."""
    correlated: bool = True
    """Whether activations go together as the model says, or each is by itself."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no such coefficients."""
        model = context.prepared.model
        if not self.correlated:
            return _coefficients(context, EXPRESSION, self.sigma * model.expression_sigma)
        factor = model.expression_covariance_factor
        return correlated_prior(EXPRESSION, self.sigma * factor) if len(factor) else None


@dataclass(frozen=True)
class JointsPrior(Evidence):
    """Jaw, eyes and neck are turned as in people who are photographed."""

    about: ClassVar[tuple[str, ...]] = (JOINTS,)
    unit: ClassVar[str] = _MODEL_SIGMAS
    sigma: float = 1.0
    """Spread, in the model's own sigmas."""

    def term(self, context: Context) -> Term | None:
        """None where a model has no joints."""
        rig = context.prepared.model.rig
        return None if rig is None else normal_prior(JOINTS, 0.0, self.sigma * rig.sigma_rad)


@dataclass(frozen=True)
class DetectorModesPrior(Evidence):
    """What detectors make of a photo is as large as their tables say."""

    about: ClassVar[tuple[str, ...]] = (DETECTOR_MODES,)

    def term(self, context: Context) -> Term | None:
        """None where no detector has modes."""
        families = {name: name.partition("/")[0] for name in context.values}
        names = [name for name, family in families.items() if family == DETECTOR_MODES]
        names = [name for name in names if context.values[name].numel()]
        return standard_normal(tuple(names)) if names else None


@dataclass(frozen=True)
class DistancePrior(Evidence):
    """Heads are about so far from the camera: as far as the network sees by the perspective of the
    face, where it looked, and else as heads in photos are."""

    about: ClassVar[tuple[str, ...]] = (TRANSLATION,)
    typical_mm: float = 1300.0
    """Between the camera and the model's origin, where nobody looked."""
    log_sigma: float = 0.4
    """Spread, as a natural logarithm."""
    told_share: float = ranged(0.4, 0.0)
    """How much of the sigma that the network states counts; 0 takes nothing from it. It states too
    much (its errors on generated photos are 0.8 of it), and the perspective of single points, which
    speaks, too, pulls towards the camera. How sure the result is goes by the whole of it."""
    alike: float = ranged(0.8, 0.0, 1.0)
    """Correlation of the error of what the network sees with that of what points, colours and the
    other priors tell: all see the same perspective of the same face. It makes the result less sure
    and leaves it where it is."""

    def term(self, context: Context) -> Term:
        """Always there."""
        told = self._told(context.observation)
        variance = 1.0 if told is None else 1 / self.told_share**2
        alike = 0.0 if told is None else self.alike
        return distance_prior(*self.of(context.observation), variance, alike)

    def of(self, observation: Observation) -> tuple[float, float]:
        """The distance in mm and the spread of its natural logarithm."""
        told = self._told(observation)
        if told is None:
            return self.typical_mm, self.log_sigma
        return float(told.distance_mm), self.told_share * float(told.distance_log_sigma)

    def _told(self, observation: Observation) -> Predicted | None:
        """What the network saw, as far as it counts."""
        return observation.predicted if self.told_share else None


@dataclass(frozen=True)
class FocalPrior(Evidence):
    """Cameras have about such a focal length."""

    about: ClassVar[tuple[str, ...]] = (LOG_FOCAL,)
    exif_log_sigma: float = 0.1
    """Error of EXIF's focal length, as a natural logarithm."""
    typical_to_side: float = 1.6
    """Without EXIF, in units of the photo's longer side."""
    log_sigma: float = 0.8
    """Spread of that, as a natural logarithm."""

    def term(self, context: Context) -> Term:
        """By EXIF where there is any."""
        exif_px = context.observation.exif_focal_px
        if exif_px is not None:
            return normal_prior(LOG_FOCAL, math.log(exif_px), self.exif_log_sigma)
        typical_px = self.typical_to_side * context.observation.longer_side_px
        return normal_prior(LOG_FOCAL, math.log(typical_px), self.log_sigma)


@dataclass(frozen=True)
class LightPrior(Evidence):
    """Photos are exposed for the face, in about white light from all sides."""

    about: ClassVar[tuple[str, ...]] = (IRRADIANCE,)
    unit: ClassVar[str] = "of white"
    level: float = 1.0
    """What white that faces the camera reflects, on average, in a well exposed photo (linear
    RGB)."""
    level_sigma: float = 0.3
    """Spread of it, in stages where `exposure` does not tell the level by the tone of the skin."""
    direct_sigma: float = 0.5
    """Spread of each harmonic of the light beyond the mean, in units of the light's own level."""
    tint_sigma: float = 0.12
    """Spread of the colour of light around white, in the same units."""

    def term(self, context: Context) -> Term:
        """The same for all photos."""
        level_sigma = _ANY if EXPOSURE in context.stage.terms else self.level_sigma
        return light_prior(self.level, level_sigma, self.direct_sigma, self.tint_sigma)


def _coefficients(context: Context, name: str, sigma: Tensor | float) -> Term | None:
    return normal_prior(name, 0.0, sigma) if context.values[name].numel() else None
