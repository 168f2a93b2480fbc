"""The colours of the face, and how much each point of it counts."""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._settings import ranged
from fit3dmm.energy.image import SmoothImage
from fit3dmm.energy.photometric import photometric_term
from fit3dmm.energy.robust import cauchy
from fit3dmm.energy.surface_samples import SurfaceSamples
from fit3dmm.fitting.context import Context
from fit3dmm.fitting.evidence.evidence import Evidence
from fit3dmm.fitting.visibility import SeenPoints
from fit3dmm.observe.blur import blurred
from fit3dmm.solve.problem import Term

# Surface that is seen at a grazing angle tells little of colour; below the first cosine nothing.
_GRAZING = (0.1, 0.4)
_REFERENCE_SIZE_PX = 224
# A colour difference this large is half explained.
_STRANGE_SIGMAS = 3.5
# Share of a neighbourhood that must look like the face: below the first none of it counts.
_EXPLAINED = (0.4, 0.7)
# The median length of a vector of three unit normals.
_MEDIAN_OF_NORM = 1.5382


@dataclass(frozen=True)
class Photometric(Evidence):
    """Colours of the seen face, with the noise that a stage finds at its start."""

    n_samples: int = 2000
    """Points on the face at which colours are compared."""
    sigma_range: tuple[float, float] = (0.03, 0.3)
    """Bounds of what the model does not explain of a colour, as a share of the face's mean light;
    between them it is what a stage finds at its start."""
    correlation_mm: float = 15.0
    """Distance on the face within which such errors are alike: a square of this side counts as one
    observation, however many pixels it has."""
    robust_scale: float = 1.5
    """Sigmas beyond which a colour counts as none of the face's own, and pulls ever less: hair,
    glasses and shadows must not become skin."""
    skin_floor: float = ranged(0.2, 0.0, 1.0)
    """Least weight of a seen point whose colour looks like no skin."""
    cover_floor: float = ranged(0.1, 0.0, 1.0)
    """Least weight of a point that the network takes for hair, glasses, a hand or another thing
    before the face, where a network looked; 1 takes nothing from it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = self.sigma_range
        if not low < high:
            raise InputError(f"sigma_range must rise, got {low} to {high}.")

    def term(self, context: Context) -> Term:
        """What is seen and what covers it is decided at the context's values."""
        seen = self._seen(context)
        weight = seen.weight
        if context.stage.hairless_only:
            weight = weight * context.prepared.hairless
            residuals = _ColourResiduals(context, seen, weight, self.robust_scale)
        else:
            residuals = self._unmasked(context)
        sigma = self._sigma(residuals.unexplained())
        if context.stage.mask_occlusions:
            share = _share_of_face(context, weight, residuals, sigma)
            residuals = _ColourResiduals(context, seen, weight * share, self.robust_scale)
        return residuals.term(sigma)

    def explained(self, context: Context) -> tuple[float, float]:
        """How well the face's colours are explained at the context's values.

        Returns:
            The typical difference as a share of the face's mean light, and the share of the seen
            face that is explained at all.
        """
        weight = self._seen(context).weight
        residuals = self._unmasked(context)
        error = residuals.unexplained()
        share = _share_of_face(context, weight, residuals, self._sigma(error))
        return error, float((weight * share).sum() / weight.sum().clamp_min(1e-9))

    def _seen(self, context: Context) -> "_SeenSamples":
        """What the stages of one shape have in common."""

        def make() -> _SeenSamples:
            weight = self.weights(context)
            (rows,) = torch.nonzero(_counts(weight), as_tuple=True)
            samples = context.prepared.samples.select(rows).relinearised(
                context.surface.shape_mm, context.prepared.model.surface.triangles, context.values
            )
            return _SeenSamples(weight, rows, samples)

        return context.surface.once(self, make)

    def _unmasked(self, context: Context) -> "_ColourResiduals":
        """Of all that is seen, for the term and for those who judge where it ended."""

        def make() -> _ColourResiduals:
            seen = self._seen(context)
            return _ColourResiduals(context, seen, seen.weight, self.robust_scale)

        return context.once(("colours", self), context.values, make)

    def energies(
        self, context: Context, sigma: float
    ) -> tuple[Float[Tensor, "points"], Float[Tensor, "points"]]:
        """Of each of the samples, and how many observations it stands for: 0 where it is unseen.

        Args:
            context: what is looked at, with nothing masked.
            sigma: of a colour, as a share of the face's mean light.
        """
        seen = self._seen(context)
        residuals = self._unmasked(context)
        rows, energy = residuals.rows, torch.zeros_like(seen.weight)
        energy[rows] = seen.weight[rows] * residuals.energies(sigma)
        counted = torch.zeros_like(energy)
        counted[rows] = seen.weight[rows]
        return energy, counted

    def weights(self, context: Context) -> Float[Tensor, "points"]:
        """How many independent observations each of the samples stands for, 0 where unseen."""
        samples = context.prepared.samples
        seen = context.surface.at(samples.places)
        low, high = _GRAZING
        grazing = ((seen.facing - low) / (high - low)).clamp(0, 1)
        skin = context.observation.skin[seen.row, seen.column].to(samples.area_mm2)
        skin = self.skin_floor + (1 - self.skin_floor) * skin
        skin = skin * self._uncovered(context, seen)
        visible = (seen.in_front & seen.inside).to(skin)
        projected_mm2 = samples.area_mm2 * seen.facing.clamp(min=0)
        return visible * grazing * skin * projected_mm2 / self.correlation_mm**2

    def _uncovered(self, context: Context, seen: SeenPoints) -> Float[Tensor, "points"] | float:
        """Weight of each of the samples by what the network says lies before it."""
        predicted = context.observation.predicted
        if predicted is None or self.cover_floor == 1:
            return 1.0
        crop_px = torch.stack([seen.column, seen.row], -1) + 0.5
        photo_px = context.observation.T_crop_photo.inverse() @ crop_px.to(predicted.cover)
        bare = predicted.skin_at(photo_px).to(seen.facing)
        return self.cover_floor + (1 - self.cover_floor) * bare

    def _sigma(self, unexplained: float) -> float:
        """What is unexplained, within the settings' bounds."""
        low, high = self.sigma_range
        return min(max(unexplained, low), high)


