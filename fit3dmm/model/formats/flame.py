"""FLAME, 2019 to 2023: shapes, expressions, pose correctives, and four joints that turn.

T. Li et al., "Learning a model of facial shape and expression from 4D scans", SIGGRAPH Asia 2017.
The pickle that its makers give is read without running it; an archive of the same arrays does as
well.
"""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from fit3dmm._errors import InputError
from fit3dmm._restricted_pickle import read_npy, read_pickle
from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.formats.source import SourceModel, reading
from fit3dmm.model.formats.topology import (
    connected_parts,
    cylindrical_uv,
    nearest_mirror,
    packed_tiles,
)
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel
from fit3dmm.model.stored_rig import StoredRig

N_IDENTITY, N_EXPRESSION = 100, 50
"""Components that are kept: those that DECA, EMOCA and SMIRK tell."""
JOINTS = ("jaw", "eye_left", "eye_right", "neck")
"""Of the converted model, in order: the head stays, and the neck turns below it."""
_FIRST_EXPRESSION = {400: 300, 150: 100}
"""Where expressions begin among so many components: in the makers' file, and in archives of the
components that most of the field uses."""
_ARRAYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f", "kintree_table")
_PARENTS = [-1, 0, 1, 1, 1]
"""Root, neck, jaw, left eye, right eye."""
_MM_PER_M = 1000.0
# How far joints are turned in photos, in radians about x, y and z: judgements. A jaw opens by 0.5;
# eyes hardly roll; a neck that photos hardly show stays nearly straight.
_SIGMA_RAD = {
    "jaw": (0.12, 0.03, 0.02),
    "eye_left": (0.15, 0.2, 0.02),
    "eye_right": (0.15, 0.2, 0.02),
    "neck": (0.1, 0.1, 0.1),
}
_LIMIT_RAD = {
    "jaw": ((-0.05, 0.7), (-0.15, 0.15), (-0.1, 0.1)),
    "eye_left": ((-0.6, 0.6), (-0.7, 0.7), (-0.1, 0.1)),
    "eye_right": ((-0.6, 0.6), (-0.7, 0.7), (-0.1, 0.1)),
    "neck": ((-0.6, 0.6), (-0.6, 0.6), (-0.6, 0.6)),
}
_INNER_51 = 17
"""iBUG's number of the first point of the static embedding: it leaves out the jaw."""


def recognises(files: list[Path]) -> bool:
    """Whether one of the files is a FLAME model."""
    return any(_is_model(file) for file in files)


def read(files: list[Path]) -> SourceModel:
    """Read the model, and the landmark embedding where one of the files is one.

    Raises:
        InputError: an array is missing, damaged or of another layout.
    """
    path = next(file for file in files if _is_model(file))
    with reading(path, "a FLAME model"):
        arrays = _arrays(path)
        _check(arrays)
        embedding = _embedding([file for file in files if file != path], len(arrays["f"]))
        return _source(arrays, embedding, path.name)


def _is_model(file: Path) -> bool:
    if file.suffix == ".npz":
        if not zipfile.is_zipfile(file):
            return False
        with reading(file, "a NumPy archive"), zipfile.ZipFile(file) as archive:
            return {"v_template.npy", "posedirs.npy"} <= set(archive.namelist())
    if file.suffix not in (".pkl", ".pickle"):
        return False
    content = file.read_bytes()
    return all(name in content for name in (b"v_template", b"posedirs", b"kintree_table"))


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as archive:
            found: dict[str, Any] = {name: archive[name] for name in archive.files}
    else:
        found = read_pickle(path)
    missing = [name for name in _ARRAYS if name not in found]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: it is no FLAME model.")
    return {name: np.asarray(found[name]) for name in _ARRAYS}


