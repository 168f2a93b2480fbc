"""What stands before the face in a photo: hair above all, and things that no skin looks like.

A vertex that the photo shows is one of three: the face's own skin, hair, or something else. Skin is
what the middle of the face looks like, relative to the fitted colour; hair is what the scalp looks
like, wherever the photo shows that. Both are normal distributions of logarithms of colours, so that
grey hair on dark skin, blond hair on fair skin and a bald head are told by the same rule (Bayes').
A place is judged with its surroundings.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.distributions import MultivariateNormal

from fit3dmm.export.smoothing import averaged, ramp
from fit3dmm.model.morphable import MorphableModel

# Hair is likely at the hairline, and less and less down the face: a beard shall stay.
_HAIR_AT_HAIRLINE = 0.4
_HAIR_REACH_MM = 35.0
_OTHER = 0.003
# Colours have outliers: no single one may say more than this (natural logarithm of the odds).
_HAIR_ODDS, _OTHER_ODDS = 4.0, 8.0
# Spreads in lightness and in two directions of chroma, as logarithms of linear light: the least
# that skin and hair have, that of unseen hair, which is mostly darker, and that of anything at all.
_LEAST = (0.18, 0.06, 0.06)
_HAIR_UNSEEN, _HAIR_UNSEEN_SPREAD = (-1.2, 0.0, 0.0), (0.8, 0.3, 0.3)
_OTHER_SPREAD = (1.0, 0.4, 0.4)
# Chroma says less the darker a colour is: folds are redder than skin, and noise is of any colour.
_CHROMA_LOSS = 2.0
_FEWEST = 50
# Rounds of averaging over which a place is judged, and over which hair casts its shadow.
_ROUNDS, _SHADOW_ROUNDS = 8, 14
_OCCLUDED = (0.2, 0.5)
_SHADED = (0.01, 0.15)
# Lips farther from the mouth are looked at first; what is so many sigmas off is none near it.
_LIP_RIM_MM = 2.5
_ODD = (1.5, 2.5)


def occluded(
    log_ratio: Float[Tensor, "vertices 3"],
    log_albedo: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
) -> Float[Tensor, "vertices"]:
    """How surely something other than the face is seen at each vertex, 0..1.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        log_albedo: of the fitted colour.
        seen: how well the photo shows each vertex, of the scalp too.
        model: for its regions and the distances on its mean.
        edges: between the vertices of its surface.
    """
    skin_here, scalp = _region(model, "skin"), _region(model, "scalp")
    to_hairline_mm = _distance_to(scalp, model)
    core = (seen * skin_here > 0.5) & (to_hairline_mm >= _HAIR_REACH_MM)
    if int(core.sum()) < _FEWEST:
        return torch.zeros_like(seen)
    # The scalp's fitted colour is a shade of its own: hair is compared with the skin's.
    skin_colour = log_albedo[core].median(0).values
    hair_ratio = (log_ratio + log_albedo - skin_colour)[(seen > 0.3) & (scalp > 0.5)]
    skin, hair, other = _kinds(_opponent(log_ratio[core]), _opponent(hair_ratio))

    colours = _opponent(log_ratio)
    hair_odds = (hair.log_prob(colours) - skin.log_prob(colours)).clamp(-30, _HAIR_ODDS).exp()
    # What is darker than skin, and no hair, is a fold, a shadow or a beard, and is the face's own.
    dark = (skin.mean[0] - colours[:, 0]).clamp_min(0)
    chroma = colours[:, 1:] / (1 + _CHROMA_LOSS * dark[:, None])
    lit = torch.cat([(colours[:, 0] + dark)[:, None], chroma], 1)
    other_odds = (other.log_prob(lit) - skin.log_prob(lit)).clamp(-30, _OTHER_ODDS).exp()
    prior = _HAIR_AT_HAIRLINE * (-((to_hairline_mm / _HAIR_REACH_MM) ** 2)).exp()
    odds = prior / (1 - prior) * hair_odds + _OTHER * other_odds
    # Where colours tell nothing, as on a bald head, nothing is there.
    told = ((odds / (1 + odds) - prior) / (1 - prior)).clamp_min(0)
    patches = _surroundings(told, seen * (skin_here + scalp), edges)
    return _with_rim(ramp(patches, _OCCLUDED), edges)


def beside_lips(
    log_ratio: Float[Tensor, "vertices 3"],
    seen: Float[Tensor, "vertices"],
    model: MorphableModel,
    edges: Int[Tensor, "edges 2"],
) -> Float[Tensor, "vertices"]:
    """How surely a fitted lip lies over teeth or the dark of the mouth, 0..1.

    Args:
        log_ratio: natural logarithm of the photo's reflectance over the fitted one at large.
        seen: how well the photo shows each vertex.
        model: for its regions and the distances on its mean.
        edges: between the vertices of its surface.
    """
    lips = _region(model, "lips") * (1 - _region(model, "mouth_interior"))
    to_mouth_mm = _distance_to(_region(model, "mouth_interior"), model)
    core = (seen * lips > 0.5) & (to_mouth_mm > _LIP_RIM_MM)
    if int(core.sum()) < _FEWEST:
        return torch.zeros_like(seen)
    colours = averaged(_opponent(log_ratio), edges, 2)
    middle = colours[core].median(0).values
    spread = _typical_spread(colours[core], middle)
    odd = ((colours - middle) / spread).abs().amax(1)
    rim = lips * (to_mouth_mm < 3 * _LIP_RIM_MM)
    return averaged((rim * ramp(odd, _ODD))[:, None], edges, 2)[:, 0]


def _typical_spread(
    colours: Float[Tensor, "n 3"], middle: Float[Tensor, "3"]
) -> Float[Tensor, "3"]:
    """Standard deviations, robustly, and no smaller than skin has."""
    spread = 1.4826 * (colours - middle).abs().median(0).values
    return spread.maximum(colours.new_tensor(_LEAST))


def _kinds(
    skin: Float[Tensor, "n 3"], hair: Float[Tensor, "m 3"]
) -> tuple[MultivariateNormal, MultivariateNormal, MultivariateNormal]:
    """The distributions of skin, hair and all else, from colours of the first two."""
    middle = skin.median(0).values
    spread = _typical_spread(skin, middle)
    inliers = skin[((skin - middle).abs() < 3 * spread).all(1)]
    if len(hair) >= _FEWEST:
        of_hair = _normal(hair.mean(0), hair.T.cov(), _LEAST)
    else:
        unseen = middle + skin.new_tensor(_HAIR_UNSEEN)
        of_hair = _normal(unseen, torch.zeros(3, 3).to(skin), _HAIR_UNSEEN_SPREAD)
    anything = _normal(middle, torch.zeros(3, 3).to(skin), _OTHER_SPREAD)
    return _normal(middle, inliers.T.cov(), _LEAST), of_hair, anything


def _normal(
    mean: Float[Tensor, "3"], covariance: Float[Tensor, "3 3"], least: tuple[float, float, float]
) -> MultivariateNormal:
    floor = torch.diag(mean.new_tensor(least) ** 2)
    return MultivariateNormal(mean, covariance + floor, validate_args=False)


def _opponent(log_rgb: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Lightness, red over green, yellow over blue."""
    red, green, blue = log_rgb.unbind(-1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], -1)


