"""The Basel Face Model 2009 with expressions, cut and scaled as Deep3DFaceRecon uses it.

P. Paysan et al., "A 3D face model for pose and illumination invariant face recognition", AVSS
2009; expressions of C. Cao et al. (FaceWarehouse) as transferred by Y. Guo et al., TPAMI 2018; the
cut and the numbers of components of Y. Deng et al., CVPRW 2019. Either its parts or the one file
that Deep3DFaceRecon makes of them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.model.formats.colour import linearised
from fit3dmm.model.formats.source import SourceModel, mat_names, read_mat, reading
from fit3dmm.model.formats.topology import (
    cylindrical_uv,
    facing_outwards,
    nearest_mirror,
    points_at_vertices,
)
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel

N_IDENTITY, N_EXPRESSION, N_ALBEDO = 80, 64, 80
_MORPHABLE = ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV")
_INFO = ("tri", "keypoints", "skinmask")
_FRONT = ("meanshape", "meantex", "idBase", "exBase", "texBase", *_INFO)
_MM_PER_UM = 1e-3
_MM_PER_DM = 100.0
_SOURCES = {
    "01_MorphableModel.mat": "Basel Face Model 2009, on request from faces.dmi.unibas.ch/bfm",
    "Exp_Pca.bin": "CoarseData.zip of github.com/Juyong/3DFace",
    "std_exp.txt": "Deep3DFaceRecon_pytorch, folder BFM",
    "BFM_exp_idx.mat": "Deep3DFaceRecon_pytorch, folder BFM",
    "BFM_front_idx.mat": "Deep3DFaceRecon_pytorch, folder BFM",
    "facemodel_info.mat": "Deep3DFaceRecon_pytorch, folder BFM",
}
_BY_VARIABLE = {
    "shapePC": "01_MorphableModel.mat",
    "trimIndex": "BFM_exp_idx.mat",
    "idx": "BFM_front_idx.mat",
    "idBase": "BFM_model_front.mat",
    "tri": "facemodel_info.mat",
}


@dataclass(frozen=True)
class _Front:
    """The cut model; one row a vertex, bases coefficient-major, texture in 0..255."""

    mean_mm: np.ndarray
    identity_basis_mm: np.ndarray
    expression_basis_mm: np.ndarray
    texture_mean: np.ndarray
    texture_basis: np.ndarray
    info: dict[str, np.ndarray]
    origin: str


def recognises(files: list[Path]) -> bool:
    """Whether a file holds a part of the model; `read` says what else is needed."""
    return bool(_by_content(files).keys() - {"std_exp.txt", "facemodel_info.mat"})


def read(files: list[Path]) -> SourceModel:
    """Read the parts, or the file that Deep3DFaceRecon saves.

    Raises:
        InputError: a part is missing (the sentence says where people find it) or damaged.
    """
    found = _by_content(files)
    if "BFM_model_front.mat" in found:
        return _source(_read_front(found["BFM_model_front.mat"]))
    missing = [f"{name} ({where})" for name, where in _SOURCES.items() if name not in found]
    if missing:
        raise InputError(f"The Basel Face Model 2009 needs these files too: {'; '.join(missing)}.")
    return _source(_read_parts(found))


def _by_content(files: list[Path]) -> dict[str, Path]:
    """The files that matter, by their usual name."""
    found = {file.name: file for file in files if file.name in ("Exp_Pca.bin", "std_exp.txt")}
    for file in files:
        names = mat_names(file)
        usual = next((usual for variable, usual in _BY_VARIABLE.items() if variable in names), None)
        if usual:
            found[usual] = file
    return found


def _read_front(path: Path) -> _Front:
    mat = read_mat(path, *_FRONT)
    n = mat["meanshape"].size // 3

    def basis(name: str, count: int) -> np.ndarray:
        return _leading(mat[name], 3 * n, count, f"{path}: {name}").T.reshape(count, n, 3)

    return _Front(
        _MM_PER_DM * mat["meanshape"].reshape(-1, 3),
        _MM_PER_DM * basis("idBase", N_IDENTITY),
        _MM_PER_DM * basis("exBase", N_EXPRESSION),
        mat["meantex"].reshape(-1, 3),
        basis("texBase", N_ALBEDO),
        {name: mat[name] for name in _INFO},
        "BFM_model_front.mat as Deep3DFaceRecon saves it",
    )


def _read_parts(found: dict[str, Path]) -> _Front:
    basel = read_mat(found["01_MorphableModel.mat"], *_MORPHABLE)
    of_basel = read_mat(found["BFM_exp_idx.mat"], "trimIndex")["trimIndex"].ravel().astype(int) - 1
    of_expression = read_mat(found["BFM_front_idx.mat"], "idx")["idx"].ravel().astype(int) - 1
    n_basel = basel["shapeMU"].size // 3
    _check_range("trimIndex", of_basel, n_basel)
    _check_range("idx", of_expression, len(of_basel))
    kept = of_basel[of_expression]

    def scaled(modes: str, sigmas: str, count: int) -> np.ndarray:
        where = f"{found['01_MorphableModel.mat']}: {modes}"
        leading = _leading(basel[modes], 3 * n_basel, count, where)
        by_vertex = leading.reshape(n_basel, 3, count)[kept] * basel[sigmas].ravel()[:count]
        return np.moveaxis(by_vertex, 2, 0)

    modes = _read_expressions(found["Exp_Pca.bin"], found["std_exp.txt"], len(of_basel))
    return _Front(
        _MM_PER_UM * basel["shapeMU"].reshape(-1, 3)[kept],
        _MM_PER_UM * scaled("shapePC", "shapeEV", N_IDENTITY),
        _MM_PER_UM * modes[:, of_expression],
        basel["texMU"].reshape(-1, 3)[kept],
        scaled("texPC", "texEV", N_ALBEDO),
        read_mat(found["facemodel_info.mat"], *_INFO),
        "the parts that Deep3DFaceRecon asks for",
    )


def _read_expressions(path: Path, sigmas_path: Path, n_vertices: int) -> np.ndarray:
    """(64, vertices, 3) in um. The file's own mean is left out, as Deep3DFaceRecon does."""
    with reading(path, "an expression basis"), path.open("rb") as file:
        count = int(np.fromfile(file, "<i4", 1)[0])
        values = np.fromfile(file, "<f4")
    if count < N_EXPRESSION or len(values) != 3 * n_vertices * (count + 1):
        raise InputError(
            f"{path} should hold a mean and {N_EXPRESSION} or more modes of {n_vertices} vertices, "
            f"got {len(values)} numbers for {count} modes: it is incomplete or of another kind."
        )
    with reading(sigmas_path, "a list of numbers"):
        sigmas = np.array(sigmas_path.read_text().split(), dtype=np.float64)
    if len(sigmas) < N_EXPRESSION:
        raise InputError(f"{sigmas_path} should hold {count} numbers, got {len(sigmas)}.")
    modes = values.reshape(count + 1, n_vertices, 3)[1 : N_EXPRESSION + 1]
    return modes * sigmas[:N_EXPRESSION, None, None].astype(np.float32)


