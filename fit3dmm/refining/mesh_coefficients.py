"""The coefficients that make a model's face lie on a mesh."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.energy import model_points, normal_prior, project
from fit3dmm.energy.model_points import vertex_places
from fit3dmm.energy.points import Points
from fit3dmm.energy.priors import correlated_prior
from fit3dmm.energy.surface_samples import spread_points
from fit3dmm.geometry.alignment import solve_similarity
from fit3dmm.geometry.nearest import NearestSurface
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.solve import LevenbergMarquardt, Problem, Residuals, Term, Values, solve
from fit3dmm.solve.problem import sum_of_squares
from fit3dmm.unknowns import (
    DETAIL,
    EXPRESSION,
    IDENTITY,
    JOINTS,
    ROTATION,
    TRANSLATION,
    PhotoIntrinsics,
    bounds_of,
    coefficients_of,
    starts,
)

_SIGMA_MM = 0.05
"""Of a mesh's vertices: systems write them with that many digits."""
_SURFACE_SIGMA_MM, _LANDMARK_SIGMA_MM = 0.3, 3.0
"""Of a surface that another model made, and of points that are another habit."""
_MOST_POINTS = 3000
_ROUNDS = 10
_REACH_MM = (30.0, 5.0)
"""Nearest points further away draw nothing, in the first and the last round."""
_SHAPE = (IDENTITY, DETAIL, EXPRESSION, JOINTS)


@dataclass(frozen=True)
class FittedMesh:
    """A model's face on a mesh."""

    coefficients: Coefficients
    rotation_rad: Float[Tensor, "3"]
    """From `model` to the axes of the mesh."""
    distance_mm: float
    """Root mean square distance of the face's points from where the mesh has them."""


def same_topology(model: MorphableModel, mesh: Mesh) -> bool:
    """Whether vertices of the mesh are the model's, one by one."""
    triangles = model.surface.triangles.cpu().numpy()
    if len(mesh.vertices) != model.n_vertices:
        return False
    # Files of vertices alone have no triangles; some systems list a mesh's in another order.
    return not len(mesh.triangles) or len(mesh.triangles) == len(triangles)


def coefficients_of_vertices(
    model: MorphableModel, vertices: Float[np.ndarray, "vertices 3"]
) -> FittedMesh:
    """From a mesh of the model's own topology, in any unit and anywhere.

    Args:
        model: whose mesh it is.
        vertices: one for each of the model's, in the same order.

    Raises:
        InputError: the vertices are no such face.
    """
    rows = _spread_rows(model)
    mean_mm = model.shape_mm(model.zeros()).cpu().double().numpy()
    mesh_mm = _in_mm(vertices, mean_mm[rows], rows)
    places = vertex_places(model, torch.from_numpy(rows))
    start = _placed(mean_mm[rows], mesh_mm[rows])
    points = model_points(model, places)
    targets = torch.from_numpy(mesh_mm[rows]).to(model.mean_mm)
    values = _solved(model, start, {"vertices": _term(points, targets, _SIGMA_MM)})
    return _fitted(values, points, targets)


