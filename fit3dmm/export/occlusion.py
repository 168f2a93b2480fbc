"""What stands before the face in a photo: hair above all, and things that no skin looks like.

A vertex that the photo shows is one of three: the face's own skin, hair, or something else. Skin is
what the middle of the face looks like, relative to the fitted colour; hair is what the scalp looks
like, wherever the photo shows that. Both are normal distributions of logarithms of colours, so that
grey hair on dark skin, blond hair on fair skin and a bald head are told by the same rule (Bayes').
A place is judged with its surroundings.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.regions import region, to_region_mm
from fit3dmm.export.smoothing import averaged, ramp, with_rim
from fit3dmm.model.morphable import MorphableModel


@dataclass(frozen=True)
class _Normal:
    """A normal distribution. torch's own has its first user wait for all of SymPy."""

    mean: Float[Tensor, "k"]
    factor: Float[Tensor, "k k"]
    """Lower Cholesky factor of the covariance."""

    def log_prob(self, values: Float[Tensor, "n k"]) -> Float[Tensor, "n"]:
        """Logarithm of the density at each row."""
        away = torch.linalg.solve_triangular(self.factor, (values - self.mean).T, upper=False)
        size = len(self.mean) * math.log(2 * math.pi)
        return -0.5 * (size + away.square().sum(0)) - self.factor.diagonal().log().sum()


@dataclass(frozen=True)
class OcclusionSettings(Settings):
    """What hair, skin and things before a face look like.

    Colours are natural logarithms of linear light, as lightness and two directions of chroma.
    The numbers are judgements for the reasons given, not measurements.
    """

    hair_at_hairline: float = ranged(0.4, 0.0, 0.99)
    """Prior probability of hair at the hairline; it falls off down the face: a beard shall stay."""
    hair_reach_mm: float = 35.0
    """Distance from the hairline over which that probability falls by a factor of e, and beyond
    which the face says what skin looks like."""
    other: float = ranged(0.003, 0.0)
    """Prior odds of something that is neither skin nor hair."""
    most_hair_log_odds: float = 4.0
    """Natural logarithm of the odds that a single colour may say at most: colours have outliers."""
    most_other_log_odds: float = 8.0
    """The same of what is neither skin nor hair."""
    least_spread: tuple[float, float, float] = (0.18, 0.06, 0.06)
    """The least standard deviations of the colours of skin and of hair."""
    unseen_hair: tuple[float, float, float] = ranged((-1.2, 0.0, 0.0), -10.0, 10.0)
    """Mean colour, less that of the skin, of hair that no scalp shows: mostly darker."""
    unseen_hair_spread: tuple[float, float, float] = (0.8, 0.3, 0.3)
    """Standard deviations of its colours."""
    other_spread: tuple[float, float, float] = (1.0, 0.4, 0.4)
    """Standard deviations of the colours of anything at all around that of the skin."""
    chroma_loss: float = ranged(2.0, 0.0)
    """How much less chroma says the darker a colour is than skin (it is divided by 1 + this times
    the difference): folds are redder than skin, and noise is of any colour."""
    fewest: int = 50
    """Vertices that must show a kind before its colours are taken from them."""
    rounds: int = 8
    """Rounds of averaging over the edges of the mesh over which a place is judged."""
    shadow_rounds: int = 14
    """Rounds of averaging over which hair casts its shadow."""
    occluded: tuple[float, float] = (0.2, 0.5)
    """Probabilities from which a place counts as hidden, and wholly so."""
    shaded: tuple[float, float] = (0.01, 0.15)
    """The same of what lies beside hidden places, after the averaging."""
    lip_rim_mm: float = 2.5
    """Lips farther from the mouth than this say what lips look like."""
    odd_sigmas: tuple[float, float] = (1.5, 2.5)
    """What is so many sigmas off that is, from the first on and wholly at the second, no lip."""


