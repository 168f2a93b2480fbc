"""Small files in the layouts of other families, made from the toy head and random modes.

The licensed models can't be shipped, so their readers are tested on these: same names, same types,
same order of the numbers, another head.
"""

import json
from pathlib import Path

import h5py
import numpy as np
import scipy.io

from fit3dmm.geometry.subdivision import quads_to_triangles
from tests.toy import toy_stored

ICT_BLENDSHAPES = ("browInnerUp_L", "browInnerUp_R", "jawOpen", "mouthSmile_L", "mouthSmile_R")


def head(cells: int = 8):
    """Vertices (mm), triangles and the places of the 68 points of the toy."""
    toy = toy_stored(cells=cells)
    triangles = quads_to_triangles(toy.base_faces)
    points = toy.landmarks["ibug68"]
    places = np.einsum("pc,pcx->px", points.barycentric, toy.mean_mm[triangles][points.triangle])
    return toy, triangles, places


def nearest(vertices: np.ndarray, places: np.ndarray) -> np.ndarray:
    return np.linalg.norm(vertices[None] - places[:, None], axis=2).argmin(axis=1)


def write_ict(folder: Path, n_identity: int = 3) -> dict[str, np.ndarray]:
    """The toy's head, a triangle as left and one as right eye; the rest of the parts is empty."""
    toy, _, places = head()
    rng = np.random.default_rng(0)
    eye = np.array([[30.0, 25, 80], [35, 25, 80], [30, 30, 80]])
    vertices = np.concatenate([toy.mean_mm, eye, eye * [-1, 1, 1]]) / 10
    n = len(toy.mean_mm)
    faces = [list(face) for face in toy.base_faces] + [[n, n + 1, n + 2], [n + 3, n + 5, n + 4]]
    uv = np.concatenate([toy.base_uv, [[0.1, 0.1], [0.9, 0.1], [0.1, 0.9]]])
    eye_uv = [[len(uv) - 3, len(uv) - 2, len(uv) - 1]] * 2
    uv_faces = [list(face) for face in toy.base_uv_faces] + eye_uv
    modes = {f"identity{k:03d}": rng.normal(size=vertices.shape) for k in range(n_identity)}
    modes |= {name: 0.3 * rng.normal(size=vertices.shape) for name in ICT_BLENDSHAPES}
    folder.mkdir(parents=True)
    for name, mode in {"generic_neutral_mesh": 0 * vertices, **modes}.items():
        lines = ["# a comment", "usemtl M_Face"]
        lines += ["v " + " ".join(f"{x:.6f}" for x in row) for row in vertices + mode]
        lines += ["vt " + " ".join(f"{x:.6f}" for x in row) for row in uv]
        for face, uv_face in zip(faces, uv_faces, strict=True):
            lines.append(
                "f " + " ".join(f"{a + 1}/{b + 1}" for a, b in zip(face, uv_face, strict=True))
            )
        (folder / f"{name}.obj").write_text("\n".join(lines))
    indices = {
        "expressions": ICT_BLENDSHAPES,
        "idx_to_landmark_verts": nearest(toy.mean_mm, places).tolist(),
    }
    (folder / "vertex_indices.json").write_text(json.dumps(indices))
    return {"vertices_cm": vertices, **modes}


def ict_parts() -> dict[str, tuple[int, int]]:
    """Vertex ranges of the parts in what `write_ict` writes."""
    n = len(toy_stored().mean_mm)
    empty = dict.fromkeys(("mouth_interior", "eye_socket", "gums", "teeth"), (n, n))
    return {"skin": (0, n), **empty, "eye_left": (n, n + 3), "eye_right": (n + 3, n + 6)}


