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
from fit3dmm.export.smoothing import averaged
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
    shapes = zip(
        *(model.expression_names, weights, 1 - rest, _bent_parts(model, n_drawn)), strict=True
    )
    for name, weight, left, bent in shapes:
        around_mm = left * bent.moved_mm
        yield _movement(name, weight, around_mm, neutral_mm, normals, bent, n_drawn)
    turns = list(_turns(model, coefficients, neutral_mm))
    moved_mm = torch.stack([moved_mm for _, _, moved_mm in turns], 1) if turns else None
    wholes = [] if moved_mm is None else _parts_bent(moved_mm, model, n_drawn)
    for (name, weight, _), bent in zip(turns, wholes, strict=True):
        yield _movement(name, weight, bent.moved_mm, neutral_mm, normals, bent, n_drawn)


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
    moved_mm: Float[Tensor, "around 3"]
    """How it moves them."""
    place: Int[Tensor, "rows"]
    """Where in `around` each of the rows is."""
    topology: Topology
    """The triangles between those around, without their edges."""


@kept(most=1)
def _bent_parts(model: MorphableModel, n_drawn: int) -> tuple[_BentPart, ...]:
    """Of each blendshape, the same for all people."""
    basis_mm = model.expression_basis_mm
    if len(basis_mm) == 0:
        return ()
    lifted_mm = model.surface.lift(basis_mm.permute(1, 0, 2).flatten(1))
    return _parts_bent(lifted_mm.unflatten(1, (len(basis_mm), 3)), model, n_drawn)


def _parts_bent(
    moved_mm: Float[Tensor, "vertices k 3"], model: MorphableModel, n_drawn: int
) -> tuple[_BentPart, ...]:
    """Of each of some movements of the fine surface."""
    topology = model.surface.topology
    x, y, z = (moved_mm != 0).unbind(-1)
    turned = _with_neighbours(x | y | z, topology)[:n_drawn]
    of_all = torch.cat([turned, turned.new_zeros(topology.n_vertices - n_drawn, turned.shape[1])])
    a, b, c = (of_all.index_select(0, corner) for corner in topology.triangles.unbind(1))
    near = (a | b | c).T.contiguous()
    around = _with_neighbours(of_all, topology).T.contiguous()
    return tuple(
        _bent_part(moved_mm[:, k], turned[:, k], around[k], topology.triangles, near[k])
        for k in range(len(near))
    )


def _bent_part(
    moved_mm: Float[Tensor, "vertices 3"],
    turned: Bool[Tensor, "drawn"],
    around: Bool[Tensor, "vertices"],
    triangles: Int[Tensor, "triangles 3"],
    near: Bool[Tensor, "triangles"],
) -> _BentPart:
    number = around.cumsum(0, dtype=torch.int32) - 1
    # Selecting by numbers takes a third of the time of a mask.
    rows, among, which = (mask.nonzero()[:, 0] for mask in (turned, around, near))
    corners = number.index_select(0, triangles.index_select(0, which).flatten()).unflatten(
        0, (-1, 3)
    )
    no_edges = triangles.new_zeros(0, 2)
    topology = Topology(len(among), corners, no_edges, no_edges)
    moved_mm = moved_mm.index_select(0, among)
    return _BentPart(rows, among, moved_mm, number.index_select(0, rows).long(), topology)


def _with_neighbours(
    chosen: Bool[Tensor, "vertices k"], topology: Topology
) -> Bool[Tensor, "vertices k"]:
    """What is chosen, and what shares an edge with it."""
    return averaged(chosen.float(), topology.edges, 1) > 0


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
