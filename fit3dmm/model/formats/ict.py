"""ICT-FaceKit Light: a folder of OBJ files, one a shape.

R. Li et al., "Learning formation of physically-based face attributes", CVPR 2020. MIT licence.
"""

import re
from pathlib import Path

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.geometry.obj_files import read_obj, read_obj_vertices
from fit3dmm.model.formats.source import EXPRESSION_SIGMA, SourceModel, read_json, reading
from fit3dmm.model.formats.topology import (
    compacted,
    nearest_mirror,
    packed_tiles,
    points_at_vertices,
    to_triangles,
)
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel

NEUTRAL = "generic_neutral_mesh.obj"
INDICES = "vertex_indices.json"
WHERE = "github.com/ICT-VGL/ICT-FaceKit, folder FaceXModel (`fit3dmm model download ict` gets it)"
_N_VERTICES = 26_719
_N_IDENTITY = 100
# Vertex ranges of the parts that are kept, as the model's README lists them. The irises lie behind
# a clear cornea, and fluid, blend, occlusion and lash meshes are see-through: an opaque renderer
# would show none or the wrong ones, so the scleras carry the iris in their colour.
_PARTS = {
    "skin": (0, 11_248),
    "mouth_interior": (11_248, 13_294),
    "eye_socket": (13_294, 14_062),
    "gums": (14_062, 17_039),
    "teeth": (17_039, 21_451),
    "eye_left": (21_451, 22_221),
    "eye_right": (23_021, 23_791),
}
_REGIONS = {
    "mouth_interior": ("mouth_interior", "gums", "teeth"),
    "teeth": ("teeth",),
    "eye_left": ("eye_left",),
    "eye_right": ("eye_right",),
    "eyes": ("eye_left", "eye_right"),
    "eye_socket": ("eye_socket",),
}


def recognises(files: list[Path]) -> bool:
    """Whether the neutral mesh is among the files."""
    return any(file.name == NEUTRAL for file in files)


def read(files: list[Path]) -> SourceModel:
    """Read the folder that holds the neutral mesh.

    Blendshapes are mapped to ARKit's names: `_L` and `_R` become `Left` and `Right`, and the halves
    of `browInnerUp` and `cheekPuff`, which ARKit does not part, are added up.

    Raises:
        InputError: a file is missing, truncated, or has another mesh.
    """
    folder = next(file for file in files if file.name == NEUTRAL).parent
    identity = [folder / f"identity{k:03d}.obj" for k in range(_N_IDENTITY)]
    indices = folder / INDICES
    _require([indices, *identity])
    listed = read_json(indices)
    with reading(indices, "ICT-FaceKit's index file"):
        blendshapes = [str(name) for name in listed["expressions"]]
        landmarks = np.array(listed["idx_to_landmark_verts"], dtype=np.int64)
    expression = [folder / f"{name}.obj" for name in blendshapes]
    _require(expression)
    vertices_cm, faces, uv, uv_faces = _read_mesh(folder / NEUTRAL)
    kept_faces, part = _kept(faces)
    triangles, kept = compacted(to_triangles(faces[kept_faces]))
    triangle_part = np.repeat(part, 1 + (faces[kept_faces][:, 3] >= 0))
    packed_uv, uv_triangles = packed_tiles(uv, to_triangles(uv_faces[kept_faces]), triangle_part)
    mean_mm = 10.0 * vertices_cm[kept]
    names, expression_mm = _arkit(blendshapes, _read_modes(expression, vertices_cm, kept))
    row_of_vertex = np.full(_N_VERTICES, -1)
    row_of_vertex[kept] = np.arange(len(kept))
    ibug = points_at_vertices(row_of_vertex[landmarks], triangles, tuple(map(str, range(68))))
    stored = StoredModel(
        info=_info(len(names)),
        base_faces=triangles,
        base_mirror=nearest_mirror(mean_mm),
        base_uv=packed_uv,
        base_uv_faces=uv_triangles,
        mean_mm=mean_mm,
        identity_basis_mm=_read_modes(identity, vertices_cm, kept),
        detail_basis_mm=np.zeros((0, len(kept), 3)),
        expression_basis_mm=expression_mm,
        expression_names=names,
        expression_sigma=np.full(len(names), EXPRESSION_SIGMA),
        expression_bounds=np.tile([0.0, 1.0], (len(names), 1)),
        albedo_level=0,
        albedo_mean_linear=np.zeros((0, 3)),
        albedo_basis_linear=np.zeros((0, 0, 3)),
        landmarks={"ibug68": ibug},
    )
    anchors = {i: mean_mm[row] for i, row in enumerate(row_of_vertex[landmarks])}
    return SourceModel(stored, anchors, _own_parts(kept))


