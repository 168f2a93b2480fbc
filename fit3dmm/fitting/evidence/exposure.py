"""How dark a skin is and how bright the light on it, which one photo alone can't tell apart."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from fit3dmm._settings import ranged
from fit3dmm.energy.exposure import exposure_term, light_level
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.observe.observation import Observation
from fit3dmm.observe.white_references import white_references
from fit3dmm.regress.outputs import SIGMAS
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import ALBEDO, IRRADIANCE

# Its place among the sigmas that the network states.
_TONE = SIGMAS.index("tone")
# Logarithms of the light's level at which its probability is worked out.
_BLACK_LINEAR = 0.003
_LOG_LEVELS = np.linspace(math.log(0.03), math.log(4.0), 600)


@dataclass(frozen=True)
class Exposure(Evidence):
    """Tone by the network that looked, and light as cameras expose for faces of that tone and as
    the whites of the eyes and the teeth show it.

    A camera shows a face neither as dark as it is nor as grey as another's: how far it makes up for
    a tone is one number for all photos. Tones are mean luminances of a face's albedo (linear), and
    the light is what white that faces the camera would reflect in the photo.

    Eyes and teeth are as white in one person as in another, but lids, lashes and lips shade them:
    they are seldom lighter than the light makes them, and often darker. So each is either lit as
    the face is, or darker by an exponentially distributed logarithm. What it and the camera make
    likely together is taken as a normal distribution of the same mean and variance.
    """

    about: ClassVar[tuple[str, ...]] = (ALBEDO, IRRADIANCE)
    unit: ClassVar[str] = "of white"
    typical_tone: float = 0.17
    """Where no network looked."""
    tone_log_sigma: float = 0.8
    """Spread of people's tones about it, as a natural logarithm: from one end of Monk's scale to
    the other."""
    told_share: float = ranged(2.5, 0.0)
    """How much of the sigma that the network states counts; 0 takes nothing from it. It judges by
    the brightness of the face, too, which counts already."""
    level: float = 0.8
    """Light on a face of the typical tone (linear RGB)."""
    level_slope: float = ranged(0.0, -0.9, 0.9)
    """How the light's logarithm falls with that of the tone: 0 where cameras show each tone as it
    is, -1 where they show all alike."""
    level_log_sigma: float = 0.3
    """Spread of photos about that, as a natural logarithm: half a stop. Generated photos have 0.19;
    portraits of people who look alike differ by more."""
    eyes: float = 0.42
    """Share of the light that the whites of open eyes reflect where nothing shades them: the most
    likely for 100 photos of 51 people of the London set, which were taken in one light."""
    eyes_slope: float = ranged(0.3, 0.0, 0.9)
    """How the logarithm of that share rises with that of the tone: about the whites of dark people
    lie dark lids. 0.28 on the London set."""
    eyes_tone: float = 0.23
    """The tone at which the share is as above: the London set's."""
    eyes_log_sigma: float = 0.4
    """Spread of that where nothing shades them. On the London set it is 0.2, in a studio's even
    light: elsewhere sockets and lashes shade both eyes alike, so that the second tells nothing."""
    eyes_clear: float = ranged(0.5, 0.0, 1.0)
    """Share of photos in which nothing does; 0 takes nothing from eyes. A judgement."""
    teeth: float = 0.7
    """The same of teeth in a smile that bares them."""
    teeth_log_sigma: float = 0.25
    """Spread of that."""
    teeth_clear: float = ranged(0.7, 0.0, 1.0)
    """Share of smiles in which nothing shades them. A judgement."""
    colours_log_sigma: float = 0.1
    """How far the face's colours may move the light from what all this makes likely: what they say
    of the tone is the model's, and not the person's."""
    shade_log: float = 2.0
    """Mean of the logarithm by which shade darkens them: a judgement. Eyes and teeth of generated
    people are darker than real ones, and must not count there."""

    def term(self, context: Context) -> Term:
        """Always there."""
        tone, (log_tone, log_sigma) = context.prepared.tone, self.of(context.observation)
        shown = tone.at(context.values[ALBEDO]) * light_level(context.values[IRRADIANCE])
        log_shown = math.log(max(float(shown), _BLACK_LINEAR))
        log_level, level_log_sigma = self.level_of(context.observation, log_shown)
        intercept = log_level - self.level_slope * math.log(self.typical_tone)
        level_log_sigma = min(level_log_sigma, self.colours_log_sigma)
        level = (intercept, self.level_slope)
        return exposure_term(tone, log_tone, log_sigma, level, level_log_sigma)

    def of(self, observation: Observation) -> tuple[float, float]:
        """The natural logarithm of the tone before colours are compared, and its sigma."""
        told = observation.predicted
        if told is None or not self.told_share:
            return math.log(self.typical_tone), self.tone_log_sigma
        log_sigma = self.told_share * float(told.log_sigmas[_TONE].exp())
        return math.log(float(told.tone)), log_sigma

    def level_of(
        self, observation: Observation, log_shown: float | None = None
    ) -> tuple[float, float]:
        """The natural logarithm of the light on a face of the typical tone, and its sigma.

        Args:
            observation: of the face.
            log_shown: natural logarithm of tone times light, which the photo shows; without it
                whites count as alike in all people.
        """
        seen = white_references(observation)
        told = (
            (seen.eyes, self.eyes, self.eyes_log_sigma, self.eyes_clear, self.eyes_slope),
            (seen.teeth, self.teeth, self.teeth_log_sigma, self.teeth_clear, 0.0),
        )
        told = [(one[0], *one[1:]) for one in told if one[0] is not None and one[3] > 0]
        if not told:
            return math.log(self.level), self.level_log_sigma
        likely = _normal(_LOG_LEVELS - math.log(self.level), self.level_log_sigma)
        for luminance, share, log_sigma, clear, rise in told:
            over = math.log(max(luminance, _BLACK_LINEAR) / share) - _LOG_LEVELS
            if log_shown is not None:
                over = over - rise * (log_shown - _LOG_LEVELS - math.log(self.eyes_tone))
            likely = likely * _of_white(over, log_sigma, clear, self.shade_log)
        likely = likely / likely.sum()
        mean = float(likely @ _LOG_LEVELS)
        return mean, float(likely @ (_LOG_LEVELS - mean) ** 2) ** 0.5


def _of_white(
    over: Float[np.ndarray, "levels"], log_sigma: float, clear: float, shade_log: float
) -> Float[np.ndarray, "levels"]:
    """Probability of what white things look like.

    Args:
        over: logarithm of how they look over how each level of the light makes expected.
        log_sigma: spread of that where nothing shades them.
        clear: probability of that.
        shade_log: mean logarithm of a shade.
    """
    bright = over.clip(0)
    shaded = np.exp(over.clip(max=0) / shade_log - 0.5 * (bright / log_sigma) ** 2) / shade_log
    return clear * _normal(over, log_sigma) + (1 - clear) * shaded


def _normal(away: Float[np.ndarray, "levels"], sigma: float) -> Float[np.ndarray, "levels"]:
    return np.exp(-0.5 * (away / sigma) ** 2) / (sigma * math.sqrt(2 * math.pi))
