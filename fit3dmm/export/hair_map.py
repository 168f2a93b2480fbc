"""Where a photo shows hair: on the head, about it, and before the face.

The network's map is coarse and takes white hair for skin or for the wall behind it. So each picture
says itself what hair, skin and background look like in it: t distributions of the logarithms of
their colours and of how rough they are, found by expectation-maximisation (Dempster, Laird,
Rubin 1977), with priors by where the fitted head lies and by what the network saw.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt, gaussian_filter, grey_opening, uniform_filter
from scipy.spatial import KDTree
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm._settings import Settings, ranged
from fit3dmm.export.covered import below_nose
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import BACKGROUND, HAIR, OTHER, SKIN, Predicted

# What is behind looks otherwise to the left, above and to the right.
_SIDES = 3
# Hair is seen in the light and in the shade of other hair.
_SKIN, _HAIR, _SHADE, _CLOTHES, _BEHIND = range(5)
_KINDS = _BEHIND + _SIDES
# Of linear light: darker is noise.
_BLACK = 0.004
# Cells whose place makes a kind this likely say at the start what it looks like.
_LIKELY = 0.25
# Degrees of freedom of the distributions of colours: hair and walls have outliers.
_FREEDOM = 12.0


@dataclass(frozen=True)
class HairMapSettings(Settings):
    """What is taken for hair: judgements by looking, not measurements."""

    cells: int = ranged(120, 32)
    """Side of the map."""
    margin: float = ranged(1.7, 1.0)
    """Its side over the head's longer side."""
    rounds: int = ranged(4, 1)
    """Rounds of expectation and maximisation."""
    network_errs: float = ranged(0.12, 0.0, 1.0)
    """Probability that is added to each of those that the network tells."""
    on_scalp: float = ranged(0.5, 0.0, 1.0)
    """Prior probability of hair where the head's model has its scalp."""
    reach_mm: tuple[float, float] = (22.0, 30.0)
    """Distances over which it falls by a factor of e: from the scalp down the face, and out from
    the head."""
    on_face: float = ranged(0.02, 0.0, 1.0)
    """The same anywhere on the face: strands."""
    least_spread: tuple[float, float, float, float] = (0.25, 0.07, 0.09, 0.35)
    """Least standard deviations of lightness, of two directions of hue and of roughness."""
    fewest: float = ranged(60.0, 0.0)
    """Cells of hair, or of skin, without which there is none."""
    narrowest_cells: int = ranged(3, 1)
    """What is narrower is no hair."""
    beard: float = ranged(0.1, 0.0, 1.0)
    """The same below the nose."""
    least_yellow: float = ranged(0.2, 0.0)
    """Natural logarithm of blue over the other colours beyond which hair is unlikely."""
    own_mm: float = 25.0
    """Distance from the head over which what looks like hair says less of its colour by a factor of
    e."""
    smooth_cells: float = ranged(0.8, 0.0)
    """Standard deviation of the blur of what each cell says."""


@dataclass(frozen=True)
class HairMap:
    """What cells of a photo show, in a square about the head."""

    hair: Float[Tensor, "cells cells"]
    """Probability of hair."""
    skin: Float[Tensor, "cells cells"]
    """Probability of skin."""
    image_linear: Float[Tensor, "cells cells 3"]
    T_map_photo: Similarity

    away_mm: Float[Tensor, "cells cells"]
    """From the head, in the picture."""
    on_scalp: Bool[Tensor, "cells cells"]
    """Where the fitted head has its scalp, or where hair stands off it."""
    vertex: Int[Tensor, "cells cells"]
    """Of the head's outside, that is nearest in the picture."""

    def at(self, photo_px: Float[Tensor, "points 2"]) -> Float[Tensor, "points 2"]:
        """Probabilities of hair and of skin at points of the photo; none beyond the map."""
        return self._sampled(torch.stack([self.hair, self.skin], -1), photo_px)

    def colour_at(self, photo_px: Float[Tensor, "points 2"]) -> Float[Tensor, "points 3"]:
        """Linear colour at points of the photo, as coarse as the map; black beyond it."""
        return self._sampled(self.image_linear, photo_px)

    def _sampled(
        self, cells: Float[Tensor, "cells cells c"], photo_px: Float[Tensor, "points 2"]
    ) -> Float[Tensor, "points c"]:
        places = (self.T_map_photo @ photo_px) / len(self.hair)
        picture = cells.permute(2, 0, 1)[None].to(photo_px)
        grid = (2 * places - 1)[None, None]
        return torch.nn.functional.grid_sample(picture, grid, align_corners=False)[0, :, 0].T