def occluded(
    log_ratio: Float[Tensor, "vertices 3"],
    log_albedo: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: OcclusionSettings,
) -> Float[Tensor, "vertices"]:
    """How surely something other than the face is seen at each vertex, 0..1.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        log_albedo: of the fitted colour.
        seen: how well the photo shows each vertex, of the scalp too.
        model: for its regions and the distances on its mean.
        edges: between the vertices of its surface.
        settings: what hair, skin and lips look like.
    """
    skin_here, scalp = region(model, "skin"), region(model, "scalp")
    # A mask of a face has no scalp: hair may be anywhere then.
    to_hairline_mm = to_region_mm(model, "scalp", settings.hair_reach_mm)
    core = (seen * skin_here > 0.5) & (to_hairline_mm >= settings.hair_reach_mm)
    if int(core.sum()) < settings.fewest:
        return torch.zeros_like(seen)
    # The scalp's fitted colour is a shade of its own: hair is compared with the skin's.
    skin_colour = log_albedo[core].median(0).values
    hair_ratio = (log_ratio + log_albedo - skin_colour)[(seen > 0.3) & (scalp > 0.5)]
    skin, hair, other = _kinds(_opponent(log_ratio[core]), _opponent(hair_ratio), settings)

    colours = _opponent(log_ratio)
    hair_odds = (
        (hair.log_prob(colours) - skin.log_prob(colours))
        .clamp(-30, settings.most_hair_log_odds)
        .exp()
    )
    # What is darker than skin, and no hair, is a fold, a shadow or a beard, and is the face's own.
    dark = (skin.mean[0] - colours[:, 0]).clamp_min(0)
    chroma = colours[:, 1:] / (1 + settings.chroma_loss * dark[:, None])
    lit = torch.cat([(colours[:, 0] + dark)[:, None], chroma], 1)
    other_odds = (
        (other.log_prob(lit) - skin.log_prob(lit)).clamp(-30, settings.most_other_log_odds).exp()
    )
    prior = settings.hair_at_hairline * (-((to_hairline_mm / settings.hair_reach_mm) ** 2)).exp()
    odds = prior / (1 - prior) * hair_odds + settings.other * other_odds
    # Where colours tell nothing, as on a bald head, nothing is there.
    told = ((odds / (1 + odds) - prior) / (1 - prior)).clamp_min(0)
    patches = _surroundings(told, seen * (skin_here + scalp), edges, settings.rounds)
    # Shadow and stray hair lie around.
    hidden = ramp(patches, settings.occluded)
    return with_rim(hidden, edges, settings.shadow_rounds, settings.shaded)


def beside_lips(
    log_ratio: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
    settings: OcclusionSettings,
) -> Float[Tensor, "vertices"]:
    """How surely a fitted lip lies over teeth or the dark of the mouth, 0..1.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        seen: how well the photo shows each vertex.
        model: for its regions and the distances on its mean.
        edges: between the vertices of its surface.
        settings: what hair, skin and lips look like.
    """
    lips = region(model, "lips") * (1 - region(model, "mouth_interior"))
    to_mouth_mm = to_region_mm(model, "mouth_interior", settings.hair_reach_mm)
    core = (seen * lips > 0.5) & (to_mouth_mm > settings.lip_rim_mm)
    if int(core.sum()) < settings.fewest:
        return torch.zeros_like(seen)
    colours = averaged(_opponent(log_ratio), edges, 2)
    middle = colours[core].median(0).values
    spread = _typical_spread(colours[core], middle, settings)
    off = (colours - middle) / spread
    # Painted lips are darker and redder than a model expects, all the more at their outer edge:
    # what is darker is the mouth's beside it alone, and what is redder is no tooth.
    off[:, 0] = torch.where(to_mouth_mm < settings.lip_rim_mm, off[:, 0].abs(), off[:, 0])
    off[:, 1] = -off[:, 1]
    odd = torch.stack([off[:, 0], off[:, 1], off[:, 2].abs() * (off[:, 1] > 0)], 1).amax(1)
    rim = lips * (to_mouth_mm < 3 * settings.lip_rim_mm)
    return averaged(rim * ramp(odd, settings.odd_sigmas), edges, 2)


def _typical_spread(
    colours: Float[Tensor, "n 3"], middle: Float[Tensor, "3"], settings: OcclusionSettings
) -> Float[Tensor, "3"]:
    """Standard deviations, robustly, and no smaller than skin has."""
    spread = 1.4826 * (colours - middle).abs().median(0).values
    return spread.maximum(colours.new_tensor(settings.least_spread))


def _kinds(
    skin: Float[Tensor, "n 3"], hair: Float[Tensor, "m 3"], settings: OcclusionSettings
) -> tuple[_Normal, _Normal, _Normal]:
    """The distributions of skin, hair and all else, from colours of the first two."""
    middle = skin.median(0).values
    spread = _typical_spread(skin, middle, settings)
    inliers = skin[((skin - middle).abs() < 3 * spread).all(1)]
    if len(hair) >= settings.fewest:
        of_hair = _normal(hair.mean(0), hair.T.cov(), settings.least_spread)
    else:
        unseen = middle + skin.new_tensor(settings.unseen_hair)
        of_hair = _normal(unseen, torch.zeros(3, 3).to(skin), settings.unseen_hair_spread)
    anything = _normal(middle, torch.zeros(3, 3).to(skin), settings.other_spread)
    return _normal(middle, inliers.T.cov(), settings.least_spread), of_hair, anything


def _normal(
    mean: Float[Tensor, "3"], covariance: Float[Tensor, "3 3"], least: tuple[float, float, float]
) -> _Normal:
    floor = torch.diag(mean.new_tensor(least) ** 2)
    return _Normal(mean, torch.linalg.cholesky(covariance + floor))


def _opponent(log_rgb: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Lightness, red over green, yellow over blue."""
    red, green, blue = log_rgb.unbind(-1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], -1)


def _surroundings(
    probability: Float[Tensor, "vertices"],
    weight: Float[Tensor, "vertices"],
    edges: Int[Tensor, "edges 2"],
    rounds: int,
) -> Float[Tensor, "vertices"]:
    """The mean over some millimetres of what counts."""
    sums = averaged(torch.stack([probability * weight, weight], 1), edges, rounds)
    return sums[:, 0] / sums[:, 1].clamp_min(1e-3)
