"""3DDFA_V2's 62 numbers: a weak perspective, 40 of shape and 10 of expression.

J. Guo et al., "Towards fast, accurate and stable 3D dense face alignment", ECCV 2020; the layout is
that of its `utils/tddfa_util.py`. The numbers mean something with its own bases only, so these make
the mesh, and the coefficients of the model that is fitted are found on it.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from fit3dmm._errors import InputError
from fit3dmm._restricted_pickle import read_pickle
from fit3dmm.geometry.rotation import rotation_vector
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.refining.containers import BARE, read_arrays, vector
from fit3dmm.refining.mesh_coefficients import coefficients_of_surface
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose

BASIS = "bfm_noneck_v3.pkl"
_NAMES = (BARE, "param", "params", "param_lst")
_N_POSE, _N_SHAPE, _N_EXPRESSION = 12, 40, 10


def is_tddfa(arrays: Mapping[str, np.ndarray]) -> bool:
    """Whether the arrays are such a vector."""
    return any(name in arrays and arrays[name].shape[-1] == 62 for name in _NAMES)


def tddfa_start(
    arrays: Mapping[str, np.ndarray], model: MorphableModel, basis: Path | None
) -> Start:
    """What the vector says of a face.

    Args:
        arrays: of the file.
        model: any with iBUG's points.
        basis: 3DDFA_V2's `configs/bfm_noneck_v3.pkl`, with `tri.pkl` beside it where it lacks the
            triangles.

    Raises:
        InputError: the basis is missing or of another kind.
    """
    if basis is None:
        raise InputError(
            f"62 numbers of 3DDFA_V2 mean something with its bases only: give its configs/{BASIS} "
            "as --basis."
        )
    numbers = vector(arrays, *_NAMES, size=_N_POSE + _N_SHAPE + _N_EXPRESSION)
    assert numbers is not None
    affine = numbers[:_N_POSE].reshape(3, 4)[:, :3]
    mean, shapes, expressions, keypoints, triangles = _bases(basis)
    flat = mean + shapes @ numbers[12:52] + expressions @ numbers[52:]
    vertices = flat.reshape(-1, 3)
    mesh = Mesh(vertices, triangles)
    found = coefficients_of_surface(model, mesh, flat[keypoints].reshape(68, 3))
    return Start(
        "3DDFA_V2's 62 numbers",
        found.coefficients,
        Pose(rotation_vector(torch.from_numpy(_rotation(affine))).float(), torch.zeros(3)),
        remarks=(
            f"The model lies on the mesh of these numbers to {found.distance_mm:.1f} mm (root mean "
            "square).",
        ),
    )


def _bases(
    path: Path,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    content = read_pickle(path) if path.suffix in (".pkl", ".pickle") else read_arrays(path)
    missing = [name for name in ("u", "w_shp", "w_exp", "keypoints") if name not in content]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}: expected 3DDFA_V2's {BASIS}.")
    mean = np.asarray(content["u"], dtype=np.float64).reshape(-1)
    shapes = np.asarray(content["w_shp"], dtype=np.float64)[:, :_N_SHAPE]
    expressions = np.asarray(content["w_exp"], dtype=np.float64)[:, :_N_EXPRESSION]
    keypoints = np.asarray(content["keypoints"]).reshape(-1).astype(np.int64)
    whole = (len(mean), _N_SHAPE), (len(mean), _N_EXPRESSION)
    if (shapes.shape, expressions.shape) != whole or len(keypoints) != 3 * 68:
        raise InputError(
            f"{path} should hold 40 shapes, 10 expressions and 68 keypoints of one mesh, got "
            f"arrays of shapes {shapes.shape}, {expressions.shape} and {keypoints.shape}."
        )
    return mean, shapes, expressions, keypoints, _triangles(content, path, len(mean) // 3)


def _triangles(content: Mapping, path: Path, n_vertices: int) -> np.ndarray:
    listed = content.get("tri")
    beside = path.with_name("tri.pkl")
    if listed is None and beside.is_file():
        listed = read_pickle(beside)
    if listed is None:
        raise InputError(f"{path} has no triangles: put 3DDFA_V2's tri.pkl beside it.")
    triangles = np.asarray(listed).astype(np.int64)
    triangles = triangles.T if triangles.shape[0] == 3 and triangles.shape[1] != 3 else triangles
    triangles = triangles - triangles.min()
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.max() >= n_vertices:
        raise InputError(f"The triangles beside {path} are of another mesh.")
    return triangles


def _rotation(affine: np.ndarray) -> np.ndarray:
    """The rotation nearest to the first two rows of a weak perspective."""
    u, _, vt = np.linalg.svd(affine[:2], full_matrices=False)
    rows = u @ vt
    return np.vstack([rows, np.cross(rows[0], rows[1])])
