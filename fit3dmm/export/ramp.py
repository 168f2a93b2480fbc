"""Colours for numbers in pictures."""

import numpy as np
from jaxtyping import Float

# From 0 to 1, sRGB: bright and warm to dark and cold, in steps that print in grey as well.
_STOPS_SRGB = ((255, 244, 190), (245, 160, 70), (190, 60, 90), (70, 30, 110))


def ramp_srgb(share: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n 3"]:
    """Colours in 0..1; what lies outside of 0..1 gets the nearest one, and NaN stays NaN."""
    stops = np.linspace(0, 1, len(_STOPS_SRGB))
    channels = np.array(_STOPS_SRGB, np.float32).T / 255
    return np.stack([np.interp(share, stops, one) for one in channels], -1)
