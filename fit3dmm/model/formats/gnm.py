"""GNM Head v3: one NumPy archive, and a text file with its 68 landmarks.

Google's generative anthropometric model, Apache-2.0. Written from the published code of the model
(github.com/google/GNM); vertices before skinning are template + identity + expression, and turning
a joint moves them by its skinning weight. Pose correctives vanish at rest and are left out.
"""

import zipfile
from pathlib import Path

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.geometry.subdivision import quads_to_triangles, refine, refine_vertex_map
from fit3dmm.model.formats import gnm_joints
from fit3dmm.model.formats.source import SourceModel, first_bytes, reading
from fit3dmm.model.formats.topology import (
    compacted,
    connected_parts,
    nearest_mirror,
    packed_tiles,
    points_in_triangles,
)
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel

LANDMARKS = "head_sparse_68.txt"
WHERE = "github.com/google/GNM, folder gnm/shape/data/landmarks"
_ARRAYS = (
    "version",
    "template_vertex_positions",
    "vertex_identity_basis",
    "expression_basis",
    "identity_names",
    "expression_names",
    "template_joint_positions",
    "joint_parent_indices",
    "joint_names",
    "skinning_weights",
    "quads",
    "quad_uvs",
    "mirror_indices",
    "vertex_groups",
    "vertex_group_names",
)
_MM_PER_M = 1000.0
_MOUTH_GROUPS = ("teeth", "gums", "tongue", "mouth_sock")
_STILL_MM = 1e-3
"""A component that moves no vertex further than this is of a part that is left out."""


def recognises(files: list[Path]) -> bool:
    """Whether one of the files is an archive with a GNM template."""
    return any(_is_archive(file) for file in files)


def read(files: list[Path]) -> SourceModel:
    """Read the archive and the landmarks.

    Kept are head, eyes and expression components; teeth components move nothing that a photo shows
    with the mouth shut and are left out. The joints become linear blendshapes, see `gnm_joints`.

    Raises:
        InputError: an array or the landmark file is missing, damaged or of another layout.
    """
    path = next(file for file in files if _is_archive(file))
    landmarks = next((file for file in files if file.name == LANDMARKS), None)
    if landmarks is None:
        raise InputError(
            f"GNM's 68 landmarks are missing: add {LANDMARKS} from {WHERE}, "
            "or let `fit3dmm model download gnm` get both."
        )
    with reading(path, "a GNM archive"):
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _ARRAYS if name not in archive.files]
            if missing:
                raise InputError(f"{path} lacks {', '.join(missing)}: it is no GNM Head v3 model.")
            arrays = {name: archive[name] for name in _ARRAYS}
        _check_shapes(arrays)
        return _source(arrays, _read_landmarks(landmarks, len(arrays["template_vertex_positions"])))


def _is_archive(file: Path) -> bool:
    if first_bytes(file, 2) != b"PK" or file.suffix != ".npz":
        return False
    with reading(file, "a NumPy archive"), zipfile.ZipFile(file) as archive:
        return "template_vertex_positions.npy" in archive.namelist()


def _check_shapes(arrays: dict[str, np.ndarray]) -> None:
    n = len(arrays["template_vertex_positions"])
    i, e = len(arrays["identity_names"]), len(arrays["expression_names"])
    j, q = len(arrays["joint_names"]), len(arrays["quads"])
    expected = {
        "template_vertex_positions": (n, 3),
        "vertex_identity_basis": (i, n, 3),
        "expression_basis": (e, n, 3),
        "template_joint_positions": (j, 3),
        "skinning_weights": (j, n),
        "quads": (q, 4),
        "quad_uvs": (q, 4, 2),
        "mirror_indices": (n,),
        "vertex_groups": (len(arrays["vertex_group_names"]), n),
    }
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name} has shape {arrays[name].shape}, expected {shape}")
    if arrays["quads"].min() < 0 or max(arrays["quads"].max(), arrays["mirror_indices"].max()) >= n:
        raise ValueError("quads or mirror_indices number vertices that are not there")


