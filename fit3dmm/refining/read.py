"""Coefficients in any of the forms that are known, told by what the file holds."""

import dataclasses
from pathlib import Path

import numpy as np

from fit3dmm import scene_file
from fit3dmm._errors import InputError
from fit3dmm._hdf5 import format_name
from fit3dmm.evaluate.mesh_files import read_mesh
from fit3dmm.export import record
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.refining.array_start import array_start
from fit3dmm.refining.containers import read_arrays
from fit3dmm.refining.deep3d_start import deep3d_start, is_deep3d
from fit3dmm.refining.flame_start import flame_start, is_flame
from fit3dmm.refining.mesh_coefficients import coefficients_of_vertices, same_topology
from fit3dmm.refining.start import Start
from fit3dmm.refining.tddfa_start import is_tddfa, tddfa_start
from fit3dmm.scene import Scene

SUFFIXES = (".h5", ".npz", ".npy", ".mat", ".pkl", ".pickle", ".obj", ".ply", ".wrl")
"""What a start may be called; a folder of NPY files is one, too."""
_MESHES = (".obj", ".ply", ".wrl")


def read_start(path: Path, model: MorphableModel, basis: Path | None = None) -> Start:
    """What a file says of a face.

    Args:
        path: our own fit or scene; a vector of Deep3DFaceRecon, HRN, 3DDFA-V3 or 3DDFA_V2; what
            DECA, EMOCA or SMIRK say; arrays of the model's coefficients; or a mesh of its topology.
        model: that is to be fitted.
        basis: of 3DDFA_V2, for its numbers.

    Raises:
        InputError: the file is of no such kind, damaged, or of another model.
    """
    try:
        return _read(path, model, basis)
    except InputError as error:
        if str(path) in str(error):
            raise
        raise InputError(f"{path}: {error}") from error


def _read(path: Path, model: MorphableModel, basis: Path | None) -> Start:
    if path.suffix.lower() in _MESHES:
        return _of_mesh(path, model)
    if path.is_file() and format_name(path) in (record.FORMAT.name, scene_file.FORMAT.name):
        return _own(path, model)
    arrays = read_arrays(path)
    if "vertices" in arrays:
        return _of_vertices(arrays["vertices"], model)
    if is_tddfa(arrays):
        return tddfa_start(arrays, model, basis)
    if is_deep3d(arrays):
        return deep3d_start(arrays, model)
    if is_flame(arrays):
        return flame_start(arrays, model)
    return array_start(arrays, model)


def _own(path: Path, model: MorphableModel) -> Start:
    if format_name(path) == record.FORMAT.name:
        result = record.load_result(path)
        scene, name = result.scene, result.model.name
    else:
        scene, name = scene_file.load_scene(path)
    if scene.batch_shape:
        raise InputError("It holds several scenes, a photo shows one: save them one by one.")
    if name != model.info.name:
        raise InputError(
            f"It is of the model {name}, not of {model.info.name}: give --model {name}."
        )
    return own_start(scene)


def own_start(scene: Scene) -> Start:
    """A scene in the photo that is to be refined."""
    camera = scene.camera
    return Start(
        "an earlier fit",
        scene.coefficients,
        scene.pose,
        camera,
        Similarity.identity(2),
        scene.lighting,
        (camera.width_px, camera.height_px),
    )


def _of_mesh(path: Path, model: MorphableModel) -> Start:
    mesh = read_mesh(path)
    if not same_topology(model, mesh):
        raise InputError(
            f"The mesh has {len(mesh.vertices)} vertices and {len(mesh.triangles)} triangles, the "
            f"model {model.info.name} {model.n_vertices} and {len(model.surface.triangles)}: give "
            "a mesh of the model's own topology."
        )
    return _of_vertices(mesh.vertices, model)


def _of_vertices(vertices: np.ndarray, model: MorphableModel) -> Start:
    vertices = np.asarray(vertices, dtype=np.float64)
    if vertices.shape != (model.n_vertices, 3):
        raise InputError(
            f"The vertices have the shape {vertices.shape}, the model {model.info.name} has "
            f"{model.n_vertices}: give a mesh of the model's own topology."
        )
    found = coefficients_of_vertices(model, vertices)
    start = Start(f"a mesh of {model.info.name}'s topology", found.coefficients)
    fits = f"The model lies on the mesh to {found.distance_mm:.2f} mm (root mean square)."
    return dataclasses.replace(start, remarks=(fits,))


def find_start(place: Path, photo: Path) -> Path:
    """The coefficients of a photo: a file itself, or what is called like the photo in a folder.

    Raises:
        InputError: there is none.
    """
    if place.is_file():
        return place
    if not place.is_dir():
        raise InputError(f"There is no file or folder {place}: give coefficients.")
    if any(place.glob("*.npy")) and not any(place.glob(f"{photo.stem}.*")):
        return place  # one face's arrays, a file each
    for stem in (place / photo.parent.name / photo.stem, place / photo.stem):
        for suffix in SUFFIXES:
            path = stem.with_name(stem.name + suffix)
            if path.is_file():
                return path
        if (stem / "fit.h5").is_file():
            return stem / "fit.h5"
        if stem.is_dir():
            return stem
    raise InputError(
        f"Nothing in {place} is called {photo.stem}: coefficients are found by the photo's name, "
        f"with {', '.join(SUFFIXES[:5])} and others, or in a folder of that name."
    )
