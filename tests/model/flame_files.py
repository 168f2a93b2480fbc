"""Generated files in FLAME's layout: a head with five joints that nobody made.

Commons' skin and eyeballs on another origin and in another size, in metres; its modes for shapes,
its blendshapes for expressions, the weights of its bones for skinning, and smooth random
correctives.
"""

import pickle
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from fit3dmm.export.skeleton import bone_weights
from fit3dmm.model.formats.topology import compacted
from fit3dmm.model.morphable import MorphableModel

N_IDENTITY, N_EXPRESSION = 100, 50
SIZE, SHIFT_MM = 1.04, np.array([0.0, -21.0, 33.0])


def flame_arrays(commons: MorphableModel, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of such a file.

    Args:
        commons: at level 0.
    """
    rng = np.random.default_rng(seed)
    parts = [commons.parts[name].numpy() for name in ("skin", "eye_left", "eye_right")]
    triangles, kept = compacted(commons.surface.triangles.numpy()[np.logical_or.reduce(parts)])
    mean_mm = commons.shape_mm(commons.zeros()).numpy().astype(np.float64)

    def lifted(basis: torch.Tensor) -> np.ndarray:
        return commons.surface.lift(basis).numpy().astype(np.float64)

    bones = bone_weights(commons, ("neck", "head", "jaw", "eye_left", "eye_right"))[kept]
    joints = {name: weights.numpy()[kept] for name, weights in commons.joints.items()}
    neck = bones[:, 0] > 0.5
    identity = np.concatenate([lifted(commons.identity_basis_mm), lifted(commons.detail_basis_mm)])[
        :N_IDENTITY
    ]
    jaw_opens = commons.expression_names.index("jawOpen")
    moves = np.delete(lifted(commons.expression_basis_mm), jaw_opens, axis=0)[:N_EXPRESSION]
    sigma = np.delete(commons.expression_sigma.numpy(), jaw_opens)[:N_EXPRESSION]
    components = np.concatenate([identity, sigma[:, None, None] * moves])[:, kept]
    place = mean_mm[kept] / 100
    waves = np.sin(place @ rng.normal(size=(3, 8)) + rng.normal(size=8))
    correctives_mm = np.einsum("vw,wxf->vxf", waves, rng.normal(size=(8, 3, 36)))

    def centre(weights: np.ndarray) -> np.ndarray:
        return weights / weights.sum()

    regressor = [
        centre(neck.astype(float)),
        centre(bones[:, 0] * (mean_mm[kept, 1] > np.median(mean_mm[kept][neck][:, 1]))),
        centre(joints["jaw"]),
        centre(joints["eye_left"]),
        centre(joints["eye_right"]),
    ]
    return {
        "v_template": (SIZE * mean_mm[kept] + SHIFT_MM) / 1000,
        "shapedirs": np.moveaxis(SIZE * components, 0, 2) / 1000,
        "posedirs": correctives_mm / 1000,
        "J_regressor": np.stack(regressor),
        # Root, neck, jaw, eyes: in FLAME it is the neck that carries the head.
        "weights": bones,
        "f": triangles.astype(np.uint32),
        "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], dtype=np.uint32),
    }


def write_pickle(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """As the makers' file is: a pickle with a sparse regressor."""
    content = arrays | {"J_regressor": sp.csc_matrix(arrays["J_regressor"]), "bs_style": "lbs"}
    path.write_bytes(pickle.dumps(content, protocol=2))
    return path


def posed(
    arrays: dict[str, np.ndarray], betas: np.ndarray, expression: np.ndarray, pose: np.ndarray
) -> np.ndarray:
    """FLAME's vertices in m, as its paper states them, one matrix after another.

    Args:
        arrays: of the file.
        betas: coefficients of shape.
        expression: coefficients of expression.
        pose: (5, 3) rotation vectors of root, neck, jaw, left and right eye.
    """
    from scipy.spatial.transform import Rotation

    first = 100
    coefficients = np.zeros(arrays["shapedirs"].shape[2])
    coefficients[: len(betas)] = betas
    coefficients[first : first + len(expression)] = expression
    shaped = arrays["v_template"] + arrays["shapedirs"] @ coefficients
    joints = arrays["J_regressor"] @ shaped
    turns = Rotation.from_rotvec(pose).as_matrix()
    features = np.concatenate([(turn - np.eye(3)).ravel() for turn in turns[1:]])
    shaped = shaped + arrays["posedirs"] @ features
    parents = arrays["kintree_table"][0].astype(np.int64)
    world: list[np.ndarray] = []
    for k in range(5):
        local = np.eye(4)
        local[:3, :3] = turns[k]
        local[:3, 3] = joints[k] if k == 0 else joints[k] - joints[parents[k]]
        world.append(local if k == 0 else world[parents[k]] @ local)
    vertices = np.zeros_like(shaped)
    for k, transform in enumerate(world):
        moved = (shaped - joints[k]) @ transform[:3, :3].T + transform[:3, 3]
        vertices += arrays["weights"][:, k : k + 1] * moved
    return vertices
