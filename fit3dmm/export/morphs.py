"""What each blendshape adds to an avatar's vertices and normals.

Blendshapes move a part of the face only, so each lists the vertices that it moves.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.export.resting import from_rest
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.render.backend import choose_backend

# What a blendshape moves by less (mm; length of the difference of unit normals) stays out of its
# morph target: less than a screen shows, also where many of them come together.
_STILL_MM = 0.01
_STILL_NORMAL = 0.01


@dataclass(frozen=True)
class Movement:
    """What one blendshape does to a whole surface at full movement."""

    name: str
    weight: float
    """How much of it the expression has."""
    shift_mm: Float[np.ndarray, "vertices 3"]
    turn: Float[np.ndarray, "vertices 3"]
    """What is added to the normals."""
    moves: Bool[np.ndarray, "vertices"]
    """Where it does anything that can be seen."""


@dataclass(frozen=True)
class MorphTarget:
    """What one blendshape adds to one thing at full movement."""

    name: str
    weight: float
    """How much of it the avatar shows when it is loaded."""
    rows: Int[np.ndarray, "rows"]
    """The vertices that it moves, in ascending order; one at least."""
    shift_mm: Float[np.ndarray, "rows 3"]
    turn: Float[np.ndarray, "rows 3"]
    """What is added to the normals."""


def movements(
    model: MorphableModel,
    coefficients: Coefficients,
    neutral_mm: Float[Tensor, "vertices 3"],
    n_drawn: int,
    rest: Float[Tensor, "expression"],
) -> Iterator[Movement]:
    """What each of the model's blendshapes does to a person.

    Args:
        coefficients: whose expression becomes the weights.
        neutral_mm: the person at rest.
        n_drawn: how many of the vertices are asked for.
        rest: activations there (`export.resting`): each blendshape does what is left of it.
    """
    normals = vertex_normals(model, neutral_mm)
    weights = from_rest(coefficients.expression, rest).tolist()
    left = (share * moved for share, moved in zip(1 - rest, _lifted(model), strict=True))
    lifted = zip(model.expression_names, weights, left, strict=True)
    for name, weight, moved_mm in itertools.chain(lifted, _turns(model, coefficients, neutral_mm)):
        turned = vertex_normals(model, neutral_mm + moved_mm) - normals
        shift_mm, turn = (values[:n_drawn].cpu().numpy() for values in (moved_mm, turned))
        moves = (_length(shift_mm) > _STILL_MM) | (_length(turn) > _STILL_NORMAL)
        yield Movement(name, weight, shift_mm, turn, moves)


@kept(most=1)
def _lifted(model: MorphableModel) -> Float[Tensor, "expression vertices 3"]:
    """The blendshapes on the fine surface, the same for all people."""
    return model.surface.lift(model.expression_basis_mm)


def _turns(
    model: MorphableModel, coefficients: Coefficients, neutral_mm: Float[Tensor, "vertices 3"]
) -> Iterator[tuple[str, float, Float[Tensor, "vertices 3"]]]:
    """What joints do, each about each axis as far as it goes: straight lines there, for programs
    that know nothing of these joints."""
    if model.rig is None:
        return
    rest = coefficients.neutral()
    shown = coefficients.joints_rad.tolist() + [0.0] * model.n_turns
    names = [f"{joint}_{axis}" for joint in model.rig.names for axis in "xyz"]
    for k, name in enumerate(names):
        most_rad = float(model.rig.bounds_rad[k, 1])
        if not 0 < most_rad < math.inf:
            continue
        joints_rad = model.zeros().joints_rad
        joints_rad[k] = most_rad
        moved_mm = model.shape_mm(rest.replace(joints_rad=joints_rad)) - neutral_mm
        yield name, shown[k] / most_rad, moved_mm


def vertex_normals(
    model: MorphableModel, points_mm: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "vertices 3"]:
    """Unit normals of the fine surface, smoother than those of the mesh that is drawn."""
    topology = model.surface.topology
    return choose_backend("auto", points_mm.device).vertex_normals(points_mm, topology)


def morph_target(
    movement: Movement, vertex: Int[np.ndarray, "split"], always: bool
) -> MorphTarget | None:
    """The part of a movement that a thing takes; none where it stays still.

    Args:
        vertex: which vertex of the surface each of the thing's is.
        always: keep a target that moves nothing, too.
    """
    rows = np.flatnonzero(movement.moves[vertex])
    if len(rows) == 0:
        if not always:
            return None
        # glTF wants one row at least of what it stores sparsely.
        rows = np.zeros(1, np.int64)
    moved = vertex[rows]
    return MorphTarget(
        movement.name, movement.weight, rows, movement.shift_mm[moved], movement.turn[moved]
    )


def _length(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
    return np.sqrt(np.einsum("nc,nc->n", vectors, vectors))
