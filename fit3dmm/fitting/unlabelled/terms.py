"""Terms of the energy of photos without labels: a fit's (docs/method.md), in its noises."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from fit3dmm.colour import linear_to_srgb
from fit3dmm.energy.flattening import flattening_term
from fit3dmm.energy.priors import correlated_prior, light_prior, normal_prior
from fit3dmm.energy.robust import cauchy, charbonnier
from fit3dmm.fitting.detector_errors import LandmarkErrorModel
from fit3dmm.fitting.picture import exposed
from fit3dmm.fitting.unlabelled.explained import Decided, Explained, whitened_off
from fit3dmm.fitting.unlabelled.settings import PhotoNoise
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.recognise.chip import FIVE_OF_MEDIAPIPE, chip_from_points, extract_chip
from fit3dmm.recognise.files import shipped_recogniser
from fit3dmm.regress.outputs import BLOCKS
from fit3dmm.unknowns import ALBEDO, DETAIL, EXPRESSION, IDENTITY, IRRADIANCE

_EVEN_SKIN = "skin"


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
    decoded = known.model.tone.at(explained.coefficients.albedo).clamp_min(0.01)
    off = (explained.outputs.log_tone - decoded.log()) / known.noise.tone_log_sigma
    return 0.5 * off.square()


def perceptual(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """A recognition network takes the photo with the rendered face in the place of its own for the
    same person (Deng et al. 2019, equation 4). Eyes, hair and background stay the photo's."""
    network = shipped_recogniser()
    if network.mean_byte.device != explained.picture_linear.device:
        network = network.to(explained.picture_linear.device)
    shown = decided.shown[..., None]
    drawn = exposed(explained.rendering.rgb_linear)
    over_photo = shown * drawn + (1 - shown) * explained.picture_linear
    five_px = explained.photos.points_px[:, list(FIVE_OF_MEDIAPIPE)].to(over_photo)
    five_px = five_px * over_photo.shape[1] / explained.photos.size_px
    places = [chip_from_points(each) for each in five_px]

    def embedding(pictures: Tensor) -> Tensor:
        chips = [extract_chip(each, to) for each, to in zip(pictures, places, strict=True)]
        said = network(linear_to_srgb(torch.stack(chips)).to(network.mean_byte))
        return F.normalize(said, dim=-1).to(pictures)

    with torch.no_grad():
        wanted = embedding(explained.picture_linear)
    off = (embedding(over_photo) - wanted) / known.noise.perceptual.sigma
    return 0.5 * off.square().sum(-1)


def flattening(known: Known, explained: Explained, decided: Decided) -> Float[Tensor, "batch"]:
    """Skin has about one colour (equation 6)."""
    model = known.model
    even = model.regions.get(_EVEN_SKIN)
    if even is None or not model.n_albedo:
        return decided.mean_light.new_zeros(len(decided.mean_light))
    term = flattening_term(
        model.albedo_mean_linear,
        model.albedo_basis_linear.movedim(0, -1),
        even,
        known.noise.flattening.sigma_linear,
    )
    return term({ALBEDO: explained.coefficients.albedo}).energy


TERMS: dict[str, PhotoTerm] = {
    "photometric": photometric,
    "landmarks": landmarks,
    "perceptual": perceptual,
    "people": people,
    "flattening": flattening,
    "camera": camera,
    "light": light,
    "tone": tone,
}
"""By name."""
