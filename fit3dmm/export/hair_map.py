"""Where a photo shows hair: on the head, about it, and before the face.

The network's map is coarse and takes white hair for skin or for the wall behind it. So each picture
says itself what hair, skin and background look like in it: t distributions of the logarithms of
their colours and of how rough they are, found by expectation-maximisation (Dempster, Laird,
Rubin 1977), with priors by where the fitted head lies and by what the network saw.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter, uniform_filter
from torch import Tensor

from fit3dmm.export.hair_map_settings import HairMapSettings
from fit3dmm.export.hair_mixture import explained
from fit3dmm.export.hair_prior import OF_HAIR, Kind, head_outside, placed_priors, told_by_network
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo
from fit3dmm.observe.predicted import Predicted

DARKEST_LINEAR = 0.004
"""Of linear light in a photo: darker is noise."""


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

    def away_at(self, photo_px: Float[Tensor, "points 2"]) -> Float[Tensor, "points"]:
        """Millimetres from the head at points of the photo; 0 beyond the map."""
        return self._sampled(self.away_mm[..., None], photo_px)[:, 0]

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
    outer = head_outside(model)
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
    where = placed_priors(model, T_map_photo, photo_px, facing, mm_per_px / scale, n, settings)
    prior = where.prior
    if predicted is not None:
        prior = prior * (told_by_network(predicted, T_map_photo, n) + settings.network_errs)
    # No hair is blue: what is seen past it may be.
    blue = np.clip((-features[2] - settings.least_yellow) / 0.1, 0, None)
    prior[OF_HAIR] *= np.exp(-0.5 * blue**2)
    prior = prior * inside + 1e-6
    prior = (prior / prior.sum(0)).astype(np.float32)
    sure = where.sure & inside
    if sure.sum() < settings.fewest:
        return None
    counts = np.ones(prior.shape, np.float32)
    counts[OF_HAIR] = np.exp(-where.away_mm / settings.own_mm)
    shares = explained(features, prior, sure, counts * inside, settings)
    hair, skin = (
        torch.from_numpy((one * inside).astype(np.float32))
        for one in (shares[Kind.LIT] + shares[Kind.SHADE], shares[Kind.SKIN])
    )
    away_mm, on_scalp = (torch.from_numpy(one) for one in (where.away_mm, where.on_scalp))
    vertex = torch.from_numpy(where.vertex)
    return HairMap(hair, skin, crop.image_linear, T_map_photo, away_mm.float(), on_scalp, vertex)


def _features(image: np.ndarray) -> np.ndarray:
    """Lightness, red over green, yellow over blue (natural logarithms), and roughness."""
    red, green, blue = np.moveaxis(np.log(np.maximum(image, DARKEST_LINEAR)), -1, 0)
    light = (red + green + blue) / 3
    fine = light - uniform_filter(light, 3)
    rough = 0.5 * np.log(gaussian_filter(fine**2, 1.0) + 3e-4)
    # Below a hundredth of white hues are noise.
    sure = np.clip((light - np.log(DARKEST_LINEAR)) / 2.0, 0.15, 1.0)
    hues = ((red - green) * sure, ((red + green) / 2 - blue) * sure)
    return np.stack([light, *hues, rough]).astype(np.float32)