def hair_map(
    photo: Photo,
    predicted: Predicted | None,
    model: MorphableModel,
    photo_px: Float[Tensor, "vertices 2"],
    facing: Float[Tensor, "vertices"],
    mm_per_px: float,
    settings: HairMapSettings,
) -> HairMap | None:
    """The map of one photo; None where it can't be told what skin looks like in it.

    Args:
        photo: the one that was fitted.
        predicted: what the network saw, if one looked.
        model: the one that was fitted.
        photo_px: where the photo shows its vertices.
        facing: cosine between their normals and the view.
        mm_per_px: of the head in the photo.
        settings: what is taken for hair.
    """
    if "scalp" not in model.regions:
        return None
    outer = _outer(model)
    head_px = photo_px[outer & (facing > 0)].cpu()
    low, high = head_px.amin(0), head_px.amax(0)
    side_px = settings.margin * float((high - low).max())
    n = settings.cells
    middle = (low + high) / 2
    # Hair is above rather than below.
    corner = middle - side_px * torch.tensor([0.5, 0.55])
    scale = n / side_px
    T_map_photo = Similarity.in_plane(scale, tuple((-scale * corner).tolist()))
    crop = extract_crop(photo, T_map_photo, n)
    inside = crop.inside.numpy()
    features = _features(crop.image_linear.numpy())
    where = _priors(model, T_map_photo, photo_px, facing, mm_per_px / scale, n, settings)
    prior = where.prior
    if predicted is not None:
        prior = prior * (_told(predicted, T_map_photo, n) + settings.network_errs)
    # No hair is blue: what is seen past it may be.
    blue = np.clip((-features[2] - settings.least_yellow) / 0.1, 0, None)
    prior[[_HAIR, _SHADE]] *= np.exp(-0.5 * blue**2)
    prior = prior * inside + 1e-6
    prior = (prior / prior.sum(0)).astype(np.float32)
    sure = where.sure & inside
    if sure.sum() < settings.fewest:
        return None
    counts = np.ones(prior.shape, np.float32)
    counts[[_HAIR, _SHADE]] = np.exp(-where.away_mm / settings.own_mm)
    shares = _explained(features, prior, sure, counts * inside, settings)
    hair, skin = (
        torch.from_numpy((one * inside).astype(np.float32))
        for one in (shares[_HAIR] + shares[_SHADE], shares[_SKIN])
    )
    away_mm, on_scalp = (torch.from_numpy(one) for one in (where.away_mm, where.on_scalp))
    vertex = torch.from_numpy(where.vertex)
    return HairMap(hair, skin, crop.image_linear, T_map_photo, away_mm.float(), on_scalp, vertex)


def _features(image: np.ndarray) -> np.ndarray:
    """Lightness, red over green, yellow over blue (natural logarithms), and roughness."""
    red, green, blue = np.moveaxis(np.log(np.maximum(image, _BLACK)), -1, 0)
    light = (red + green + blue) / 3
    fine = light - uniform_filter(light, 3)
    rough = 0.5 * np.log(gaussian_filter(fine**2, 1.0) + 3e-4)
    # Below a hundredth of white hues are noise.
    sure = np.clip((light - np.log(_BLACK)) / 2.0, 0.15, 1.0)
    hues = ((red - green) * sure, ((red + green) / 2 - blue) * sure)
    return np.stack([light, *hues, rough]).astype(np.float32)


@dataclass(frozen=True)
class _Priors:
    prior: Float[np.ndarray, "kinds n n"]
    sure: Bool[np.ndarray, "n n"]
    """Surely skin."""
    away_mm: Float[np.ndarray, "n n"]
    on_scalp: Bool[np.ndarray, "n n"]
    vertex: Int[np.ndarray, "n n"]