def gnm_arrays() -> dict[str, np.ndarray]:
    """The toy's head with two small balls as eyes, four joints, random modes; in metres."""
    toy, _, _ = head()
    ball = toy_stored(cells=2)
    rng = np.random.default_rng(1)
    small = ball.mean_mm / np.linalg.norm(ball.mean_mm, axis=1, keepdims=True) * 11
    eyes = [small + np.array([x, 25, 75]) for x in (30, -30)]
    n, b = len(toy.mean_mm), len(small)
    vertices = np.concatenate([toy.mean_mm, *eyes]) / 1000
    quads = np.concatenate([toy.base_faces, ball.base_faces + n, ball.base_faces + n + b])
    quad_uvs = np.concatenate(
        [toy.base_uv[toy.base_uv_faces], *[ball.base_uv[ball.base_uv_faces]] * 2]
    )
    mirror = np.concatenate([toy.base_mirror, ball.base_mirror + n + b, ball.base_mirror + n])
    is_eye = (np.arange(len(vertices)) >= n).astype(np.float32)
    left = is_eye * (np.arange(len(vertices)) < n + b)
    # The neck carries what lies below the chin, the head the rest but the eyes.
    neck = (vertices[:, 1] < -0.07) * (1 - is_eye)
    identity = 0.002 * rng.normal(size=(5, len(vertices), 3)).astype(np.float32)
    identity[4] = 0
    return {
        "version": np.array("3.0"),
        "variant": np.array("head"),
        "template_vertex_positions": vertices.astype(np.float32),
        "vertex_identity_basis": identity,
        "identity_names": np.array(["head_000", "head_001", "eyes_000", "teeth_000", "head_002"]),
        "expression_basis": 0.001 * rng.normal(size=(3, len(vertices), 3)).astype(np.float32),
        "expression_names": np.array(
            ["left_eye_region_000", "lower_face_region_000", "tongue_000"]
        ),
        "template_joint_positions": np.array(
            [[0, -0.1, 0], [0, 0, 0], [0.03, 0.025, 0.075], [-0.03, 0.025, 0.075]], np.float32
        ),
        "joint_identity_basis": np.zeros((5, 4, 3), np.float32),
        "joint_parent_indices": np.array([-1, 0, 1, 1]),
        "joint_names": np.array(["neck", "head", "left_eye", "right_eye"]),
        "joint_regressor": np.zeros((4, len(vertices)), np.float32),
        "skinning_weights": np.stack([neck, 1 - neck - is_eye, left, is_eye - left]).astype("f4"),
        "quads": quads.astype(np.int32),
        "triangles": quads_to_triangles(quads).astype(np.int32),
        "quad_uvs": quad_uvs.astype(np.float32),
        "mirror_indices": mirror.astype(np.int32),
        "vertex_groups": np.stack([1 - is_eye, is_eye]).astype(np.float32),
        "vertex_group_names": np.array(["skin", "eyes"]),
    }


def write_gnm(folder: Path, **changes: np.ndarray) -> dict[str, np.ndarray]:
    arrays = gnm_arrays() | changes
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "gnm_head.npz", **arrays)
    toy, triangles, _ = head()
    points = toy.landmarks["ibug68"]
    rows = [
        " ".join(f"{v} {w:.6f}" for v, w in zip(triangles[t], weights, strict=True))
        for t, weights in zip(points.triangle, points.barycentric, strict=True)
    ]
    (folder / "head_sparse_68.txt").write_text("\n".join(rows) + "\n")
    return arrays


def bfm_parts(n_extra: int = 7) -> dict[str, np.ndarray]:
    """Indices like the real ones, for the toy: 1-based, each cutting a few vertices away."""
    toy, triangles, places = head()
    n = len(toy.mean_mm)
    rng = np.random.default_rng(2)
    trim = np.sort(rng.permutation(n + 2 * n_extra)[: n + n_extra])
    front = np.sort(rng.permutation(n + n_extra)[:n])
    return {
        "trimIndex": (trim + 1).astype(np.uint16)[:, None],
        "idx": (front + 1).astype(np.float32)[:, None],
        "tri": (triangles + 1).astype(np.float32),
        "keypoints": (nearest(toy.mean_mm, places) + 1).astype(np.float32)[None],
        "skinmask": (toy.regions["skin"] > 0.5).astype(np.float32)[None],
        "n_basel": np.array(n + 2 * n_extra),
        "mean_mm": toy.mean_mm,
    }


