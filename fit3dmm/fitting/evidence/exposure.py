"""How dark a skin is and how bright the light on it, which one photo alone can't tell apart."""

import math
from dataclasses import dataclass
from typing import ClassVar

from fit3dmm._settings import ranged
from fit3dmm.energy.exposure import exposure_term
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.observe.observation import Observation
from fit3dmm.regress.network import SIGMAS
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import ALBEDO, IRRADIANCE

# Its place among the sigmas that the network states.
_TONE = SIGMAS.index("tone")


@dataclass(frozen=True)
class Exposure(Evidence):
    """Tone by the network that looked, and light as cameras expose for faces of that tone.

    A camera shows a face neither as dark as it is nor as grey as another's: how far it makes up for
    a tone is one number for all photos. Tones are mean luminances of a face's albedo (linear), and
    the light is what white that faces the camera would reflect in the photo.
    """

    about: ClassVar[tuple[str, ...]] = (ALBEDO, IRRADIANCE)
    unit: ClassVar[str] = "of white"
    typical_tone: float = 0.17
    """Where no network looked."""
    tone_log_sigma: float = 0.8
    """Spread of people's tones about it, as a natural logarithm: from one end of Monk's scale to
    the other."""
    told_share: float = ranged(1.6, 0.0)
    """How much of the sigma that the network states counts; 0 takes nothing from it. It judges by
    the brightness of the face, too, which counts already."""
    level: float = 0.75
    """Light on a face of the typical tone (linear RGB)."""
    level_slope: float = ranged(0.0, -0.9, 0.9)
    """How the light's logarithm falls with that of the tone: 0 where cameras show each tone as it
    is, -1 where they show all alike."""
    level_log_sigma: float = 0.17
    """Spread of photos about that, as a natural logarithm."""

    def term(self, context: Context) -> Term:
        """Always there."""
        tone, (log_tone, log_sigma) = context.prepared.tone, self.of(context.observation)
        return exposure_term(
            tone, log_tone, log_sigma, (self._intercept, self.level_slope), self.level_log_sigma
        )

    @property
    def _intercept(self) -> float:
        return math.log(self.level) - self.level_slope * math.log(self.typical_tone)

    def of(self, observation: Observation) -> tuple[float, float]:
        """The natural logarithm of the tone before colours are compared, and its sigma."""
        told = observation.predicted
        if told is None or not self.told_share:
            return math.log(self.typical_tone), self.tone_log_sigma
        log_sigma = self.told_share * float(told.log_sigmas[_TONE].exp())
        return math.log(float(told.tone)), log_sigma
