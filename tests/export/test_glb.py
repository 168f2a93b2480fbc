"""The avatar: valid glTF by Khronos' own validator, and driven by an independent reader."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pygltflib
import pytest
import torch
import trimesh
from PIL import Image

from fit3dmm.export.avatar import drawn_surface, split_vertices
from fit3dmm.export.glb import write_glb
from fit3dmm.export.occlusion_roughness import occlusion_roughness_png
from fit3dmm.export.texels import in_texels, texel_fragments
from tests.export.faces import KnownFace, known_face

_TYPES = {5126: np.float32, 5123: np.uint16, 5125: np.uint32}
_VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""


@pytest.fixture(scope="module")
def known() -> KnownFace:
    return known_face(level=2)


@pytest.fixture(scope="module")
def glb(known: KnownFace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("glb") / "face.glb"
    texture = io.BytesIO()
    Image.new("RGB", (16, 16), (200, 150, 120)).save(texture, format="PNG")
    write_glb(known.model, known.scene.coefficients, texture.getvalue(), path)
    return path


def values(gltf: pygltflib.GLTF2, number: int) -> np.ndarray:
    """An accessor, read by the letter of the specification."""
    accessor, blob = gltf.accessors[number], gltf.binary_blob()
    width = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[accessor.type]

    def raw(view_number: int, kind: int, count: int) -> np.ndarray:
        view = gltf.bufferViews[view_number]
        return np.frombuffer(blob, _TYPES[kind], count, view.byteOffset or 0)

    if accessor.bufferView is None:
        dense = np.zeros((accessor.count, width), np.float32)
    else:
        flat = raw(accessor.bufferView, accessor.componentType, accessor.count * width)
        dense = flat.reshape(-1, width).copy()
    if accessor.sparse is not None:
        sparse = accessor.sparse
        rows = raw(sparse.indices.bufferView, sparse.indices.componentType, sparse.count)
        part = raw(sparse.values.bufferView, accessor.componentType, sparse.count * width)
        dense[rows] = part.reshape(-1, width)
    return dense


def morphed_mm(gltf: pygltflib.GLTF2, weights: list[float]) -> np.ndarray:
    primitive = gltf.meshes[0].primitives[0]
    points = values(gltf, primitive.attributes.POSITION).astype(float)
    for weight, target in zip(weights, primitive.targets, strict=True):
        points += weight * values(gltf, target["POSITION"])
    return 1000 * points


def test_the_default_weights_make_the_fitted_face(known, glb):
    gltf = pygltflib.GLTF2().load(str(glb))
    mesh = gltf.meshes[0]
    assert mesh.extras["targetNames"] == list(known.model.expression_names)
    np.testing.assert_allclose(mesh.weights, known.scene.coefficients.expression, atol=1e-5)
    split = split_vertices(drawn_surface(known.model))
    fitted = known.model.shape_mm(known.scene.coefficients).numpy()[split.vertex]
    # Each blendshape leaves out what moves by less than 0.01 mm.
    np.testing.assert_allclose(morphed_mm(gltf, mesh.weights), fitted, atol=0.02)


@pytest.mark.parametrize("blendshape", range(5))
def test_each_morph_target_is_its_blendshape(known, glb, blendshape):
    gltf = pygltflib.GLTF2().load(str(glb))
    one = torch.eye(5)[blendshape]
    split = split_vertices(drawn_surface(known.model))
    face = known.scene.coefficients.replace(expression=one)
    expected = known.model.shape_mm(face).numpy()[split.vertex]
    np.testing.assert_allclose(morphed_mm(gltf, one.tolist()), expected, atol=0.011)
    rest = known.model.shape_mm(face.neutral()).numpy()[split.vertex]
    assert np.abs(expected - rest).max() > 2  # so the blendshape does move something


def test_normals_follow_the_morph(known, glb):
    gltf = pygltflib.GLTF2().load(str(glb))
    primitive = gltf.meshes[0].primitives[0]
    normals = values(gltf, primitive.attributes.NORMAL).astype(float)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, atol=1e-5)
    moved = normals + values(gltf, primitive.targets[0]["NORMAL"])
    triangles = values(gltf, primitive.indices).reshape(-1, 3)
    corners = morphed_mm(gltf, [1, 0, 0, 0, 0])[triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    at_corners = moved[triangles] / np.linalg.norm(moved[triangles], axis=2, keepdims=True)
    # Normals are those of the finer surface: on the toy's edges they differ by some degrees.
    cosine = (at_corners * faces[:, None]).sum(2)
    assert np.median(cosine) > 0.99
    assert cosine.min() > 0.6


def test_an_independent_loader_sees_a_textured_head_in_metres(known, glb):
    scene = trimesh.load(glb)
    (mesh,) = scene.geometry.values()
    rest = known.model.shape_mm(known.scene.coefficients.neutral()).numpy() / 1000
    coarse = rest[: drawn_surface(known.model).n_vertices]
    np.testing.assert_allclose(mesh.bounds, [coarse.min(0), coarse.max(0)], atol=1e-5)
    assert mesh.visual.material.baseColorTexture.size == (16, 16)
    assert mesh.visual.material.roughnessFactor == 0.6
    surface = drawn_surface(known.model)
    split = split_vertices(surface)
    # trimesh turns v back so that it counts from the bottom, as ours does.
    np.testing.assert_allclose(mesh.visual.uv, surface.uv.numpy()[split.uv_point], atol=1e-6)


def test_eyes_are_shinier_than_skin_and_the_mouth_is_dark(known):
    names = {"eyes": "eyes", "mouth_interior": "lips"}
    crisp = {name: (known.model.regions[at] > 0.4).float() for name, at in names.items()}
    model = known.model.replace(regions=known.model.regions | crisp)
    painted = np.asarray(Image.open(io.BytesIO(occlusion_roughness_png(model)))) / 255
    fragments = texel_fragments(model.surface, len(painted))
    eyes, mouth = crisp["eyes"], crisp["mouth_interior"]
    parts = torch.stack([eyes, mouth, (1 - eyes) * (1 - mouth)], 1)
    shares = in_texels(parts, model.surface, fragments).numpy()
    occlusion, roughness, metal = (
        [painted[..., k][shares[..., part] > 0.99].mean() for part in range(3)] for k in range(3)
    )
    np.testing.assert_allclose(roughness, [0.2, 1, 1], atol=0.02)
    np.testing.assert_allclose(occlusion, [1, 0.15, 1], atol=0.02)
    assert metal == [0, 0, 0]


def test_a_model_without_expressions_has_no_targets(known, tmp_path):
    still = known.model.replace(
        expression_basis_mm=known.model.expression_basis_mm[:0],
        expression_names=(),
        expression_sigma=known.model.expression_sigma[:0],
        expression_bounds=known.model.expression_bounds[:0],
        expression_covariance_factor=known.model.expression_covariance_factor[:0, :0],
    )
    face = known.scene.coefficients.replace(expression=torch.zeros(0))
    write_glb(still, face, b"", tmp_path / "still.glb")
    mesh = pygltflib.GLTF2().load(str(tmp_path / "still.glb")).meshes[0]
    assert not mesh.primitives[0].targets
    assert not mesh.weights


def test_khronos_validator_finds_nothing(glb, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs Khronos' validator")
    try:
        run = subprocess.run([node, "-e", _VALIDATE, str(glb)], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("node did not answer within a minute on this machine")
    if b"Cannot find module" in run.stderr:
        pytest.skip("needs the npm package gltf-validator; NODE_PATH can say where it lies")
    report = json.loads(run.stdout)
    issues = report["issues"]
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]
    assert report["info"]["hasMorphTargets"]
