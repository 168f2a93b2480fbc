"""How photos are compared with what a network says of them."""

from dataclasses import dataclass, field

from fit3dmm._settings import Settings
from fit3dmm.fitting.evidence import (
    AlbedoPrior,
    DetailPrior,
    DistancePrior,
    Flattening,
    FocalPrior,
    IdentityPrior,
    Landmarks,
    LightPrior,
    Perceptual,
    Photometric,
)


@dataclass(frozen=True)
class PhotoNoise(Settings):
    """Noises and priors, those of a fit where a fit has them."""

    render_px: int = 96
    """Side of the pictures in which colours are compared."""
    colour_sigma: float = 0.15
    """What the model does not explain of a colour, as a share of the face's mean light. A fit finds
    it for each photo; here it is the same for all, so that losses of different days compare."""
    tone_log_sigma: float = 0.1
    """How far the tone that is said may be from that of the albedo that is said, as a natural
    logarithm."""
    bounds_sigma: float = 0.1
    """How far an activation may lie beyond its bounds, which no fit passes."""
    landmarks: Landmarks = field(default_factory=Landmarks)
    photometric: Photometric = field(default_factory=Photometric)
    identity: IdentityPrior = field(default_factory=IdentityPrior)
    detail: DetailPrior = field(default_factory=DetailPrior)
    albedo: AlbedoPrior = field(default_factory=AlbedoPrior)
    distance: DistancePrior = field(default_factory=DistancePrior)
    focal: FocalPrior = field(default_factory=FocalPrior)
    light: LightPrior = field(default_factory=LightPrior)
    flattening: Flattening = field(default_factory=Flattening)
    perceptual: Perceptual = field(default_factory=Perceptual)
