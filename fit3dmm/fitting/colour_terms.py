"""The term of a stage that compares colours, and how much each point of the face counts in it."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.energy.image import SmoothImage, blurred
from fit3dmm.energy.photometric import photometric_term
from fit3dmm.energy.robust import cauchy
from fit3dmm.fitting.context import Context
from fit3dmm.solve.problem import Term
from fit3dmm.unknowns import coefficients_of

# Surface that is seen at a grazing angle tells little of colour; below the first cosine nothing.
_GRAZING = (0.1, 0.4)
_REFERENCE_SIZE_PX = 224
# A colour difference this large is half explained.
_STRANGE_SIGMAS = 3.5
# Share of a neighbourhood that must look like the face: below the first none of it counts.
_EXPLAINED = (0.4, 0.7)
# The median length of a vector of three unit normals.
_MEDIAN_OF_NORM = 1.5382


def build_photometric(context: Context) -> Term:
    """Colours of the seen face, with the noise that the stage finds at its start."""
    weight = photometric_weights(context)
    if context.stage.bare_skin:
        weight = weight * context.prepared.skin_bare
    maker = _TermMaker(context, weight)
    sigma = _noise(maker.unexplained(), context)
    if context.stage.leaves_out_occluded:
        maker = _TermMaker(context, weight * _share_of_face(context, weight, maker, sigma))
    return maker.term(sigma)


def judge_colours(context: Context) -> tuple[float, float]:
    """How well the face's colours are explained at the context's values.

    Returns:
        The typical difference as a share of the face's mean light, and the share of the seen face
        that is explained at all.
    """
    weight = photometric_weights(context)
    maker = _TermMaker(context, weight)
    error = maker.unexplained()
    share = _share_of_face(context, weight, maker, _noise(error, context))
    return error, float((weight * share).sum() / weight.sum().clamp_min(1e-9))


def _noise(unexplained: float, context: Context) -> float:
    """What is unexplained, within the settings' bounds."""
    low, high = context.config.photometric_sigma_range
    return min(max(unexplained, low), high)


def _share_of_face(
    context: Context, weight: Float[Tensor, "points"], maker: "_TermMaker", sigma: float
) -> Float[Tensor, "points"]:
    """1 where the photo shows the face, towards 0 where much of the neighbourhood is none of it.

    Hair, glasses and hands are as wide as a neighbourhood, badly placed features are not. A robust
    loss gives up the points that lie on hair, but those on its edge still pull the face off it.
    """
    explained = torch.zeros_like(weight)
    explained[maker.rows] = 1 / (1 + (maker.distance() / (_STRANGE_SIGMAS * sigma)).square())
    near = context.prepared.skin_neighbours
    of_near = weight[near]
    mean = (of_near * explained[near]).sum(1) / of_near.sum(1).clamp_min(1e-9)
    low, high = _EXPLAINED
    return ((mean - low) / (high - low)).clamp(0, 1)


class _TermMaker:
    """Makes the term for any sigma, in units of the face's mean light."""

    def __init__(self, context: Context, weight: Float[Tensor, "points"]) -> None:
        config, observation = context.config, context.observation
        model = context.prepared.model
        (self.rows,) = torch.nonzero(weight > 1e-3 * weight.max(), as_tuple=True)
        self._context = context
        self._weight = weight[self.rows]
        self._skin = context.prepared.skin.select(self.rows).relinearised(
            context.surface.shape_mm, model.surface.triangles, coefficients_of(context.values)
        )
        blur_px = context.stage.blur_px * observation.size_px / _REFERENCE_SIZE_PX
        self._image = SmoothImage(blurred(observation.image_linear.to(weight), blur_px))
        self._T_crop_photo = observation.T_crop_photo.to(dtype=weight.dtype)
        self._light = mean_light(context, weight)
        self._loss = cauchy(config.photometric_turn)

    def term(self, sigma: float) -> Term:
        return photometric_term(
            self._skin,
            self._weight,
            self._image,
            self._T_crop_photo,
            self._context.intrinsics,
            sigma * self._light,
            self._loss,
        )

    def distance(self) -> Float[Tensor, "seen"]:
        """Length of each point's colour difference."""
        return self.term(1.0)(self._context.values).residual.reshape(-1, 3).norm(dim=1)

    def unexplained(self) -> float:
        """Robust standard deviation of a colour channel: from the weighted median difference."""
        if not len(self._weight):
            return math.inf
        distance = self.distance()
        order = distance.argsort()
        share = self._weight[order].cumsum(0) / self._weight.sum()
        median = float(distance[order][int((share < 0.5).sum())])
        return median / _MEDIAN_OF_NORM


def photometric_weights(context: Context) -> Float[Tensor, "points"]:
    """How many independent observations each of the skin points stands for, 0 where unseen."""
    config, skin = context.config, context.prepared.skin
    seen = context.surface.at(skin.places)
    low, high = _GRAZING
    grazing = ((seen.facing - low) / (high - low)).clamp(0, 1)
    colour = context.observation.skin[seen.row, seen.column].to(skin.area_mm2)
    colour = config.skin_floor + (1 - config.skin_floor) * colour
    visible = (seen.in_front & seen.inside).to(colour)
    projected_mm2 = skin.area_mm2 * seen.facing.clamp(min=0)
    return visible * grazing * colour * projected_mm2 / config.photometric_correlation_mm**2


def mean_light(context: Context, weight: Float[Tensor, "points"]) -> float:
    """Mean linear colour of the seen face: the scale of everything that light does."""
    seen = context.surface.at(context.prepared.skin.places)
    colours = context.observation.image_linear[seen.row, seen.column].to(weight).mean(1)
    mean = (weight * colours).sum() / weight.sum().clamp_min(1e-9)
    # A black picture must not divide by zero.
    return max(float(mean), 1e-3)