def write_bfm2009(
    folder: Path, parts: dict[str, np.ndarray], n_modes: int = 199, n_blendshapes: int = 79
):
    """The Basel file, the expression file and the index files; returns what was written."""
    rng = np.random.default_rng(3)
    n = int(parts["n_basel"])
    trim, front = (parts[name].ravel().astype(int) - 1 for name in ("trimIndex", "idx"))
    mean_um = np.zeros((n, 3), np.float32)
    mean_um[trim[front]] = 1000 * parts["mean_mm"]
    basel = {
        "shapeMU": mean_um.reshape(-1, 1),
        "shapePC": rng.standard_normal((3 * n, n_modes), dtype=np.float32) * 0.01,
        "shapeEV": np.geomspace(9e4, 2e3, n_modes)[:, None],
        "texMU": rng.uniform(60, 220, (3 * n, 1)).astype(np.float32),
        "texPC": rng.standard_normal((3 * n, n_modes), dtype=np.float32) * 0.004,
        "texEV": np.geomspace(900, 20, n_modes)[:, None],
        "tl": np.ones((4, 3)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(folder / "01_MorphableModel.mat", basel)
    modes = rng.standard_normal((n_blendshapes + 1, len(trim), 3), dtype=np.float32) * 0.01
    with (folder / "Exp_Pca.bin").open("wb") as file:
        np.array([n_blendshapes], "<i4").tofile(file)
        modes.astype("<f4").tofile(file)
    sigmas = np.geomspace(4e5, 3e2, n_blendshapes)
    (folder / "std_exp.txt").write_text(" ".join(f"{s:.6g}" for s in sigmas))
    scipy.io.savemat(folder / "BFM_exp_idx.mat", {"trimIndex": parts["trimIndex"]})
    scipy.io.savemat(folder / "BFM_front_idx.mat", {"idx": parts["idx"]})
    info = {name: parts[name] for name in ("tri", "keypoints", "skinmask")}
    scipy.io.savemat(folder / "facemodel_info.mat", info)
    return basel | {"modes": modes, "sigmas": sigmas}


def deep3d_front(
    basel: dict[str, np.ndarray], parts: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What Deep3DFaceRecon makes of the parts and saves: decimetres, a column a component."""
    trim, front = (parts[name].ravel().astype(int) - 1 for name in ("trimIndex", "idx"))
    rows = trim[front]

    def basis(name: str, scale: float) -> np.ndarray:
        modes = basel[f"{name}PC"][:, :80] * basel[f"{name}EV"].ravel()[:80]
        return scale * modes.reshape(-1, 3, 80)[rows].reshape(-1, 80)

    modes = basel["modes"][1:65] * basel["sigmas"][:64, None, None]
    return {
        "meanshape": basel["shapeMU"].reshape(-1, 3)[rows].reshape(1, -1) / 1e5,
        "meantex": basel["texMU"].reshape(-1, 3)[rows].reshape(1, -1),
        "idBase": basis("shape", 1e-5),
        "texBase": basis("tex", 1.0),
        "exBase": modes[:, front].reshape(64, -1).T / 1e5,
        "tri": parts["tri"],
        "keypoints": parts["keypoints"],
        "skinmask": parts["skinmask"],
        "point_buf": np.ones((len(rows), 8)),
    }


STATISMO_POINTS = {
    "center.chin.tip": 8,
    "center.nose.tip": 30,
    "right.eye.corner_outer": 36,
    "right.eye.corner_inner": 39,
    "left.eye.corner_inner": 42,
    "left.eye.corner_outer": 45,
    "right.lips.corner": 48,
    "left.lips.corner": 54,
}


def write_bfm2017(path: Path, points: dict[str, int] = STATISMO_POINTS) -> dict[str, np.ndarray]:
    """A statismo file with 4 shape, 3 expression and 5 colour components."""
    toy, triangles, places = head()
    rng = np.random.default_rng(4)
    n = len(toy.mean_mm)
    truth = {"shape/mean": toy.mean_mm.reshape(-1).astype("f4")}
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for group, k, scale in (("shape", 4, 30), ("expression", 3, 10), ("color", 5, 0.1)):
            basis = np.linalg.qr(rng.normal(size=(3 * n, k)))[0].astype(np.float32)
            variance = (scale * np.linspace(3, 1, k)) ** 2
            mean = truth.get(f"{group}/mean", 0.1 * rng.normal(size=3 * n).astype("f4"))
            mean = mean if group != "color" else rng.uniform(0.3, 0.8, 3 * n).astype("f4")
            file[f"{group}/model/mean"] = mean
            file[f"{group}/model/pcaBasis"] = basis
            file[f"{group}/model/pcaVariance"] = variance.astype(np.float32)
            file[f"{group}/model/noiseVariance"] = np.zeros(1, np.float32)
            file[f"{group}/representer/points"] = toy.mean_mm.T.astype(np.float32)
            file[f"{group}/representer/cells"] = triangles.T.astype(np.int32)
            truth |= {f"{group}/mean": mean, f"{group}/basis": basis, f"{group}/variance": variance}
        named = [{"id": name, "coordinates": places[i].tolist()} for name, i in points.items()]
        named.append({"id": "left.ear.bottom", "coordinates": [75.0, 0, 0]})
        file["metadata/landmarks/json"] = json.dumps(named)
    return truth
