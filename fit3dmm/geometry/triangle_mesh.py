"""Triangle meshes as the evaluation sees them: arrays, normals, the part inside a sphere."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True)
class Mesh:
    """A surface in whatever frame and unit its file has."""

    vertices: Float[np.ndarray, "vertices 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    """Counter-clockwise from outside. May be empty: a point cloud."""


def crop_to_sphere(
    mesh: Mesh, centre: Float[np.ndarray, "3"], radius: float
) -> tuple[Mesh, Int[np.ndarray, "kept"]]:
    """The vertices within a sphere, with the triangles that keep all three corners.

    Returns:
        The part, and the rows of `mesh.vertices` that it kept, in order.
    """
    kept = np.flatnonzero(np.linalg.norm(mesh.vertices - centre, axis=1) <= radius)
    return keep_vertices(mesh, kept), kept


def keep_vertices(mesh: Mesh, kept: Int[np.ndarray, "kept"]) -> Mesh:
    """Some vertices, in the order given, with the triangles that keep all three corners."""
    place = np.full(len(mesh.vertices), -1, dtype=np.int64)
    place[kept] = np.arange(len(kept))
    triangles = place[mesh.triangles]
    return Mesh(mesh.vertices[kept], triangles[(triangles >= 0).all(axis=1)])


def triangle_normals(mesh: Mesh) -> Float[np.ndarray, "triangles 3"]:
    """Unit normals; zero for a triangle without area."""
    return _unit(_area_vectors(mesh))


def vertex_normals(mesh: Mesh) -> Float[np.ndarray, "vertices 3"]:
    """Unit mean of the adjoining triangles' normals by area; zero where there is no triangle."""
    area = _area_vectors(mesh)
    total = np.zeros((len(mesh.vertices), 3))
    for corner in range(3):
        np.add.at(total, mesh.triangles[:, corner], area)
    return _unit(total)


def _area_vectors(mesh: Mesh) -> np.ndarray:
    a, b, c = (mesh.vertices[mesh.triangles[:, k]] for k in range(3))
    return np.cross(b - a, c - a)


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(length > 0, length, 1.0)
