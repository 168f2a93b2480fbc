"""The term for points that a detector saw.

A network that finds the points of a face answers with a likely face: it makes unusual shapes less
unusual, turns less turned, and errs on neighbouring points alike. So its points are not the face's
points with some noise, and 478 of them are not 478 observations. Where it puts them is

    the points + bias + by_score @ scores + by_view @ view + modes @ z + noise

in which the scores say how the points of this face differ from the mean face's, `view` are
`view_features`, z are unknowns of their own with a standard normal prior (what the detector happens
to make of this photo), and the noise of each point is independent.
"""

import functools
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._tensors import TensorRecord
from fit3dmm.energy.points import (
    Located,
    Points,
    Projection,
    combined,
    project,
)
from fit3dmm.energy.robust import Loss, charbonnier
from fit3dmm.geometry.rotation import cross_matrix
from fit3dmm.solve.problem import Residuals, Term, Values
from fit3dmm.unknowns import ROTATION, TRANSLATION, PhotoIntrinsics

_REFERENCE_DISTANCE_MM = 1000.0


@dataclass(frozen=True)
class ShapeScores(TensorRecord):
    """A few numbers that say how points of a face lie to each other, linear in their places."""

    mean_mm: Float[Tensor, "points 3"]
    """On the mean face, in `model`."""
    at_mean: Float[Tensor, "scores"]
    basis: Float[Tensor, "scores points 3"]
    """In 1/mm."""

    def at(self, located: Located) -> Float[Tensor, "*batch scores"]:
        """The scores of a face."""
        moved_mm = (located.mm - self.mean_mm).flatten(-2)
        return self.at_mean + moved_mm @ self.basis.flatten(1).mT

    def wrt(self, name: str, located: Located) -> Float[Tensor, "*batch scores n"]:
        """Their derivatives with respect to an unknown that moves the points."""
        points_wrt = located.wrt[name]
        kept = self._kept.get(name)
        if kept is None or kept[0] is not points_wrt:
            kept = points_wrt, self.basis.flatten(1) @ points_wrt.flatten(-3, -2)
            self._kept[name] = kept
        return kept[1]

    @cached_property
    def _kept(self) -> dict[str, tuple[Tensor, Tensor]]:
        """The last derivatives: those of linear points are the same in all steps of all fits, and
        this product is larger than all others of the term."""
        return {}


@dataclass(frozen=True)
class PointErrors(TensorRecord):
    """How a detector errs on the points of a model, near one view. In px of the photo."""

    bias_px: Float[Tensor, "points 2"]
    by_score_px: Float[Tensor, "points 2 scores"]
    scores: ShapeScores
    by_view_px: Float[Tensor, "points 2 features"]
    modes_px: Float[Tensor, "points 2 modes"]
    whitening: Float[Tensor, "points 2 2"]
    """Makes of the noise of each point one of unit size, in 1/px."""
    forward: Float[Tensor, "3"]
    """Out of the face, in `model`."""
    upright: Float[Tensor, "2 2"]
    """Turns x and y of `cam` so that the head stands upright."""


def view_features(
    forward_upright: Float[Tensor, "*n 2"], distance_mm: Float[Tensor, "*n"]
) -> Float[Tensor, "*n 6"]:
    """What the errors depend on besides the shape: the turn of the head to second order, and how
    near it is.

    Args:
        forward_upright: x and y, with the head upright, of the unit vector out of the face.
        distance_mm: of the model's origin from the camera.
    """
    x, y = forward_upright.unbind(-1)
    near = _REFERENCE_DISTANCE_MM / distance_mm - 1
    return torch.stack([x, y, x * x, x * y, y * y, near], -1)


