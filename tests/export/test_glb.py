"""The avatar: valid glTF by Khronos' own validator, and driven by an independent reader."""

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from fit3dmm.export.avatar import make_avatar
from fit3dmm.export.glb import write_glb
from fit3dmm.export.gltf.binary import glb_bytes
from fit3dmm.export.gltf.document import gltf_document
from fit3dmm.export.gltf.vrm import vrm_document
from fit3dmm.export.occlusion_roughness import occlusion_roughness_png
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.split import HEAD, drawn_surface, split_things, split_vertices
from fit3dmm.export.texels import in_texels, texel_fragments
from fit3dmm.model.files import load_model
from tests.export.faces import KnownFace, known_face, texture_png, truth_mm
from tests.export.gltf_reader import ReadAvatar
from tests.export.heads import long_hair

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
    write_glb(known.model, known.scene.coefficients, texture_png(), path)
    return path


@pytest.fixture(scope="module")
def read(glb: Path) -> ReadAvatar:
    return ReadAvatar(glb)


def test_written_as_pygltflib_writes_it(known):
    avatar = make_avatar(known.model, known.scene.coefficients, normal_png=texture_png())
    for document in (gltf_document(avatar, texture_png()), vrm_document(avatar, texture_png())):
        assert glb_bytes(document) == b"".join(document.save_to_bytes())


def test_the_default_weights_make_the_fitted_face(known, read):
    fitted = known.scene.coefficients
    names = known.model.expression_names
    assert read.names(HEAD) == list(names)
    np.testing.assert_allclose(read.meshes[HEAD].weights, fitted.expression, atol=1e-5)
    for mesh, expected in truth_mm(known.model, fitted).items():
        # Each blendshape leaves out what moves by less than 0.01 mm.
        np.testing.assert_allclose(read.drawn(mesh).points_mm, expected, atol=0.02)


@pytest.mark.parametrize("blendshape", range(5))
def test_each_morph_target_is_its_blendshape(known, read, blendshape):
    name = known.model.expression_names[blendshape]
    face = known.scene.coefficients.replace(expression=torch.eye(5)[blendshape])
    rest = truth_mm(known.model, face.neutral())
    moved = 0.0
    for mesh, expected in truth_mm(known.model, face).items():
        drawn = read.drawn(mesh, {name: 1.0}).points_mm
        np.testing.assert_allclose(drawn, expected, atol=0.011)
        moved = max(moved, np.abs(expected - rest[mesh]).max())
    assert moved > 2  # so the blendshape does move something


def test_compact_is_the_same_face_in_coarser_steps(known, glb, tmp_path):
    path = tmp_path / "compact.glb"
    write_glb(known.model, known.scene.coefficients, texture_png(), path, compact=True)
    # The toy's document is long beside its few numbers.
    assert path.stat().st_size < 0.7 * glb.stat().st_size
    read, full = ReadAvatar(path), ReadAvatar(glb)
    for name in known.model.expression_names:
        for mesh in full.meshes:
            found, wanted = (one.drawn(mesh, {name: 1.0}) for one in (read, full))
            # Half a step of 1/32767 m; positions at rest are exact.
            np.testing.assert_allclose(found.points_mm, wanted.points_mm, atol=0.0153 + 1e-4)
            # Half a step of 1/127 in each of three axes, of a normal and of what is added.
            cosine = (found.normals * wanted.normals).sum(1)
            assert np.degrees(np.arccos(cosine.clip(-1, 1))).max() < 1.5
            np.testing.assert_allclose(found.uv, wanted.uv, atol=1e-5)
            np.testing.assert_array_equal(found.triangles, wanted.triangles)
    for mesh in full.meshes:
        shares = read.bone_weights(mesh)
        np.testing.assert_allclose(shares.sum(1), 1, atol=1e-9)
        np.testing.assert_allclose(shares, full.bone_weights(mesh), atol=3 / 255)
    assert read.gltf.extensionsRequired == ["EXT_texture_webp", "KHR_mesh_quantization"]