def _priors(
    model: MorphableModel,
    T_map_photo: Similarity,
    photo_px: Tensor,
    facing: Tensor,
    mm_per_cell: float,
    n: int,
    settings: HairMapSettings,
) -> _Priors:
    """What each cell shows, as far as its place tells."""
    places = (T_map_photo @ photo_px).cpu()

    def splat(shown: Tensor, values: Tensor, beyond: float) -> np.ndarray:
        at = places[shown].long().clamp(0, n - 1)
        filled = torch.full((n * n,), beyond)
        rows = at[:, 1] * n + at[:, 0]
        return filled.scatter_reduce(0, rows, values[shown].cpu(), "amin").reshape(n, n).numpy()

    seen = facing > 0.05
    outer, beyond = _outer(model) & seen, 1e3
    near = splat(outer, to_scalp_mm(model), beyond)
    on_head = uniform_filter((near < beyond).astype(np.float32), 3) > 0.3
    nearest: Any = distance_transform_edt(near >= beyond, return_indices=True)
    holes, (row, column) = nearest
    near, away_mm = near[row, column], holes * mm_per_cell * ~on_head
    bearded = splat(outer, 1 - below_nose(model), 1.0)[row, column] < 0.5
    neck = model.regions.get("neck", torch.zeros_like(facing)) > 0.5
    on_neck = uniform_filter(splat(neck & seen, 0 * facing, 1.0), 3) < 0.7
    on_neck &= ~on_head
    core = splat(_core(model) & (facing > 0.4), 0 * facing, 1.0) < 0.5
    chin = float(places[outer, 1].max())
    low = np.clip((np.arange(n)[:, None] + 0.5 - chin) * mm_per_cell / 20.0, 0, 1)
    down, out = settings.reach_mm
    on_face = np.where(bearded, settings.beard, settings.on_face)
    hair = np.where(
        on_head,
        settings.on_scalp * np.exp(-((near / down) ** 2)) + on_face,
        0.6 * np.exp(-away_mm / out) * np.exp(-near / 150.0) * (1 - 0.7 * low),
    )
    skin = np.where(on_head, 1 - hair, 0.3 * np.exp(-((away_mm / 4.0) ** 2)))
    skin, hair = np.where(on_neck, 0.8, skin), np.where(on_neck, 0.08, hair)
    clothes = np.where(on_head, 0.01, low * (1 - skin - hair)).clip(0.0)
    behind = np.where(on_head | on_neck, 0.02, 1 - hair - skin - clothes).clip(0.02)
    middle = places[outer].mean(0)
    column = np.arange(n)[None] + 0.5 - float(middle[0])
    row = np.minimum(np.arange(n)[:, None] + 0.5 - float(middle[1]), 0)
    # Shares of the sides, with soft borders.
    sides = np.stack([-column + 0 * row, -row + 0 * column, column + 0 * row])
    sides = np.exp((sides - sides.max(0)) / (0.1 * n))
    behind = behind * sides / sides.sum(0)
    prior = np.stack([skin, hair / 2, hair / 2, clothes, *behind])
    return _Priors(prior, core, away_mm, near < 10.0, _nearest(places, outer, n))


def _nearest(places: Tensor, shown: Tensor, n: int) -> Int[np.ndarray, "n n"]:
    """The vertex that is seen nearest to the middle of each cell."""
    rows = torch.nonzero(shown)[:, 0].cpu().numpy()
    middles = np.stack(np.meshgrid(*[np.arange(n) + 0.5] * 2, indexing="xy"), -1)
    return rows[KDTree(places.numpy()[rows]).query(middles)[1]]


def _told(predicted: Predicted, T_map_photo: Similarity, n: int) -> np.ndarray:
    """What the network makes of each cell; beyond what it saw, nothing."""
    grid = (torch.stack(torch.meshgrid(torch.arange(n), torch.arange(n), indexing="xy"), -1)) + 0.5
    photo_px = T_map_photo.inverse() @ grid.reshape(-1, 2)
    cover = predicted.cover_at(photo_px)
    seen = predicted.looked_at(photo_px)
    told = cover[[SKIN, HAIR, HAIR, OTHER, *[BACKGROUND] * _SIDES]]
    told = torch.where(seen, told, torch.ones_like(told))
    return told.reshape(_KINDS, n, n).numpy()


