"""How likely the mean face is to be as near to the truth as a fit, if the fit errs as it says.

The person is the fit and an error of the covariance that it states, with what the model can't be
(`fitting.misfit`). So faces as the person may be are drawn, and the fit and the mean face compared
with each as the NoW challenge does: by the median distance of the face's surface, once a motion and
a scale have laid it on the truth. Moves are small, so that the distance is that along the normal
and the motion linear.
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.fitting.misfit import misfit_mm
from fit3dmm.fitting.uncertainty import Uncertainty
from fit3dmm.fitting.vertex_sigma import face_rows, neutral_basis
from fit3dmm.geometry.mesh import vertex_normals
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.unknowns import DETAIL, IDENTITY

_DRAWS = 256
_MOST_POINTS = 500
"""Of the face: the median of more is hardly another."""
_REACH_MM = 8.0
"""How far what the model can't be is alike along the face."""


@dataclass(frozen=True)
class _Ground:
    """What is the same for all fits of a model."""

    basis_mm: Float[Tensor, "coefficients points"]
    """Along the normals, by each coefficient, after motion and scale."""
    beyond_mm: Float[Tensor, "draws points"]
    """What the model can't be, as it may be."""
    unit: Float[Tensor, "draws coefficients"]


def mean_face_chance(
    model: MorphableModel,
    identity: Float[Tensor, "identity"],
    detail: Float[Tensor, "detail"],
    uncertainty: Uncertainty,
) -> float:
    """Chance that the mean face is as near to the truth as a fit, or nearer.

    Args:
        model: the one that was fitted.
        identity, detail: coefficients of the fit.
        uncertainty: of it.

    Returns:
        The same for the same fit; 1 for one that is the mean face.
    """
    ground = _ground(model)
    departure_mm = _departure_mm(ground, identity, detail)
    if not departure_mm.any():
        return 1.0
    error_mm = _errors_mm(ground, uncertainty, len(identity))
    fit_mm, mean_face_mm = (
        off.abs().median(dim=1).values for off in (error_mm, error_mm + departure_mm)
    )
    gain_mm = mean_face_mm - fit_mm
    # Of most fits no draw is worse; but gains are nearly normal.
    in_sigmas = float(gain_mm.mean() / gain_mm.std().clamp_min(1e-9))
    return 0.5 * math.erfc(in_sigmas / math.sqrt(2))


def likeness(
    model: MorphableModel,
    one: tuple[Float[Tensor, "identity"], Float[Tensor, "detail"]],
    other: tuple[Float[Tensor, "identity"], Float[Tensor, "detail"]],
) -> float | None:
    """Whether two people differ from the mean face in the same way: the correlation of how far
    their faces' surfaces lie before it. None where one of them is the mean face, or no face.

    Args:
        model: whose coefficients they are.
        one, other: identity and detail.
    """
    ground = _ground(model)
    a, b = (_departure_mm(ground, *person) for person in (one, other))
    size = float(a.norm() * b.norm())
    # Every comparison with what is no number is false.
    return float(a @ b) / size if 0 < size < math.inf else None


def _departure_mm(
    ground: _Ground, identity: Float[Tensor, "identity"], detail: Float[Tensor, "detail"]
) -> Float[Tensor, "points"]:
    """Of a person from the mean face, along its normals."""
    return torch.cat([identity, detail]).to(ground.basis_mm) @ ground.basis_mm


def _errors_mm(
    ground: _Ground, uncertainty: Uncertainty, n_identity: int
) -> Float[Tensor, "draws points"]:
    """How far the fit may be off along the normals."""
    own = {
        IDENTITY: torch.arange(n_identity),
        DETAIL: torch.arange(n_identity, ground.unit.shape[1]),
    }
    moved = [name for name in own if name in uncertainty.names]
    if not moved:
        return ground.beyond_mm
    rows = torch.cat([own[name] for name in moved])
    places = [uncertainty.place(name) for name in moved]
    columns = torch.cat([torch.arange(place.start, place.stop) for place in places])
    covariance = uncertainty.covariance[columns][:, columns].to(ground.unit)
    values, vectors = torch.linalg.eigh(covariance)
    by_unit = (vectors * values.clamp_min(0).sqrt()) @ vectors.mT
    return ground.unit[:, rows] @ by_unit @ ground.basis_mm[rows] + ground.beyond_mm


@kept(most=1)
def _ground(model: MorphableModel) -> _Ground:
    rows = face_rows(model)
    # Every so many of them.
    rows = rows[:: max(len(rows) // _MOST_POINTS, 1)]
    mean_mm = model.mean_mm[rows].double()
    surface = vertex_normals(model.shape_mm(model.zeros()), model.surface.topology)
    normals = surface[rows].double()
    _, basis, _ = neutral_basis(model, rows)
    along = torch.einsum("pak,pa->kp", basis.double(), normals)
    motions = _motions(mean_mm, normals)
    generator = torch.Generator().manual_seed(0)
    unit = torch.randn(_DRAWS, len(along), generator=generator, dtype=torch.float64)
    beyond = _alike_nearby(mean_mm, normals, generator)
    beyond = beyond * misfit_mm(model, model.mean_mm[rows])
    return _Ground(_without(along, motions), _without(beyond, motions), unit.to(along.device))


def _motions(
    points_mm: Float[Tensor, "points 3"], normals: Float[Tensor, "points 3"]
) -> Float[Tensor, "points 7"]:
    """Orthonormal moves along the normals by shifts, turns and scale."""
    arm = points_mm - points_mm.mean(0)
    arm = arm / arm.square().mean().sqrt()
    by_turn = torch.linalg.cross(arm, normals)
    by_scale = (arm * normals).sum(1, keepdim=True)
    return torch.linalg.qr(torch.cat([normals, by_turn, by_scale], 1)).Q


def _without(
    moves: Float[Tensor, "k points"], motions: Float[Tensor, "points 7"]
) -> Float[Tensor, "k points"]:
    return moves - moves @ motions @ motions.mT


def _alike_nearby(
    points_mm: Float[Tensor, "points 3"],
    normals: Float[Tensor, "points 3"],
    generator: torch.Generator,
) -> Float[Tensor, "draws points"]:
    """Moves along the normals of variance 1, whose three components are alike nearby."""
    apart = torch.cdist(points_mm, points_mm) / _REACH_MM
    alike = torch.exp(-apart.square() / 2)
    alike.diagonal().add_(1e-6)
    unit = torch.randn(3, _DRAWS, len(points_mm), generator=generator, dtype=torch.float64)
    moves = unit.to(points_mm.device) @ torch.linalg.cholesky(alike).mT
    return torch.einsum("adp,pa->dp", moves, normals)
