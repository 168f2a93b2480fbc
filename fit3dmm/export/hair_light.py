"""The light on a head's hair, by the light that was fitted to its face.

Faces show a fit the light from ahead; what falls on crown and temples is guessed from it, and is
guessed too dark or too bright: white hair came out whiter than white. Renders with known light say
how far the guess can be trusted.
"""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.colour import luminance


@dataclass(frozen=True)
class HairLightSettings(Settings):
    """How the light on hair follows from the fitted one.

    The logarithm of the light on scalps over that on the face, at 48 renders under the light
    probes: 0.02 + 0.87 times the fitted one, with 0.24 left; 0.25 by the fitted one as it is, 0.50
    by the face's light alone (`tools/measure_hair_light.py`). On hair of real heads the power that
    explains the photo best was 0.6 and 0.7 in the median of 13 portraits and 26 people of London.
    """

    told: float = ranged(0.87, 0.0, 1.0)
    """Power of the fitted light on a place over that on the face."""
    above: float = ranged(1.02, 0.0)
    """How much more light than on the face is on hair where the fit finds it to be as light."""
    hue: float = ranged(0.3, 0.0, 1.0)
    """Share of the hue of the fitted light that is taken for the hair's: a judgement."""


def light_on_hair(
    light_linear: Float[Tensor, "*b 3"],
    face_light_linear: Float[Tensor, "3"],
    settings: HairLightSettings,
) -> Float[Tensor, "*b 3"]:
    """What white hair shows in a light: cameras balance the light's colour out, and what a fit
    finds of it beyond that goes with the skin's.

    Args:
        light_linear: what white with the normals of the scalp would show, as fitted.
        face_light_linear: what white would show on the face.
        settings: how far the fitted light is trusted.
    """
    level = luminance(light_linear)[..., None].clamp_min(1e-3)
    hue = (light_linear / level).clamp_min(0.1) ** settings.hue
    on_face = luminance(face_light_linear).clamp_min(1e-3)
    return settings.above * on_face * (level / on_face) ** settings.told * hue
