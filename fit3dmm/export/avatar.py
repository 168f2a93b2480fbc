"""A person as games draw one: a mesh at rest, and what each blendshape moves.

The mesh is the coarser one that avatars have, its vertices and normals those of the fine surface.
It is cut open along the borders of its texture islands, because games have one index for position
and texture. Blendshapes move a part of the face only, so each lists the vertices that it moves.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from fit3dmm.export.occlusion_roughness import occlusion_roughness_png
from fit3dmm.model.morphable import Coefficients, ModelInfo, MorphableModel
from fit3dmm.model.surface import Surface, build_surface
from fit3dmm.render.backend import choose_backend

LEVEL = 1
"""Subdivision level of the mesh: 16,000 vertices for Commons, which phones can animate."""
# What a blendshape moves by less (mm; length of the difference of unit normals) stays out of its
# morph target: less than a screen shows.
_STILL_MM = 0.01
_STILL_NORMAL = 0.01


@dataclass(frozen=True)
class SplitVertices:
    """Vertices of a mesh cut open along the borders of its texture islands."""

    vertex: Int[np.ndarray, "split"]
    """Which vertex of the surface each is."""
    uv_point: Int[np.ndarray, "split"]
    """Which texture coordinate it has."""
    triangles: Int[np.ndarray, "triangles 3"]


@dataclass(frozen=True)
class MorphTarget:
    """What one blendshape adds at full movement."""

    name: str
    weight: float
    """How much of it the fitted expression has."""
    rows: Int[np.ndarray, "rows"]
    """The vertices that it moves, in ascending order; one at least."""
    shift_mm: Float[np.ndarray, "rows 3"]
    turn: Float[np.ndarray, "rows 3"]
    """What is added to the normals."""


@dataclass(frozen=True)
class Avatar:
    """A person at rest in the `model` frame, ready to be animated."""

    info: ModelInfo
    """Of the model that it is an instance of."""
    positions_mm: Float[np.ndarray, "split 3"]
    normals: Float[np.ndarray, "split 3"]
    uv: Float[np.ndarray, "split 2"]
    """0..1, origin at the bottom left."""
    triangles: Int[np.ndarray, "triangles 3"]
    targets: tuple[MorphTarget, ...]
    occlusion_roughness_png: bytes
    """Occlusion and roughness; see `export.occlusion_roughness`."""


def make_avatar(model: MorphableModel, coefficients: Coefficients) -> Avatar:
    """The person that the coefficients say; their expression becomes the targets' weights."""
    surface = drawn_surface(model)
    split = split_vertices(surface)
    neutral_mm = model.shape_mm(coefficients.neutral()).detach()
    normals = _normals(model, neutral_mm)
    return Avatar(
        info=model.info,
        positions_mm=_rows(neutral_mm, split),
        normals=_unit(_rows(normals, split)),
        uv=surface.uv.cpu().numpy()[split.uv_point],
        triangles=split.triangles,
        targets=tuple(_targets(model, coefficients, neutral_mm, normals, split)),
        occlusion_roughness_png=occlusion_roughness_png(model),
    )


def drawn_surface(model: MorphableModel, level: int = LEVEL) -> Surface:
    """The model's surface, or a coarser one whose vertices are its first."""
    fine = model.surface
    if fine.level <= level:
        return fine
    base = (fine.base_faces, fine.base_mirror, fine.base_uv, fine.base_uv_faces)
    return build_surface(*(array.cpu().numpy() for array in base), level=level)


def split_vertices(surface: Surface) -> SplitVertices:
    """One vertex for each pair of a surface vertex and a texture coordinate that occurs."""
    corner = surface.triangles.cpu().numpy().ravel().astype(np.int64)
    corner_uv = surface.uv_triangles.cpu().numpy().ravel().astype(np.int64)
    n_uv = len(surface.uv)
    pairs, index = np.unique(corner * n_uv + corner_uv, return_inverse=True)
    return SplitVertices(pairs // n_uv, pairs % n_uv, index.reshape(-1, 3))


def _targets(
    model: MorphableModel,
    coefficients: Coefficients,
    neutral_mm: Float[Tensor, "vertices 3"],
    normals: Float[Tensor, "vertices 3"],
    split: SplitVertices,
) -> Iterator[MorphTarget]:
    # A vector of coefficients that is shorter than the basis uses its first blendshapes.
    weights = coefficients.expression.tolist() + [0.0] * model.n_expression
    blendshapes = zip(model.expression_names, weights, model.expression_basis_mm, strict=False)
    for name, weight, basis_mm in blendshapes:
        moved_mm = model.surface.lift(basis_mm)
        turned = _normals(model, neutral_mm + moved_mm) - normals
        shift_mm, turn = _rows(moved_mm, split), _rows(turned, split)
        moves = (np.abs(shift_mm).max(1) > _STILL_MM) | (np.abs(turn).max(1) > _STILL_NORMAL)
        # glTF wants one row at least of what it stores sparsely.
        rows = np.flatnonzero(moves) if moves.any() else np.zeros(1, np.int64)
        yield MorphTarget(name, weight, rows, shift_mm[rows], turn[rows])


def _normals(
    model: MorphableModel, points_mm: Float[Tensor, "vertices 3"]
) -> Float[Tensor, "vertices 3"]:
    topology = model.surface.topology
    return choose_backend("auto", points_mm.device).vertex_normals(points_mm, topology)


def _rows(values: Float[Tensor, "vertices 3"], split: SplitVertices) -> Float[np.ndarray, "n 3"]:
    return values.cpu().numpy()[split.vertex]


def _unit(vectors: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Unit vectors; one that is zero (a vertex of no area) points forward, as glTF wants length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    forward = np.array([0.0, 0.0, 1.0], vectors.dtype)
    return np.where(length > 1e-6, vectors / np.maximum(length, 1e-6), forward)