def detected_term(
    points: Points,
    observed_px: Float[Tensor, "points 2"],
    errors: PointErrors,
    modes: str,
    intrinsics: PhotoIntrinsics,
    loss: Loss | None = None,
) -> Term:
    """Distances of the points that the detector should see from those that it saw.

    Args:
        points: of the model, in the detector's order.
        observed_px: where it saw them, in the photo.
        errors: how the detector errs on each of them.
        modes: what z is called among the unknowns.
        intrinsics: the photo's camera but for the focal length, which is an unknown.
        loss: of each point's distance in sigmas.
    """
    loss = loss or charbonnier(scale=3.0)
    whitening = errors.whitening
    kept: dict[str, tuple[Tensor, Tensor]] = {}

    def whitened(px_wrt: Float[Tensor, "*any points 2 _"]) -> Float[Tensor, "*any rows _"]:
        return (whitening @ px_wrt).flatten(-3, -2)

    def rows_wrt_scores(name: str, located: Located) -> Float[Tensor, "*any rows _"]:
        scores_wrt = errors.scores.wrt(name, located)
        if name not in kept or kept[name][0] is not scores_wrt:
            kept[name] = scores_wrt, whitened(errors.by_score_px @ scores_wrt[..., None, :, :])
        return kept[name][1]

    @functools.cache
    def rows_wrt_modes() -> Float[Tensor, "rows _"]:
        return whitened(errors.modes_px)

    def term(values: Values) -> Residuals:
        at = project(points, values, intrinsics)
        off_px = expected_px(at, values, errors, modes) - observed_px
        residual = (whitening @ off_px[..., None])[..., 0]
        energy, weight = loss(residual.square().sum(-1))

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            parts = at.pull_back(whitening, free)
            for name, rows in _error_parts(free).items():
                parts[name] = parts[name] + rows if name in parts else rows
            return parts

        def _error_parts(free: tuple[str, ...]) -> dict[str, Float[Tensor, "*any rows _"]]:
            turn, distance_mm = _view(at, values, errors)
            moving = [name for name in at.located.wrt if name in free]
            parts = {name: rows_wrt_scores(name, at.located) for name in moving}
            if ROTATION in free:
                forward = at.rotation @ errors.forward
                of_forward = -(cross_matrix(forward) @ at.rotation_jacobian)[..., :2, :]
                by_turn = _features_wrt_turn(turn) @ errors.upright @ of_forward
                parts[ROTATION] = whitened(errors.by_view_px @ by_turn[..., None, :, :])
            if TRANSLATION in free:
                by_place = torch.zeros_like(values[TRANSLATION])
                by_place[..., 2] = _REFERENCE_DISTANCE_MM / distance_mm**2
                near = errors.by_view_px[..., -1:]
                parts[TRANSLATION] = whitened(near * by_place[..., None, None, :])
            if modes in free:
                parts[modes] = rows_wrt_modes()
            return parts

        return Residuals(
            residual.flatten(-2),
            energy.sum(-1),
            weight.detach().repeat_interleave(2, -1),
            jacobian,
        )

    return term


def expected_px(
    at: Projection, values: Values, errors: PointErrors, modes: str
) -> Float[Tensor, "*batch points 2"]:
    """Where the detector should see the points.

    Args:
        at: the points at the values.
        values: of all unknowns.
        errors: how the detector errs on each of them.
        modes: what z is called among them.
    """
    return (
        at.px
        + errors.bias_px
        + combined(errors.by_score_px, errors.scores.at(at.located))
        + combined(errors.by_view_px, view_features(*_view(at, values, errors)))
        + combined(errors.modes_px, values[modes])
    )


def _view(at: Projection, values: Values, errors: PointErrors) -> tuple[Tensor, Tensor]:
    """The turn with the head upright, and the distance."""
    forward_cam = at.rotation @ errors.forward
    return forward_cam[..., :2] @ errors.upright.mT, -values[TRANSLATION][..., 2]


def _features_wrt_turn(turn: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch 6 2"]:
    """Derivatives of `view_features` with respect to the turn."""
    x, y = turn.unbind(-1)
    one, zero = torch.ones_like(x), torch.zeros_like(x)
    wrt_x = torch.stack([one, zero, 2 * x, y, zero, zero], -1)
    wrt_y = torch.stack([zero, one, zero, x, 2 * y, zero], -1)
    return torch.stack([wrt_x, wrt_y], -1)
