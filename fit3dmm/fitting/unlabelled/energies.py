"""The energy of a fit, for what a network says of photos in one look.

Y. Deng et al., "Accurate 3D face reconstruction with weakly-supervised learning", CVPR Workshops
2019, section 3: a network learns of photos that nobody labelled by what its answers look like. Here
the losses are the terms of a fit (docs/method.md), in its noises: what a fit minimises for one
photo, the network learns to minimise for all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.model_points import model_points
from fit3dmm.energy.priors import correlated_prior, light_prior, normal_prior
from fit3dmm.energy.robust import cauchy, charbonnier
from fit3dmm.fitting.detector_errors import LandmarkErrorModel, landmark_error_model
from fit3dmm.fitting.unlabelled.explained import (
    Decided,
    Explained,
    decide,
    explain,
    whitened_off,
)
from fit3dmm.fitting.unlabelled.settings import PhotoNoise
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE_POINTS
from fit3dmm.observe.detector_errors import DetectorErrors, detector_errors
from fit3dmm.regress.network import BLOCKS, Outputs
from fit3dmm.regress.photo_batch import PhotoBatch
from fit3dmm.render.backend import BackendName
from fit3dmm.synthetic.heads import tone_of_albedo
from fit3dmm.unknowns import ALBEDO, DETAIL, EXPRESSION, IDENTITY, IRRADIANCE

_POSE, _LIGHT = 7, 27


@dataclass(frozen=True)
class Known:
    """What terms know beside the photos."""

    model: MorphableModel
    errors: LandmarkErrorModel
    noise: PhotoNoise


PhotoTerm = Callable[[Known, Explained, Decided], Float[Tensor, "batch"]]
"""An energy of each photo."""


def photometric(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Colours of the face that is seen, in linear RGB (Deng et al. 2019, equation 2), where the
    cover map calls it skin. A picture is never brighter than white."""
    noise = known.noise
    sigma = (noise.colour_sigma * decided.mean_light)[:, None, None, None]
    off = (explained.rendering.rgb_linear.clamp(max=1) - explained.picture_linear) / sigma
    energy, _ = cauchy(noise.photometric.robust_scale)(off.square().sum(-1))
    return (decided.observations * energy).sum((1, 2))


def landmarks(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Points where MediaPipe sees them, by what is known of its errors."""
    off = whitened_off(known.errors, explained, decided)
    energy, _ = charbonnier(known.noise.landmarks.robust_scale)(off.square().sum(-1))
    return energy.sum(-1) + 0.5 * decided.modes.square().sum(-1)


def people(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Coefficients are those of people (equation 5)."""
    noise, model, coefficients = known.noise, known.model, explained.coefficients
    values = {name: getattr(coefficients, name) for name in BLOCKS}
    sigmas = {
        IDENTITY: noise.identity.sigma,
        DETAIL: noise.detail.sigma,
        ALBEDO: noise.albedo.sigma,
    }
    energies = [normal_prior(name, 0.0, sigma)(values).energy for name, sigma in sigmas.items()]
    factor = model.expression_covariance_factor
    if len(factor):
        energies.append(correlated_prior(EXPRESSION, factor)(values).energy)
        low, high = model.expression_bounds.unbind(-1)
        said = values[EXPRESSION]
        beyond = (said - torch.minimum(torch.maximum(said, low), high)) / noise.bounds_sigma
        energies.append(0.5 * beyond.square().sum(-1))
    return torch.stack(energies).sum(0)


def camera(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Distance and focal length are those of photos, the latter by EXIF where it is told."""
    noise, photos = known.noise, explained.photos
    distance = (-explained.translation_mm[:, 2] / noise.distance.typical_mm).log()
    told = photos.focal_px.isfinite()
    typical_px = noise.focal.typical_to_side * photos.longer_side_px
    wanted_px = torch.where(told, photos.focal_px, typical_px).to(distance)
    log_sigma = torch.where(told, noise.focal.exif_log_sigma, noise.focal.log_sigma).to(distance)
    focal = (explained.camera.focal_px / wanted_px).log() / log_sigma
    return 0.5 * ((distance / noise.distance.log_sigma).square() + focal.square())


def light(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Light is about white and comes from all sides."""
    prior = known.noise.light
    term = light_prior(prior.level, prior.level_sigma, prior.direct_sigma, prior.tint_sigma)
    return term({IRRADIANCE: explained.outputs.irradiance_sh}).energy


def tone(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """The tone that is said is that of the albedo that is said."""
    mean, slope = tone_of_albedo(known.model)
    decoded = (mean + explained.coefficients.albedo @ slope).clamp_min(0.01)
    off = (explained.outputs.log_tone - decoded.log()) / known.noise.tone_log_sigma
    return 0.5 * off.square()


TERMS: dict[str, PhotoTerm] = {
    "photometric": photometric,
    "landmarks": landmarks,
    "people": people,
    "camera": camera,
    "light": light,
    "tone": tone,
}
"""By name. This is the place of further ones, such as the paper's perceptual loss (equation 4) and
its flattening of the albedo (equation 6): the rendering and the photo at its size are in
`Explained`."""


class PhotoEnergies:
    """Energies of photos, by term, divided by the number of unknowns: about one a number, as the
    losses on rendered pictures are.

    Args:
        model: whose coefficients the network says, at a low level of subdivision.
        noise: of the comparison.
        errors: how MediaPipe errs; its own table if left out.
        terms: by name.
        backend: of the renderer.
    """

    def __init__(
        self,
        model: MorphableModel,
        noise: PhotoNoise | None = None,
        errors: DetectorErrors | None = None,
        terms: Mapping[str, PhotoTerm] | None = None,
        backend: BackendName = "auto",
    ) -> None:
        self._places = model.landmarks[MEDIAPIPE_POINTS]
        points = model_points(model, self._places)
        known = landmark_error_model(errors or detector_errors(), points)
        self.known = Known(model, known, noise or PhotoNoise())
        self.terms = dict(TERMS if terms is None else terms)
        self._backend: BackendName = backend
        sizes = (model.n_identity, model.n_detail, model.n_expression, model.n_albedo)
        self._n_unknowns = sum(sizes) + _POSE + _LIGHT

    def __call__(self, outputs: Outputs, photos: PhotoBatch) -> dict[str, Float[Tensor, "batch"]]:
        """Energies of what a network says of photos."""
        explained = self.explain(outputs, photos)
        return self.at(explained, self.decide(explained))

    def explain(self, outputs: Outputs, photos: PhotoBatch) -> Explained:
        """See `explained.explain`."""
        known = self.known
        return explain(known.model, self._places, outputs, photos, known.noise, self._backend)

    def decide(self, explained: Explained) -> Decided:
        """See `explained.decide`."""
        known = self.known
        return decide(known.model, known.errors, explained, known.noise, self._backend)

    def at(self, explained: Explained, decided: Decided) -> dict[str, Float[Tensor, "batch"]]:
        """Energies where it is decided which pixels count and what the detector made of it."""
        return {
            name: term(self.known, explained, decided) / self._n_unknowns
            for name, term in self.terms.items()
        }