def coefficients_of_surface(
    model: MorphableModel, mesh: Mesh, landmarks68: Float[np.ndarray, "68 3"]
) -> FittedMesh:
    """From a mesh of any topology with iBUG's points on it, which say where it begins.

    Each point of the model's face is drawn to the nearest point of the mesh, again and again; the
    jaw line, which slides, says nothing.

    Args:
        model: with iBUG's points.
        mesh: in any unit and anywhere.
        landmarks68: in the unit of the mesh.

    Raises:
        InputError: the mesh is no face that the points are on.
    """
    inner = list(range(17, 68))
    own = model.landmarks["ibug68"].take(inner)
    own_mm = own.locate(model.shape_mm(model.zeros()), model.surface.triangles)
    own_mm = own_mm.cpu().double().numpy()
    scale = _unit_mm(np.asarray(landmarks68)[inner], own_mm)
    surface = NearestSurface(scale * mesh.vertices, mesh.triangles)
    targets = torch.from_numpy(scale * np.asarray(landmarks68)[inner]).to(model.mean_mm)
    landmarks = _term(model_points(model, own), targets, _LANDMARK_SIGMA_MM)
    placed = _placed(own_mm, targets.cpu().double().numpy())
    values = _solved(model, placed, {"landmarks": landmarks})
    points = model_points(model, spread_points(model, _MOST_POINTS // 2))
    nearest = targets
    for k in range(_ROUNDS):
        reach = _REACH_MM[0] * (_REACH_MM[1] / _REACH_MM[0]) ** (k / (_ROUNDS - 1))
        at = _located(points, values).cpu().double().numpy()
        match = surface.closest(at)
        near = (match.distance_mm < reach) & ~match.at_border
        if near.sum() < 0.3 * len(near):
            raise InputError("The mesh is no face that its 68 points are on.")
        rows = torch.from_numpy(np.flatnonzero(near))
        nearest = torch.from_numpy(match.points_mm[near]).to(model.mean_mm)
        drawn = _term(points.select(rows), nearest, _SURFACE_SIGMA_MM)
        terms = {"surface": drawn, "landmarks": landmarks}
        values = _solved(model, values, terms, max_steps=2)
    return _fitted(values, points.select(rows), nearest)


def _term(points: Points, targets_mm: Float[Tensor, "points 3"], sigma_mm: float) -> Term:
    def term(values: Values) -> Residuals:
        at = project(points, values, _anywhere(targets_mm))
        residual = (at.cam_mm - targets_mm) / sigma_mm

        def jacobian(free: tuple[str, ...]) -> dict[str, Tensor]:
            rows = torch.eye(3).to(targets_mm).expand(len(targets_mm), 3, 3) / sigma_mm
            return at.pull_back_cam(rows, free)

        return sum_of_squares(residual.flatten(), jacobian)

    return term


def _anywhere(like: Tensor) -> PhotoIntrinsics:
    """A camera for `project`, whose pixels nobody asks for."""
    return PhotoIntrinsics.centred(1, 1, like)


def _located(points: Points, values: Values) -> Float[Tensor, "points 3"]:
    return project(points, values, _anywhere(values[TRANSLATION])).cam_mm


def _solved(
    model: MorphableModel, start: Values, terms: dict[str, Term], max_steps: int = 12
) -> dict[str, Tensor]:
    values = {**starts(model), **start}
    priors = {
        name: normal_prior(name, 0.0, 1.0) for name in (IDENTITY, DETAIL) if values[name].numel()
    }
    if model.n_expression:
        factor = model.expression_covariance_factor
        priors[EXPRESSION] = correlated_prior(EXPRESSION, factor)
    if model.rig is not None:
        priors[JOINTS] = normal_prior(JOINTS, 0.0, model.rig.sigma_rad)
    free = tuple(name for name in (*_SHAPE, ROTATION, TRANSLATION) if values[name].numel())
    problem = Problem(values, free, terms | priors, bounds_of(values, model))
    found = solve(problem, LevenbergMarquardt(max_steps=max_steps, relative_decrease=1e-5))
    return dict(found.values)


def _fitted(values: Values, points: Points, targets_mm: Tensor) -> FittedMesh:
    off = (_located(points, values) - targets_mm).square().sum(-1)
    return FittedMesh(coefficients_of(values), values[ROTATION], float(off.mean().sqrt()))


def _placed(
    own_mm: Float[np.ndarray, "points 3"], theirs_mm: Float[np.ndarray, "points 3"]
) -> dict[str, Tensor]:
    """The rigid motion that lays the mean face on the mesh."""
    T = solve_similarity(own_mm, theirs_mm, with_scale=False)
    return {
        ROTATION: rotation_vector(T.rotation).float(),
        TRANSLATION: T.translation.float(),
    }


def _in_mm(
    vertices: Float[np.ndarray, "vertices 3"],
    mean_mm: Float[np.ndarray, "rows 3"],
    rows: Int[np.ndarray, "rows"],
) -> Float[np.ndarray, "vertices 3"]:
    return _unit_mm(vertices[rows], mean_mm) * vertices


def _unit_mm(theirs: Float[np.ndarray, "points 3"], own_mm: Float[np.ndarray, "points 3"]) -> float:
    """The power of ten that brings a mesh nearest to the size of a head: metres, decimetres and
    micrometres are all in use."""
    scale = float(solve_similarity(theirs, own_mm).scale)
    unit = 10.0 ** round(math.log10(scale)) if scale > 0 else math.nan
    if not 0.5 < scale / unit < 2.0:
        raise InputError(
            f"The mesh is {unit / scale:.2g} times as large as a head in the nearest metric unit: "
            "is it a face, and its vertices in the model's order?"
        )
    return unit


def _spread_rows(model: MorphableModel) -> Int[np.ndarray, "rows"]:
    """Vertices that say enough: of the face all, or every so many."""
    face = model.regions.get("face")
    weight = np.ones(model.n_vertices) if face is None else face.cpu().numpy()
    rows = np.flatnonzero(weight > 0.5)
    return rows[:: max(1, len(rows) // _MOST_POINTS)]