@dataclass(frozen=True)
class _SeenSamples:
    """The samples that are seen, whatever is before them."""

    weight: Float[Tensor, "points"]
    """Of all samples."""
    rows: Int[Tensor, "seen"]
    samples: SurfaceSamples
    """Those that count, with normals that are exact at the context's shape."""


def _counts(weight: Float[Tensor, "points"]) -> Bool[Tensor, "points"]:
    return weight > 1e-3 * weight.max()


class _ColourResiduals:
    """The term for any sigma, in units of the face's mean light."""

    def __init__(
        self,
        context: Context,
        seen: _SeenSamples,
        weight: Float[Tensor, "points"],
        robust_scale: float,
    ) -> None:
        """The residuals of the seen samples that count.

        Args:
            context: what is looked at.
            seen: the samples that are seen.
            weight: of all samples, no larger than theirs.
            robust_scale: see `Photometric`.
        """
        observation = context.observation
        (within,) = torch.nonzero(_counts(weight)[seen.rows], as_tuple=True)
        self.rows = seen.rows[within]
        self._context = context
        self._weight = weight[self.rows]
        self._samples = (
            seen.samples if len(within) == len(seen.rows) else seen.samples.select(within)
        )
        blur_px = context.stage.blur_px * observation.size_px / _REFERENCE_SIZE_PX
        self._image = SmoothImage(blurred(observation.image_linear.to(weight), blur_px))
        self._T_crop_photo = observation.T_crop_photo.to(dtype=weight.dtype)
        self._light = _mean_light(context, weight)
        self._loss = cauchy(robust_scale)

    def term(self, sigma: float) -> Term:
        return photometric_term(
            self._samples,
            self._weight,
            self._image,
            self._T_crop_photo,
            self._context.intrinsics,
            sigma * self._light,
            self._loss,
        )

    def energies(self, sigma: float) -> Float[Tensor, "seen"]:
        """Of each point, were it one observation."""
        return self._loss((self.distance / (sigma * self._light)).square())[0]

    @cached_property
    def distance(self) -> Float[Tensor, "seen"]:
        """Length of each point's colour difference."""
        residual = self.term(1.0)(self._context.values).residual
        return residual.unflatten(-1, (-1, 3)).norm(dim=-1)

    def unexplained(self) -> float:
        """Robust standard deviation of a colour channel: from the weighted median difference."""
        if not len(self._weight):
            return math.inf
        distance = self.distance
        order = distance.argsort()
        share = self._weight[order].cumsum(0) / self._weight.sum()
        median = float(distance[order][int((share < 0.5).sum())])
        return median / _MEDIAN_OF_NORM


def _share_of_face(
    context: Context, weight: Float[Tensor, "points"], residuals: _ColourResiduals, sigma: float
) -> Float[Tensor, "points"]:
    """1 where the photo shows the face, towards 0 where much of the neighbourhood is none of it.

    Hair, glasses and hands are as wide as a neighbourhood, badly placed features are not. A robust
    loss gives up the points that lie on hair, but those on its edge still pull the face off it.
    """
    explained = torch.zeros_like(weight)
    strangeness = residuals.distance / (_STRANGE_SIGMAS * sigma)
    explained[residuals.rows] = 1 / (1 + strangeness.square())
    near = context.prepared.neighbours
    of_near = weight[near]
    mean = (of_near * explained[near]).sum(-1) / of_near.sum(-1).clamp_min(1e-9)
    low, high = _EXPLAINED
    return ((mean - low) / (high - low)).clamp(0, 1)


def _mean_light(context: Context, weight: Float[Tensor, "points"]) -> float:
    """Mean linear colour of the seen face: the scale of everything that light does."""
    seen = context.surface.at(context.prepared.samples.places)
    colours = context.observation.image_linear[seen.row, seen.column].to(weight).mean(-1)
    mean = (weight * colours).sum() / weight.sum().clamp_min(1e-9)
    # A black picture must not divide by zero.
    return max(float(mean), 1e-3)
