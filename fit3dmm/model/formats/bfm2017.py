"""The Basel Face Models 2017 and 2019: HDF5 files in the layout of statismo.

T. Gerig et al., "Morphable face models - an open framework", FG 2018.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm._hdf5 import open_foreign
from fit3dmm.model.formats.colour import linearised
from fit3dmm.model.formats.source import SourceModel, first_bytes, reading
from fit3dmm.model.formats.topology import cylindrical_uv, facing_outwards, nearest_mirror
from fit3dmm.model.morphable import ModelInfo
from fit3dmm.model.stored import StoredModel

_WHERE = "faces.dmi.unibas.ch/bfm, on request"
_VERTICES_2017 = (53_149, 28_588)
# The family's named points that are iBUG points. Its own spelling of "attachement".
_IBUG_OF_NAME = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.nose.wing.tip": 31,
    "center.nose.attachement_to_philtrum": 33,
    "left.nose.wing.tip": 35,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "center.lips.upper.outer": 51,
    "left.lips.corner": 54,
    "center.lips.lower.outer": 57,
}
_FEWEST_ANCHORS = 6


def recognises(files: list[Path]) -> bool:
    """Whether one of the files is a statismo model with shape and expression."""
    return any(_is_statismo(file) for file in files)


def read(files: list[Path]) -> SourceModel:
    """Read one model file.

    Raises:
        InputError: it is damaged, or a part is missing.
    """
    path = next(file for file in files if _is_statismo(file))
    with reading(path, "a Basel Face Model"), open_foreign(path) as content:
        for group in ("shape", "color", "expression"):
            if f"{group}/model/pcaBasis" not in content:
                raise InputError(
                    f"{path} lacks the group {group}: the whole model, with colour and expression, "
                    f"is needed, from {_WHERE}."
                )
        return _source(path, content)


def _is_statismo(file: Path) -> bool:
    if not first_bytes(file, 8).startswith(b"\x89HDF\r\n\x1a\n"):
        return False
    # A damaged file can't be told apart from another kind, unless its end is missing.
    with reading(file, "an HDF5 file"), open_foreign(file) as content:
        return "shape/model" in content and "shape/representer" in content


def _source(path: Path, file: Any) -> SourceModel:
    shape_mean, identity = _modes(file["shape/model"])
    expression_mean, expression = _modes(file["expression/model"])
    colour_mean, colour = _modes(file["color/model"])
    triangles = np.array(file["shape/representer/cells"], dtype=np.int64)
    # Statismo stores (3, cells); some writers transpose it.
    triangles = triangles.T if triangles.shape[0] == 3 else triangles
    if len({len(shape_mean), len(expression_mean), len(colour_mean)}) != 1:
        raise InputError(f"{path}: shape, expression and colour have different vertices.")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.max() >= len(shape_mean):
        raise InputError(f"{path}: the triangles don't fit the {len(shape_mean)} vertices.")
    mean = shape_mean + expression_mean
    triangles = facing_outwards(triangles, mean)
    uv, uv_triangles = cylindrical_uv(mean, triangles)
    albedo_mean, albedo_basis = linearised(colour_mean, colour)
    n, k = len(mean), len(expression)
    year = 2017 if n in _VERTICES_2017 else 2019
    stored = StoredModel(
        info=_info(year, len(identity), k, len(colour)),
        base_faces=triangles,
        base_mirror=nearest_mirror(mean),
        base_uv=uv,
        base_uv_faces=uv_triangles,
        mean_mm=mean,
        identity_basis_mm=identity,
        detail_basis_mm=np.zeros((0, n, 3)),
        expression_basis_mm=expression,
        expression_names=tuple(f"pca{i:02d}" for i in range(k)),
        expression_sigma=np.ones(k),
        expression_bounds=np.tile([-np.inf, np.inf], (k, 1)),
        albedo_level=0,
        albedo_mean_linear=albedo_mean,
        albedo_basis_linear=albedo_basis,
    )
    return SourceModel(stored, _anchors(path, file, expression_mean, shape_mean), {})


def _modes(model: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean (vertices, 3) and basis (modes, vertices, 3) times sigma."""
    mean = np.array(model["mean"], dtype=np.float64).reshape(-1, 3)
    sigma = np.sqrt(np.array(model["pcaVariance"], dtype=np.float64))
    modes = np.array(model["pcaBasis"], dtype=np.float32)
    if modes.shape != (mean.size, len(sigma)):
        raise ValueError(f"{model.name}/pcaBasis has shape {modes.shape}")
    basis = (modes * sigma.astype(np.float32)).T.reshape(len(sigma), -1, 3)
    return mean, np.ascontiguousarray(basis)


def _anchors(
    path: Path, file: Any, expression_mean: np.ndarray, shape_mean: np.ndarray
) -> dict[int, np.ndarray]:
    """The named points, moved from the neutral shape that they were marked on to the mean."""
    text = np.asarray(file["metadata/landmarks/json"][()]).tobytes().decode().rstrip("\0")
    anchors = {}
    for point in json.loads(text):
        if point["id"] in _IBUG_OF_NAME:
            place = np.array(point["coordinates"], dtype=np.float64)
            nearest = np.linalg.norm(shape_mean - place, axis=1).argmin()
            anchors[_IBUG_OF_NAME[point["id"]]] = place + expression_mean[nearest]
    if len(anchors) < _FEWEST_ANCHORS:
        raise InputError(
            f"{path} names {len(anchors)} of the face's points, at least {_FEWEST_ANCHORS} are "
            f"needed to register it: get the original file from {_WHERE}."
        )
    return anchors


def _info(year: int, identity: int, expression: int, colour: int) -> ModelInfo:
    return ModelInfo(
        name=f"bfm{year}",
        family=f"bfm{year}",
        version=str(year),
        licence="Basel Face Model licence (non-commercial)",
        provenance=(
            f"Basel Face Model {year}: {identity} identity, {expression} expression and {colour} "
            "colour components."
        ),
        citation="T. Gerig et al., Morphable Face Models - An Open Framework, FG 2018",
        notes=(
            "The expression mean is added to the shape mean. Colours, which the family models in "
            "sRGB, are linearised over the prior. Texture coordinates are cylindrical."
        ),
    )