def _check(arrays: dict[str, np.ndarray]) -> None:
    n, k = len(arrays["v_template"]), arrays["shapedirs"].shape[-1]
    expected = {
        "v_template": (n, 3),
        "shapedirs": (n, 3, k),
        "posedirs": (n, 3, 36),
        "J_regressor": (5, n),
        "weights": (n, 5),
        "f": (len(arrays["f"]), 3),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    if k not in _FIRST_EXPRESSION:
        raise ValueError(f"shapedirs has {k} components, expected 400 (or 150, 100 of identity)")
    # The root's parent is written as the largest number of its kind.
    parents = [-1, *arrays["kintree_table"][0].astype(np.int64)[1:].tolist()]
    if parents != _PARENTS:
        raise ValueError(f"joints hang on {parents}, expected {_PARENTS}")
    if arrays["f"].min() < 0 or arrays["f"].max() >= n:
        raise ValueError("f numbers vertices that are not there")
    eyes = arrays["J_regressor"][3:5] @ arrays["v_template"]
    if not eyes[0, 0] > eyes[1, 0]:
        raise ValueError("the left eye is not at the subject's left")


def _embedding(
    files: list[Path], n_triangles: int
) -> tuple[Int[np.ndarray, "points"], Float[np.ndarray, "points 3"]] | None:
    """Triangles and weights of all 68 points, or of the inner 51; None where no file has them."""
    found: dict[str, Any] = {}
    for file in files:
        if file.suffix == ".npy":
            content = read_npy(file)
        elif file.suffix in (".pkl", ".pickle"):
            content = read_pickle(file)
        else:
            continue
        if isinstance(content, dict):
            found |= content
    names = (("full_lmk_faces_idx", "full_lmk_bary_coords"), ("lmk_face_idx", "lmk_b_coords"))
    for triangle_name, weight_name in names:
        if triangle_name in found and weight_name in found:
            triangle = np.asarray(found[triangle_name]).reshape(-1).astype(np.int64)
            weights = np.asarray(found[weight_name], dtype=np.float64).reshape(-1, 3)
            if len(triangle) not in (51, 68) or len(weights) != len(triangle):
                raise ValueError(f"the landmark embedding has {len(triangle)} points, not 51 or 68")
            if triangle.min() < 0 or triangle.max() >= n_triangles:
                raise ValueError("the landmark embedding is of another mesh")
            return triangle, weights
    return None


def _source(
    arrays: dict[str, np.ndarray],
    embedding: tuple[np.ndarray, np.ndarray] | None,
    name: str,
) -> SourceModel:
    mean_mm = _MM_PER_M * arrays["v_template"].astype(np.float64)
    triangles = arrays["f"].astype(np.int64)
    components = _MM_PER_M * np.moveaxis(arrays["shapedirs"].astype(np.float32), 2, 0)
    first = _FIRST_EXPRESSION[len(components)]
    identity = components[:first][:N_IDENTITY]
    expression = components[first:][:N_EXPRESSION]
    uv, uv_triangles = cylindrical_uv(mean_mm, triangles)
    uv, uv_triangles = packed_tiles(uv, uv_triangles, connected_parts(triangles, len(mean_mm)))
    rig = _rig(arrays)
    anchors, landmarks = {}, {}
    if embedding is not None:
        points = SurfacePoints(*embedding)
        first_point = _INNER_51 if len(points) == 51 else 0
        places = points.locate(mean_mm, triangles)
        anchors = {first_point + k: place for k, place in enumerate(places)}
        if len(points) == 68:
            landmarks["ibug68"] = SurfacePoints(*embedding, tuple(map(str, range(68))))
    stored = StoredModel(
        info=_info(name, len(identity), len(expression)),
        base_faces=triangles,
        base_mirror=nearest_mirror(mean_mm),
        base_uv=uv,
        base_uv_faces=uv_triangles,
        mean_mm=mean_mm,
        identity_basis_mm=identity,
        detail_basis_mm=np.zeros((0, len(mean_mm), 3)),
        expression_basis_mm=expression,
        expression_names=tuple(f"pca{k:02d}" for k in range(len(expression))),
        expression_sigma=np.ones(len(expression)),
        expression_bounds=np.tile([-np.inf, np.inf], (len(expression), 1)),
        albedo_level=0,
        albedo_mean_linear=np.zeros((0, 3)),
        albedo_basis_linear=np.zeros((0, 0, 3)),
        landmarks=landmarks,
        joints={one: rig.centres[JOINTS.index(one)] for one in ("jaw", "eye_left", "eye_right")},
        rig=rig,
    )
    eyes = {one: rig.skinning[JOINTS.index(one)] > 0.5 for one in ("eye_left", "eye_right")}
    return SourceModel(stored, anchors, {**eyes, "eyes": eyes["eye_left"] | eyes["eye_right"]})


def _rig(arrays: dict[str, np.ndarray]) -> StoredRig:
    """The same motion seen from the head: what hangs on the root turns back about the neck.

    In the file the neck carries the head. Its inverse turn, applied to all, leaves the head where
    it is and turns the vertices of the root; the pose takes the rest. A transposed matrix answers
    to correctives with rows and columns exchanged.
    """
    order = [2, 3, 4, 0]
    weights = arrays["weights"].astype(np.float64).T
    correctives = _MM_PER_M * np.moveaxis(arrays["posedirs"].astype(np.float64), 2, 0)
    neck, jaw, left, right = correctives.reshape(4, 3, 3, -1, 3)
    ours = np.stack([jaw, left, right, neck.swapaxes(0, 1)])
    regressor = arrays["J_regressor"].astype(np.float64)
    return StoredRig(
        JOINTS,
        np.full(4, -1),
        regressor[[2, 3, 4, 1]],
        np.clip(weights[order], 0, 1),
        ours.reshape(36, -1, 3),
        np.array([_SIGMA_RAD[name] for name in JOINTS]).ravel(),
        np.array([_LIMIT_RAD[name] for name in JOINTS]).reshape(-1, 2),
    )


def _info(name: str, n_identity: int, n_expression: int) -> ModelInfo:
    return ModelInfo(
        name="flame",
        family="flame",
        version="FLAME 2017 to 2023 (the file does not say which)",
        licence="FLAME licence of the version (2023 Open: CC-BY-4.0)",
        provenance=(
            f"FLAME from {name}: {n_identity} identity and {n_expression} expression components, "
            "jaw, eye and neck joints with pose correctives."
        ),
        citation=(
            "T. Li, T. Bolkart, M. J. Black, H. Li, J. Romero, Learning a Model of Facial Shape "
            "and Expression from 4D Scans, SIGGRAPH Asia 2017"
        ),
        notes=(
            "The head stays and the neck turns below it: the turn of the whole is the pose. The "
            "reader was written from the published layout and not run on the licensed file."
        ),
    )
