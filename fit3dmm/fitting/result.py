"""Everything that came out of a fit."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from fit3dmm._tensors import TensorRecord
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.intervals import interval_of_logarithm
from fit3dmm.fitting.trust import Signs
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.observe.observation import Observation
from fit3dmm.scene import Scene
from fit3dmm.solve.solution import Reason, Step


@dataclass(frozen=True)
class StageReport:
    """One minimisation of the schedule."""

    name: str
    reason: Reason
    """Why it stopped."""
    energies: Mapping[str, float]
    """By term, at its end."""
    history: tuple[Step, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Quality(Signs):
    """Whether the result can be trusted, by signs that are seen without the truth."""

    verdict: Literal["good", "doubtful", "failed"]
    remarks: tuple[str, ...]
    """What is doubtful, in sentences; empty when all is well."""
    visible_share: float
    """Share of the face that the photo shows: 0.5 in a profile."""
    failure_chance: float | None = None
    """Probability that the mean face would have been as near to the truth or nearer
    (`fitting.trust`); None in results of versions that did not judge it."""

    @property
    def points_off(self) -> str:
        """How far the detector's points are off, in words."""
        known = self.landmark_error_mm
        return "unknown" if known is None or math.isnan(known) else f"{known:.1f} mm"


@dataclass(frozen=True)
class Refinement:
    """What became of coefficients that were given, by what was kept back of the photo: a fifth of
    the points and of the face's colours, in patches."""

    source: str
    """Whose numbers they were."""
    kept: bool
    """The input was kept: nothing that was tried explains what was kept back clearly better."""
    trust: float | None
    """How far the given identity could be left, in the model's sigmas; 0: it is as it was given;
    None: it was only where the fit began."""
    gain: float
    """By how much the energy of what was kept back fell, as a difference of log-likelihoods; 0
    where the input was kept."""
    points_before: float
    points_after: float
    """Energy of a point that was kept back, with the input and with the result."""
    pixels_before: float | None = None
    pixels_after: float | None = None
    """The same of a colour; None where colours were not compared."""
    remarks: tuple[str, ...] = ()
    """What of the input could not be taken over, in sentences."""
    moment_trust: float | None = None
    """How far the given expression could be left, in those of the model's spread; 0 and None as for
    the identity."""
    gain_noise: float = 0.0
    """Standard error of the gain, from how patches differ."""

    def sentence(self) -> str:
        """What a person wants to know."""
        points = f"points {self.points_before:.2f} to {self.points_after:.2f}"
        pixels = ""
        if self.pixels_before is not None and self.pixels_after is not None:
            pixels = f", pixels {self.pixels_before:.2f} to {self.pixels_after:.2f}"
        if self.kept:
            return (
                "The input was kept: no refinement explains better what was held out of the photo."
            )
        return (
            f"Refined{self._but()}: what was held out of the photo is explained better "
            f"({points}{pixels})."
        )

    def _but(self) -> str:
        """What is as it was given."""
        if self.trust != 0:
            return ""
        what = "identity and expression" if self.moment_trust == 0 else "the identity"
        return f" ({what} as given)"


@dataclass(frozen=True)
class FitResult(TensorRecord):
    """One fitted face. `scene` is in the `photo` frame; nothing in it refers to the crop."""

    scene: Scene
    observation: Observation
    model: ModelInfo
    level: int
    """Subdivision level of the surface that was fitted."""
    config: FitConfig
    energies: Mapping[str, float]
    """By term, at the end."""
    stages: tuple[StageReport, ...]
    quality: Quality
    uncertainty: Uncertainty
    versions: Mapping[str, str]
    """Of fit3dmm and the packages that matter to the numbers."""
    start: str = "landmarks"
    """Where the fit began: `landmarks`, `regressor` or `given`."""
    refinement: Refinement | None = None
    """What became of given coefficients; None where nothing was refined."""

    def __repr__(self) -> str:
        """One line: the tensors of a result fill pages."""
        quality = self.quality
        return (
            f"<{type(self).__name__} {self.observation.name!r}: {quality.verdict}, points off by "
            f"{quality.points_off}, {self.distance_mm / 10:.0f} cm away, "
            f"model {self.model.name}>"
        )

    @property
    def distance_mm(self) -> float:
        """Between the camera and the model's origin, along the axis."""
        return -float(self.scene.pose.translation_mm[2])

    @property
    def distance_sigma_mm(self) -> float:
        """A single photo hardly tells a near small head in a wide lens from a far large one."""
        return float(self.uncertainty.sigma("translation_mm")[-1])

    def distance_interval_mm(self, level: float = 0.95) -> tuple[float, float]:
        """Between which distances the head is, with a probability: of ten photos whose intervals
        hold 80 %, the truth lies in eight (docs/method.md, "Uncertainty").

        Args:
            level: the probability.
        """
        log_sigma = self.distance_sigma_mm / self.distance_mm
        return interval_of_logarithm(self.distance_mm, log_sigma, level)

    @property
    def focal_px(self) -> float:
        """In pixels of the photo."""
        return float(self.scene.camera.focal_px)

    @property
    def focal_sigma_px(self) -> float:
        """Zero where the focal length was given."""
        return self.focal_px * float(self.uncertainty.sigma("log_focal")[0])

    def focal_interval_px(self, level: float = 0.95) -> tuple[float, float]:
        """Between which focal lengths the camera's is, with a probability; both are the same where
        it was given.

        Args:
            level: the probability.
        """
        log_sigma = float(self.uncertainty.sigma("log_focal")[0])
        return interval_of_logarithm(self.focal_px, log_sigma, level)

    @property
    def focal_distance_correlation(self) -> float:
        """Near 1 where the photo tells the ratio of focal length and distance only."""
        # The translation's z is minus the distance.
        return -self.uncertainty.correlation(("log_focal", 0), ("translation_mm", 2))

    @property
    def seconds(self) -> float:
        """Time of all stages."""
        return sum(stage.seconds for stage in self.stages)