def _explained(
    features: np.ndarray,
    prior: np.ndarray,
    sure: np.ndarray,
    counts: np.ndarray,
    settings: HairMapSettings,
) -> np.ndarray:
    """Posterior of each kind at each cell; `counts` is how much each says of what a kind looks
    like."""
    values = features.reshape(len(features), -1)
    start = prior.reshape(_KINDS, -1)
    counts = counts.reshape(_KINDS, -1)
    # Hair's two kinds share their prior.
    likely = np.where(start > _LIKELY, start, 0)
    weight = likely * counts
    weight[_SKIN] = sure.reshape(-1)
    hair = weight[_HAIR] > 0
    if hair.any():
        lit = values[0] > np.median(values[0][hair])
        weight[_HAIR] *= lit
        weight[_SHADE] *= ~lit
    least = np.array(settings.least_spread, np.float32) ** 2
    shares = start
    shape, size = prior.shape[1:], settings.narrowest_cells
    for _ in range(settings.rounds):
        densities = np.stack([_log_density(values, one, least) for one in weight])
        if settings.smooth_cells:
            blur = (0, *[settings.smooth_cells] * 2)
            densities = gaussian_filter(densities.reshape(-1, *shape), blur).reshape(_KINDS, -1)
        odds = start * np.exp(densities - densities.max(0))
        shares = odds / odds.sum(0)
        # About a bald head runs a rim of cells that are neither its skin nor the wall.
        hair = shares[_HAIR] + shares[_SHADE]
        wide = grey_opening(hair.reshape(shape), size).ravel() / hair.clip(1e-6)
        shares[[_HAIR, _SHADE]] *= wide
        weight = shares * counts
        # On a bald head what is taken for hair must not learn what skin looks like.
        weight[[_HAIR, _SHADE]] *= 1 - np.exp(densities[_SKIN] - densities[_SKIN].max())
        weight[_SKIN] = weight[_SKIN] * 0.3 + sure.reshape(-1)
        if weight[[_HAIR, _SHADE]].sum() < settings.fewest:
            shares[[_HAIR, _SHADE]] = 0
            break
    return shares.reshape(prior.shape)


def _log_density(values: np.ndarray, weight: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Of a normal distribution that is found from weighted values, with heavy tails."""
    total = weight.sum() + 1e-9
    mean = values @ weight / total
    centred = values - mean[:, None]
    covariance = (centred * weight) @ centred.T / total + np.diag(least)
    factor = np.linalg.cholesky(covariance.astype(np.float64))
    away = np.linalg.inv(factor).astype(np.float32) @ centred
    # Student's t with few degrees of freedom: no cell is impossible.
    squared = np.einsum("fc,fc->c", away, away)
    n = len(values)
    log_scale = float(np.log(np.diag(factor)).sum())
    return -0.5 * (_FREEDOM + n) * np.log1p(squared / _FREEDOM) - log_scale


def _outer(model: MorphableModel) -> Tensor:
    """Vertices of the head's outside, without the neck."""
    inner = [model.regions.get(name) for name in ("eyes", "mouth_interior")]
    outer = torch.ones_like(model.regions["face"])
    for one in inner:
        if one is not None:
            outer = outer * (1 - one)
    neck = model.regions.get("neck", torch.zeros_like(outer))
    return (outer > 0.5) & (neck < 0.5)


def _core(model: MorphableModel) -> Tensor:
    """Skin that is neither near hair nor brows, lips or a beard."""
    skin = model.regions["face"] * model.regions["skin"] * (1 - below_nose(model))
    return (skin > 0.9) & (to_scalp_mm(model) > 35)


@kept(most=1)
def to_scalp_mm(model: MorphableModel) -> Float[Tensor, "vertices"]:
    """Millimetres from each vertex to the scalp, on the mean head."""
    base = model.mean_mm
    scalp = base[model.regions["scalp"][: len(base)] > 0.5]
    return model.surface.lift(torch.cdist(base, scalp).amin(1)[:, None])[:, 0]