def _read_landmarks(path: Path, n_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertex indices and weights, (68, 3) each: a line has three pairs of index and weight."""
    with reading(path, "GNM's landmark file"):
        lines = path.read_text().splitlines()
        rows = [line.replace(",", " ").split() for line in lines if line.strip()]
        pairs = np.array(rows, dtype=np.float64).reshape(68, 3, 2)
    corners, weights = pairs[..., 0].astype(np.int64), pairs[..., 1]
    if corners.min() < 0 or corners.max() >= n_vertices or abs(weights.sum(1) - 1).max() > 0.01:
        raise InputError(f"{path} has points off the mesh: it belongs to another model.")
    return corners, weights / weights.sum(axis=1, keepdims=True)


def _source(arrays: dict[str, np.ndarray], landmarks: tuple[np.ndarray, np.ndarray]) -> SourceModel:
    template_mm = _MM_PER_M * arrays["template_vertex_positions"].astype(np.float64)
    groups = _groups(arrays)
    kept_quads = _opaque(arrays["quads"], groups, template_mm)
    faces, kept = compacted(arrays["quads"][kept_quads].astype(np.int64))
    row = np.full(len(template_mm), -1)
    row[kept] = np.arange(len(kept))
    mean_mm = template_mm[kept]
    mirror = row[arrays["mirror_indices"][kept]]
    if mirror.min() < 0:
        mirror = nearest_mirror(mean_mm)
    flat_uv = arrays["quad_uvs"][kept_quads].reshape(-1, 2).astype(np.float64)
    uv, uv_faces = np.unique(flat_uv, axis=0, return_inverse=True)
    uv_faces = uv_faces.reshape(-1, 4)
    uv, uv_faces = packed_tiles(uv, uv_faces, connected_parts(faces, len(kept)))
    if not _refines(faces, len(kept), mirror):
        faces, uv_faces = quads_to_triangles(faces), quads_to_triangles(uv_faces)
    triangles = faces if faces.shape[1] == 3 else quads_to_triangles(faces)
    moves = {
        kind: _MM_PER_M * arrays[name][:, kept]
        for kind, name in (
            ("identity", "vertex_identity_basis"),
            ("expression", "expression_basis"),
        )
    }
    of_head = np.array([not str(name).startswith("teeth") for name in arrays["identity_names"]])
    identity = moves["identity"][of_head & _moving(moves["identity"])]
    visible = _moving(moves["expression"])
    modes, names = moves["expression"][visible], arrays["expression_names"][visible]
    joints = gnm_joints.blendshapes(arrays, template_mm, kept)
    sigma = np.concatenate([np.ones(len(names)), joints.sigma])
    corners, weights = landmarks
    stored = StoredModel(
        info=_info(str(arrays["version"]), len(identity), len(sigma)),
        base_faces=faces,
        base_mirror=mirror,
        base_uv=uv,
        base_uv_faces=uv_faces,
        mean_mm=mean_mm,
        identity_basis_mm=identity,
        detail_basis_mm=np.zeros((0, len(kept), 3)),
        expression_basis_mm=np.concatenate([modes, joints.basis_mm]),
        expression_names=(*map(str, names), *joints.names),
        expression_sigma=sigma,
        expression_bounds=np.concatenate(
            [np.tile([-np.inf, np.inf], (len(names), 1)), joints.bounds]
        ),
        albedo_level=0,
        albedo_mean_linear=np.zeros((0, 3)),
        albedo_basis_linear=np.zeros((0, 0, 3)),
        landmarks={
            "ibug68": points_in_triangles(
                row[corners], weights, triangles, tuple(map(str, range(68)))
            )
        },
    )
    anchors = np.einsum("pcx,pc->px", template_mm[corners], weights)
    parts = {name: mask[kept] for name, mask in _own_parts(groups, template_mm).items()}
    return SourceModel(stored, dict(enumerate(anchors)), parts)


def _groups(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    names = map(str, arrays["vertex_group_names"])
    return {
        name: weights > 0.5 for name, weights in zip(names, arrays["vertex_groups"], strict=True)
    }


def _opaque(
    quads: np.ndarray, groups: dict[str, np.ndarray], template_mm: np.ndarray
) -> np.ndarray:
    """Mask of the quads to keep: inner eyes go where a clear outer shell is as large as the eye."""
    keep = np.ones(len(quads), dtype=bool)
    if not {"eyes", "eye_interiors", "eye_exteriors"} <= groups.keys():
        return keep
    size = [np.ptp(template_mm[groups[name]], axis=0) for name in ("eyes", "eye_exteriors")]
    if (size[1] > 0.9 * size[0]).all():
        keep &= ~groups["eye_interiors"][quads].all(axis=1)
    return keep


def _own_parts(groups: dict[str, np.ndarray], template_mm: np.ndarray) -> dict[str, np.ndarray]:
    none = np.zeros(len(template_mm), dtype=bool)
    eyes = groups.get("eyes", none)
    inside = [mask for name, mask in groups.items() if any(part in name for part in _MOUTH_GROUPS)]
    gums = groups.get("gums", none)
    return {
        "eyes": eyes,
        "eye_left": eyes & (template_mm[:, 0] > 0),
        "eye_right": eyes & (template_mm[:, 0] < 0),
        "mouth_interior": np.logical_or.reduce([none, *inside]),
        "teeth": groups.get("teeth", none) & ~gums,
    }


def _moving(modes_mm: np.ndarray) -> np.ndarray:
    return np.abs(modes_mm).max(axis=(1, 2), initial=0) > _STILL_MM


def _refines(quads: np.ndarray, n_vertices: int, mirror: np.ndarray) -> bool:
    """Whether the mirror map sends quads to quads, which subdivision needs."""
    try:
        refine_vertex_map(mirror, refine(quads, n_vertices))
    except ValueError:
        return False
    return True


def _info(version: str, n_identity: int, n_expression: int) -> ModelInfo:
    return ModelInfo(
        name="gnm",
        family="gnm",
        version=version,
        licence="Apache-2.0",
        provenance=(
            f"Google's GNM Head v3: {n_identity} identity components of head and eyes, "
            f"{n_expression} of expression, eye and neck joints."
        ),
        citation="GNM: Generative aNthropometric Model, Google, 2026, github.com/google/GNM",
        notes=(
            "Teeth components, inner eyes and pose correctives are left out; joints are linear "
            "units. The reader was written from the published code and not run on the real file."
        ),
    )