def _kept(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mask of the faces whose corners are all kept, and the texture part of each of these."""
    kept = np.zeros(_N_VERTICES, dtype=bool)
    for first, last in _PARTS.values():
        kept[first:last] = True
    inside = np.all(kept[faces] | (faces < 0), axis=1)
    # Only the eyes share a texture tile with the face, so only they are parts of their own.
    part = np.digitize(faces.max(axis=1), [_PARTS["eye_left"][0], _PARTS["eye_right"][0]])
    return inside, part[inside]


def _own_parts(kept: np.ndarray) -> dict[str, np.ndarray]:
    def within(part: str) -> np.ndarray:
        first, last = _PARTS[part]
        return (kept >= first) & (kept < last)

    return {
        region: np.logical_or.reduce([within(part) for part in parts])
        for region, parts in _REGIONS.items()
    }


def _arkit(blendshapes: list[str], basis: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    merged: dict[str, np.ndarray] = {}
    for blendshape, mode in zip(blendshapes, basis, strict=True):
        name = re.sub("_L$", "Left", re.sub("_R$", "Right", blendshape))
        whole = re.sub("^(browInnerUp|cheekPuff)(Left|Right)$", r"\1", name)
        merged[whole] = merged.get(whole, 0) + mode
    return tuple(merged), np.stack(list(merged.values()))


def _read_modes(paths: list[Path], neutral_cm: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """(files, kept, 3) differences to the neutral mesh in mm."""
    modes = np.empty((len(paths), len(kept), 3), dtype=np.float32)
    for mode, path in zip(modes, paths, strict=True):
        mode[:] = 10.0 * (_read_vertices(path) - neutral_cm)[kept]
    return modes


def _read_vertices(path: Path) -> np.ndarray:
    return _checked(path, read_obj_vertices(path))


def _checked(path: Path, vertices: np.ndarray) -> np.ndarray:
    if len(vertices) != _N_VERTICES:
        raise InputError(
            f"{path} has {len(vertices)} vertices where ICT-FaceKit Light has {_N_VERTICES}: "
            f"it is incomplete or of another model; get it again from {WHERE}."
        )
    return vertices


def _read_mesh(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, faces (the fourth corner -1 for triangles), UVs and UV faces of an OBJ file."""
    mesh = read_obj(path)
    vertices = _checked(path, mesh.vertices)
    with reading(path, "ICT-FaceKit's neutral mesh"):
        faces, uv_faces = mesh.faces(most=4)
        if ((uv_faces < 0) != (faces < 0)).any():
            raise ValueError("a face lacks texture coordinates")
    return vertices, faces, mesh.uv, uv_faces


def _require(paths: list[Path]) -> None:
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise InputError(
            f"{paths[0].parent} lacks {len(missing)} of ICT-FaceKit's files, the first "
            f"{missing[0]}: get the whole folder from {WHERE}."
        )


def _info(n_blendshapes: int) -> ModelInfo:
    return ModelInfo(
        name="ict",
        family="ict",
        version="FaceKit Light",
        licence="MIT",
        provenance=(
            "ICT-FaceKit Light, copyright 2020 USC Institute for Creative Technologies: "
            f"{_N_IDENTITY} identity modes of 1 sigma from light-stage scans, {n_blendshapes} "
            "blendshapes."
        ),
        citation=(
            "R. Li, K. Bladin, Y. Zhao, et al., Learning Formation of Physically-Based Face "
            "Attributes, CVPR 2020"
        ),
        notes=(
            "Iris, fluid, blend, occlusion and lash meshes are left out. The halves of browInnerUp "
            "and cheekPuff are added up, as ARKit has one blendshape for each."
        ),
    )