def test_compact_shows_the_same_pictures(known, tmp_path):
    colours, relief = (np.zeros((64, 64, 3), np.uint8) for _ in range(2))
    colours[...] = 90 + 2 * np.arange(64)[:, None]
    relief[...] = np.random.default_rng(0).integers(0, 255, (64, 64, 3))
    path, encoded = tmp_path / "compact.glb", (png_bytes(colours), png_bytes(relief))
    write_glb(known.model, known.scene.coefficients, encoded[0], path, encoded[1], compact=True)
    gltf = ReadAvatar(path).gltf
    shown = {}
    for image in gltf.images:
        view = gltf.bufferViews[image.bufferView]
        data = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, image.mimeType) == ("WEBP", "image/webp")
        shown[image.name] = np.asarray(picture.convert("RGB")).astype(int)
    assert np.abs(shown["base colour"] - colours).mean() < 2
    np.testing.assert_array_equal(shown["relief"], relief)


def test_normals_follow_the_morph(known, read):
    moved = read.drawn(HEAD, {known.model.expression_names[0]: 1.0})
    corners = moved.points_mm[moved.triangles]
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    # Normals are those of the finer surface: on the toy's edges they differ by some degrees.
    cosine = (moved.normals[moved.triangles] * faces[:, None]).sum(2)
    assert np.median(cosine) > 0.99
    assert cosine.min() > 0.6


def test_an_independent_loader_sees_a_textured_head_in_metres(known, glb):
    scene = trimesh.load(glb)
    rest = known.model.shape_mm(known.scene.coefficients.neutral()).numpy() / 1000
    surface = drawn_surface(known.model)
    coarse = rest[: surface.n_vertices]
    np.testing.assert_allclose(scene.bounds, [coarse.min(0), coarse.max(0)], atol=1e-5)
    things = split_things(known.model, surface)
    assert set(scene.geometry) == set(things)
    for name, mesh in scene.geometry.items():
        assert mesh.visual.material.baseColorTexture.size == (16, 16)
        assert mesh.visual.material.roughnessFactor == 0.6
        # trimesh turns v back so that it counts from the bottom, as ours does.
        uv = surface.uv.numpy()[things[name].uv_point]
        np.testing.assert_allclose(mesh.visual.uv, uv, atol=1e-6)


def test_a_model_that_names_no_parts_is_one_mesh_on_one_bone(known, tmp_path):
    plain = known.model.replace(parts={})
    write_glb(plain, known.scene.coefficients, b"", tmp_path / "plain.glb")
    read = ReadAvatar(tmp_path / "plain.glb")
    assert list(read.meshes) == [HEAD]
    assert read.bone_names() == ["head"]
    assert (read.bone_weights(HEAD) == 1).all()
    rest = plain.shape_mm(known.scene.coefficients.neutral()).numpy()
    split = split_vertices(drawn_surface(plain))
    np.testing.assert_allclose(read.drawn(HEAD, {}).points_mm, rest[split.vertex], atol=1e-3)


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
    for mesh in ReadAvatar(tmp_path / "still.glb").meshes.values():
        assert not mesh.primitives[0].targets
        assert not mesh.weights


def khronos_report(glb: Path) -> dict:
    """What Khronos' validator says of a file; the test is skipped where there is none."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node, which runs Khronos' validator")
    try:
        run = subprocess.run([node, "-e", _VALIDATE, str(glb)], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        pytest.skip("node did not answer within a minute on this machine")
    if b"Cannot find module" in run.stderr:
        pytest.skip("needs the npm package gltf-validator; NODE_PATH can say where it lies")
    return json.loads(run.stdout)


@pytest.mark.parametrize("which", ["toy", "commons", "plain", "compact hair", "hair"])
def test_khronos_validator_finds_nothing(known, glb, tmp_path, which):
    if which != "toy":
        model = known.model.replace(parts={}) if which == "plain" else load_model(level=1)
        glb = tmp_path / "avatar.glb"
        hair = long_hair(model) if "hair" in which else None
        how = {"compact": "compact" in which, "hair_shape": hair}
        write_glb(model, model.zeros(), texture_png(), glb, **how)
    report = khronos_report(glb)
    issues = report["issues"]
    assert issues["numErrors"] == 0, issues["messages"]
    assert issues["numWarnings"] == 0, issues["messages"]
    assert issues["numInfos"] == 0, issues["messages"]
    assert report["info"]["hasMorphTargets"]
    assert report["info"]["hasSkins"]
