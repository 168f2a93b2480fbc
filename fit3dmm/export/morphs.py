"""What each blendshape adds to an avatar's vertices and normals.

Blendshapes move a part of the face only, so each lists the vertices that it moves.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._kept import kept
from fit3dmm.export.resting import from_rest
from fit3dmm.geometry.mesh import Topology
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
    parts = _bent_parts(model, n_drawn)
    lifted = zip(model.expression_names, weights, 1 - rest, _lifted(model), parts, strict=True)
    for name, weight, left, moved_mm, bent in lifted:
        around_mm = left * moved_mm[bent.around]
        yield _movement(name, weight, around_mm, neutral_mm, normals, bent, n_drawn)
    for name, weight, moved_mm in _turns(model, coefficients, neutral_mm):
        whole = _bent_part(torch.ones_like(moved_mm[:, 0], dtype=torch.bool), model, n_drawn)
        around_mm = moved_mm[whole.around]
        yield _movement(name, weight, around_mm, neutral_mm, normals, whole, n_drawn)


def _movement(
    name: str,
    weight: float,
    around_mm: Float[Tensor, "around 3"],
    neutral_mm: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    bent: "_BentPart",
    n_drawn: int,
) -> Movement:
    """Of how it moves the vertices around those that it bends; all others stay."""
    rows = bent.rows.cpu().numpy()
    backend = choose_backend("auto", around_mm.device)
    found = backend.vertex_normals(neutral_mm[bent.around] + around_mm, bent.topology)
    turn, shift_mm = np.zeros((2, n_drawn, 3), np.float32)
    turn[rows] = (found[bent.place] - normals[bent.rows]).cpu().numpy()
    shift_mm[rows] = around_mm[bent.place].cpu().numpy()
    moves = np.zeros(n_drawn, bool)
    moves[rows] = (_length(shift_mm[rows]) > _STILL_MM) | (_length(turn[rows]) > _STILL_NORMAL)
    return Movement(name, weight, shift_mm, turn, moves)


@dataclass(frozen=True)
class _BentPart:
    """The part of a surface that a blendshape bends: a quarter, on average."""

    rows: Int[Tensor, "rows"]
    """Vertices that are drawn and that it moves, or that have a neighbour which it moves."""
    around: Int[Tensor, "around"]
    """Vertices on which the normals of these depend, themselves among them."""
    place: Int[Tensor, "rows"]
    """Where in `around` each of the rows is."""
    topology: Topology
    """The triangles between those around, without their edges."""


@kept(most=1)
def _lifted(model: MorphableModel) -> Float[Tensor, "expression vertices 3"]:
    """The blendshapes on the fine surface, the same for all people."""
    return model.surface.lift(model.expression_basis_mm)


@kept(most=1)
def _bent_parts(model: MorphableModel, n_drawn: int) -> tuple[_BentPart, ...]:
    """Of each blendshape, the same for all people."""
    return tuple(_bent_part((one != 0).any(1), model, n_drawn) for one in _lifted(model))


def _bent_part(moved: Bool[Tensor, "vertices"], model: MorphableModel, n_drawn: int) -> _BentPart:
    triangles = model.surface.topology.triangles
    turned = moved | _touched_by(_with_corner(triangles, moved), moved)
    near = _with_corner(triangles, turned)
    around = turned | _touched_by(near, moved)
    number = around.cumsum(0, dtype=torch.int32) - 1
    (rows,) = torch.nonzero(turned[:n_drawn], as_tuple=True)
    (among,) = torch.nonzero(around, as_tuple=True)
    no_edges = near.new_zeros(0, 2)
    topology = Topology(len(among), number[near.long()], no_edges, no_edges)
    return _BentPart(rows, among, number.long()[rows], topology)


def _with_corner(
    triangles: Int[Tensor, "triangles 3"], chosen: Bool[Tensor, "vertices"]
) -> Int[Tensor, "some 3"]:
    """The triangles of which a corner is chosen."""
    a, b, c = (chosen.index_select(0, corner) for corner in triangles.unbind(1))
    return triangles[a | b | c]


def _touched_by(
    triangles: Int[Tensor, "triangles 3"], like: Bool[Tensor, "vertices"]
) -> Bool[Tensor, "vertices"]:
    """Which vertices are corners of the triangles."""
    return torch.zeros_like(like).index_fill(0, triangles.flatten().long(), True)


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