def _leading(modes: np.ndarray, rows: int, count: int, where: str) -> np.ndarray:
    if modes.ndim != 2 or modes.shape[0] != rows or modes.shape[1] < count:
        raise InputError(
            f"{where} has shape {modes.shape}, expected ({rows}, {count} or more): "
            "it belongs to another model."
        )
    return modes[:, :count]


def _check_range(name: str, index: np.ndarray, count: int) -> None:
    if index.min() < 0 or index.max() >= count:
        raise InputError(
            f"{name} must number vertices from 1 to {count}, got {index.min() + 1} to "
            f"{index.max() + 1}: the index file belongs to another model."
        )


def _source(front: _Front) -> SourceModel:
    n = len(front.mean_mm)
    listed = front.info["tri"].astype(np.int64) - 1
    keypoints = front.info["keypoints"].ravel().astype(np.int64) - 1
    skin = front.info["skinmask"].ravel().astype(np.float64)
    _check_range("tri", listed, n)
    _check_range("keypoints", keypoints, n)
    if listed.ndim != 2 or listed.shape[1] != 3 or len(keypoints) != 68 or len(skin) != n:
        raise InputError(
            f"The index file should hold triangles, 68 keypoints and a skin mask of {n} vertices, "
            f"got {listed.shape}, {len(keypoints)} and {len(skin)}: take all of one folder."
        )
    mean = front.mean_mm.astype(np.float64)
    triangles = facing_outwards(listed, mean)
    uv, uv_triangles = cylindrical_uv(mean, triangles)
    albedo_mean, albedo_basis = linearised(front.texture_mean / 255, front.texture_basis / 255)
    stored = StoredModel(
        info=_info(front.origin),
        base_faces=triangles,
        base_mirror=nearest_mirror(mean),
        base_uv=uv,
        base_uv_faces=uv_triangles,
        mean_mm=mean,
        identity_basis_mm=front.identity_basis_mm,
        detail_basis_mm=np.zeros((0, n, 3)),
        expression_basis_mm=front.expression_basis_mm,
        expression_names=tuple(f"pca{k:02d}" for k in range(N_EXPRESSION)),
        expression_sigma=np.ones(N_EXPRESSION),
        expression_bounds=np.tile([-np.inf, np.inf], (N_EXPRESSION, 1)),
        albedo_level=0,
        albedo_mean_linear=albedo_mean,
        albedo_basis_linear=albedo_basis,
        landmarks={"ibug68": points_at_vertices(keypoints, triangles, tuple(map(str, range(68))))},
        regions={"skin": skin},
    )
    return SourceModel(stored, {i: mean[k] for i, k in enumerate(keypoints)}, {})


def _info(origin: str) -> ModelInfo:
    return ModelInfo(
        name="bfm2009",
        family="bfm2009",
        version="2009, cut and components of Deep3DFaceRecon",
        licence="Basel Face Model licence (non-commercial)",
        provenance=(
            f"Basel Face Model 2009 with FaceWarehouse expressions, from {origin}: 80 identity, "
            "64 expression and 80 texture components."
        ),
        citation=(
            "P. Paysan et al., A 3D Face Model for Pose and Illumination Invariant Face "
            "Recognition, AVSS 2009; C. Cao et al., FaceWarehouse, TVCG 2014; Y. Guo et al., "
            "TPAMI 2018; Y. Deng et al., CVPRW 2019"
        ),
        notes=(
            "The expression mean is left out, as Deep3DFaceRecon does. Colours, which the family "
            "models in sRGB, are linearised over the prior. Texture coordinates are cylindrical."
        ),
    )