def _surroundings(
    probability: Float[Tensor, "vertices"],
    weight: Float[Tensor, "vertices"],
    edges: Int[Tensor, "edges 2"],
) -> Float[Tensor, "vertices"]:
    """The mean over some millimetres of what counts."""
    sums = averaged(torch.stack([probability * weight, weight], 1), edges, _ROUNDS)
    return sums[:, 0] / sums[:, 1].clamp_min(1e-3)


def _with_rim(
    occluded: Float[Tensor, "vertices"], edges: Int[Tensor, "edges 2"]
) -> Float[Tensor, "vertices"]:
    """What is occluded and the rim of shadow and stray hair around it."""
    return ramp(averaged(occluded[:, None], edges, _SHADOW_ROUNDS)[:, 0], _SHADED).maximum(occluded)


def _distance_to(
    region: Float[Tensor, "vertices"], model: MorphableModel
) -> Float[Tensor, "vertices"]:
    """Millimetres from each vertex to a region, on the mean head."""
    base = model.mean_mm
    inside = base[region[: len(base)] > 0.5]
    if not len(inside):
        # A mask of a face has no scalp: hair may be anywhere then.
        return torch.full_like(region, _HAIR_REACH_MM)
    distance = torch.cdist(base, inside).amin(1)
    return model.surface.lift(distance[:, None])[:, 0]


def _region(model: MorphableModel, name: str) -> Float[Tensor, "vertices"]:
    return model.regions.get(name, torch.zeros_like(model.regions["face"]))
