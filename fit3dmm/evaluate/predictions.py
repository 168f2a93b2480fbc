"""Predictions of most protocols: a mesh, and beside it the seven landmarks of NoW."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from fit3dmm._files import atomic_path
from fit3dmm.evaluate.fitter import FittedFace
from fit3dmm.evaluate.landmark_files import find_landmarks, read_landmarks
from fit3dmm.evaluate.mesh_files import find_mesh, read_mesh
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.landmarks import NOW7_IN_IBUG68


def find_mesh_and_landmarks(predictions: Path, name: str) -> tuple[Path, ...]:
    """Both files of a prediction; empty where one is missing, which no protocol can do without."""
    mesh = find_mesh(predictions / name)
    points = find_landmarks(predictions / name)
    # An NPY of this name is the landmarks, not vertices.
    if mesh is None or points is None or mesh.suffix == ".npy":
        return ()
    return (mesh, points)


def read_mesh_and_landmarks(files: tuple[Path, ...]) -> tuple[Mesh, Float[np.ndarray, "7 3"]]:
    """What `find_mesh_and_landmarks` found.

    Raises:
        InputError: a file is unusable.
    """
    return read_mesh(files[0]), read_landmarks(files[1])


def save_neutral(face: FittedFace, predictions: Path, name: str) -> None:
    """The whole face without its expression, in mm."""
    save_mesh_and_landmarks(predictions, name, *_shape(face, face.neutral_mm))


def save_expressive(face: FittedFace, predictions: Path, name: str) -> None:
    """The whole face with its expression, in mm."""
    save_mesh_and_landmarks(predictions, name, *_shape(face, face.expressive_mm))


def save_mesh_and_landmarks(
    folder: Path, name: str, mesh: Mesh, landmarks7: Float[np.ndarray, "7 3"]
) -> None:
    """Write `folder/name.obj` and `folder/name.npy`.

    Args:
        folder: is made where there is none.
        name: of both files, without suffix; it may hold folders.
        mesh: the face, neutral or not as the benchmark asks for.
        landmarks7: NoW's seven points on it.

    Raises:
        InputError: the folder can't be written to.
    """
    write_obj(folder / f"{name}.obj", mesh)
    with atomic_path(folder / f"{name}.npy") as temporary:
        np.save(temporary, landmarks7)


def _shape(face: FittedFace, vertices_mm: np.ndarray) -> tuple[Mesh, np.ndarray]:
    points = face.ibug68.take(NOW7_IN_IBUG68).locate(vertices_mm, face.triangles)
    return Mesh(vertices_mm, face.triangles), points
