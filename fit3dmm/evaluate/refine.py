"""Damped refinement of a similarity: least squared distance of scan points to a moved mesh."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm._errors import InputError
from fit3dmm.geometry.closest_point import (
    ClosestPoints,
    Neighbourhoods,
    SurfaceIndex,
    closest_points,
)
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.geometry.transform import Similarity

# Shares of the curvature's diagonal: Marquardt's own start, and what still keeps a matrix regular.
_FIRST_DAMPING = 1e-3
_LEAST_DAMPING = 1e-9
# With more points than this, most steps are taken with a quarter of them, and so on down.
_MANY_POINTS = 5000
_COARSE_TOLERANCE = 1e-6
# The model of a step is linear: a step that would change the size by more says nothing.
_MOST_LOG_SCALE = 1.0
# Steps that are tried for each one that may be accepted, on the whole: two are usual.
_TRIALS_PER_STEP = 3
_LEAST_RATIO, _MOST_RATIO = 0.01, 100.0
"""Between the sizes of mesh and scan: beyond these the mesh has shrunk to a point, or the scan."""


@dataclass(frozen=True)
class Refinement:
    """Where a refinement ended."""

    T_scan_mesh: Similarity
    distance: Float[np.ndarray, "points"]
    """Of each scan point to the aligned mesh, in the scan's unit."""
    nearest: Float[np.ndarray, "points 3"]
    """Points of the aligned mesh that are nearest to the scan points."""
    triangle: np.ndarray
    """Rows of the mesh's triangles that they lie on."""
    steps: int
    """Accepted steps with all points."""
    converged: bool
    """False where the number of steps ran out first."""


def refine_alignment(
    mesh: SurfaceIndex,
    points: Float[np.ndarray, "points 3"],
    start: Similarity,
    *,
    with_scale: bool = True,
    max_steps: int = 100,
    tolerance: float = 1e-8,
) -> Refinement:
    """Minimise the sum over `points` of the squared distance to the mesh, by Levenberg-Marquardt.

    The fixed points are those of ICP with the exact closest point, but it takes some ten steps
    where ICP takes over a hundred. As similarities keep nearest points nearest, the points are
    carried into the mesh's own frame and the mesh is never indexed again. A dense scan is first
    refined with evenly picked points of it, which changes where the last steps start, not where
    they end.

    Args:
        mesh: in its own frame and unit.
        points: in the frame of the scan.
        start: mesh to scan.
        with_scale: also refine the scale.
        max_steps: most steps to accept.
        tolerance: converged when a step lowers the sum by less than this share of it.

    Raises:
        InputError: there is no minimum of use: the mesh shrinks to a point, or outgrows the scan.
    """
    if len(points) > _MANY_POINTS:
        coarse = refine_alignment(
            mesh,
            points[::4],
            start,
            with_scale=with_scale,
            max_steps=max_steps,
            tolerance=_COARSE_TOLERANCE,
        )
        start = coarse.T_scan_mesh
    state = _measure(mesh, points, start)
    centre = points.mean(axis=0)
    size = _extent(mesh.boxes[0].reshape(2, 3)) / max(_extent(points), 1e-300)
    start_ratio = size * abs(float(start.scale))
    smallest = min(start_ratio, _LEAST_RATIO) / 10
    largest = max(start_ratio, _MOST_RATIO) * 10
    damping, steps, trials, converged = _FIRST_DAMPING, 0, 0, False
    while steps < max_steps and trials < _TRIALS_PER_STEP * max_steps and not converged:
        gradient, curvature = _normal_equations(points, state, centre, with_scale)
        for _ in range(12):
            damped = curvature + damping * np.diag(np.diag(curvature).clip(min=1e-300))
            step = -np.linalg.solve(damped, gradient)
            if with_scale and abs(step[0]) > _MOST_LOG_SCALE:
                damping *= 4
                continue
            trials += 1
            moved = _stepped(state.T_scan_mesh, step, centre, with_scale)
            trial = _measure(mesh, points, moved, state.found.near)
            before, after = (state.distance**2).sum(), (trial.distance**2).sum()
            if after < before:
                break
            damping *= 4
        else:
            converged = True  # no direction goes down: a minimum to working precision
            break
        damping = max(damping / 10, _LEAST_DAMPING)
        converged = before - after <= tolerance * before
        state, steps = trial, steps + 1
        if not smallest < size * abs(float(state.T_scan_mesh.scale)) < largest:
            break
    if not _LEAST_RATIO < size * abs(float(state.T_scan_mesh.scale)) < _MOST_RATIO:
        raise InputError(
            "The meshes can't be aligned from where they lie: the nearest points are matched best "
            "where one of the two has shrunk to a point. Give landmarks of both, and check that "
            "both show a face, the same way round."
        )
    return Refinement(
        state.T_scan_mesh,
        state.distance,
        state.nearest,
        state.found.triangle,
        steps,
        bool(converged),
    )


@dataclass(frozen=True)
class _State:
    T_scan_mesh: Similarity
    distance: np.ndarray
    nearest: np.ndarray
    found: ClosestPoints
    """In the mesh's frame."""


def _extent(points: np.ndarray) -> float:
    """Length of the diagonal of the box about some points."""
    return float(np.linalg.norm(points.max(axis=0) - points.min(axis=0)))


def _measure(
    mesh: SurfaceIndex,
    points: np.ndarray,
    T_scan_mesh: Similarity,
    before: Neighbourhoods | None = None,
) -> _State:
    found = closest_points(mesh, T_scan_mesh.inverse() @ points, before)
    distance = found.distance * abs(float(T_scan_mesh.scale))
    return _State(T_scan_mesh, distance, T_scan_mesh @ found.points, found)


def _normal_equations(points, state: _State, centre, with_scale):
    """Of the distances, in (log scale, rotation about the centre, translation)."""
    direction = state.nearest - points
    length = np.maximum(state.distance, 1e-12)[:, None]
    direction = direction / length
    arm = state.nearest - centre
    columns = [np.cross(arm, direction), direction]
    if with_scale:
        columns.insert(0, (direction * arm).sum(axis=1, keepdims=True))
    jacobian = np.concatenate(columns, axis=1)
    # Seven unknowns against thousands of points: the normal equations are small and well scaled
    # after damping by their own diagonal, and need no copy of the Jacobian.
    return jacobian.T @ state.distance, jacobian.T @ jacobian


def _stepped(T_scan_mesh: Similarity, step, centre, with_scale) -> Similarity:
    log_scale, motion = (step[:1], step[1:]) if with_scale else (np.zeros(1), step)
    log_scale, motion, centre = (torch.from_numpy(v) for v in (log_scale, motion, centre))
    rotation, scale = rotation_matrix(motion[:3]), log_scale[0].exp()
    shift = centre - scale * rotation @ centre + motion[3:]
    return Similarity(rotation, shift, scale) @ T_scan_mesh
