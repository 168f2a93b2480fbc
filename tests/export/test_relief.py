"""Relief on its way from a texture to what a viewer shades."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import map_coordinates

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export import normal_map as normal_maps
from fit3dmm.export.glb import write_glb, write_vrm
from fit3dmm.export.morphs import vertex_normals
from fit3dmm.export.normal_map import face_texel_mm, normal_map
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.split import HEAD
from fit3dmm.export.texels import in_texels, texel_fragments
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import Coefficients, MorphableModel
from tests.export.faces import texture_png
from tests.export.gltf_reader import ReadAvatar
from tests.export.test_glb import khronos_report

SIZE, WAVE_TEXELS, SWING = 1024, 14, 0.3


@pytest.fixture(scope="module")
def model() -> MorphableModel:
    return load_model(level=1)


@pytest.fixture(scope="module")
def person(model: MorphableModel) -> Coefficients:
    return model.sample(generator=torch.Generator().manual_seed(5)).neutral()


def write(
    kind: str, model: MorphableModel, person: Coefficients, normal_png: bytes | None, folder: Path
) -> Path:
    """The avatar as one of its kinds."""
    path = folder / f"face.{'vrm' if kind == 'vrm' else 'glb'}"
    if kind == "vrm":
        write_vrm(model, person, texture_png(), path, normal_png)
    else:
        how = {"compact": kind == "compact"}
        write_glb(model, person, texture_png(), path, normal_png, **how)
    return path


def waves(direction_deg: float) -> np.ndarray:
    """(size, size) between -1 and 1; they run along u at 0 degrees and along v at 90."""
    columns, rows = np.meshgrid(np.arange(SIZE), np.arange(SIZE))
    turn = np.radians(direction_deg)
    along = np.cos(turn) * columns - np.sin(turn) * rows  # rows run down
    return np.sin(2 * np.pi * along / WAVE_TEXELS)


def relief_of(pattern: np.ndarray, model: MorphableModel, points_mm: torch.Tensor) -> np.ndarray:
    """The normal map that is made of a texture with a pattern in its shade."""
    shade = torch.from_numpy(0.3 * np.exp(SWING * pattern))
    grey = (255 * linear_to_srgb(shade)).round().to(torch.uint8).numpy()
    return normal_map(np.repeat(grey[..., None], 3, axis=2), model, points_mm)


def heights_mm(pattern: np.ndarray, model: MorphableModel, points_mm: torch.Tensor) -> np.ndarray:
    """The relief that it should be: a blur makes a wave flatter, by a factor that is known."""
    wave_mm = WAVE_TEXELS * face_texel_mm(model, points_mm, SIZE) / (2 * np.pi)
    left = [
        np.exp(-((sigma_mm / wave_mm) ** 2) / 2)
        for sigma_mm in (normal_maps._FINE_MM, normal_maps._BROAD_MM)
    ]
    return normal_maps._DEPTH_MM * SWING * (left[0] - left[1]) * pattern


def facing(place_mm: np.ndarray) -> np.ndarray:
    """(size, size, 3) normals of a picture of places, by differences of neighbouring texels."""
    normals = np.cross(np.gradient(place_mm, axis=1), -np.gradient(place_mm, axis=0))
    return normals / np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)


def at_uv(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """Values between texels, at places with the origin at the top left."""
    at = SIZE * uv[:, ::-1].T - 0.5
    return np.stack([map_coordinates(part, at, order=1) for part in np.moveaxis(picture, -1, 0)], 1)


def relief_in(read: ReadAvatar) -> np.ndarray:
    """The normals that a file has, each from -1 to 1."""
    image = next(image for image in read.gltf.images if image.name == "relief")
    view = read.gltf.bufferViews[image.bufferView]
    data = read.gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    return np.asarray(Image.open(io.BytesIO(data))) / 127.5 - 1


@pytest.mark.parametrize(
    ("kind", "direction_deg"), [("plain", 0.0), ("compact", 40.0), ("vrm", 110.0)]
)
def test_what_a_viewer_shades_is_the_relief(model, person, tmp_path, kind, direction_deg):
    """Normals by the file, against those of a surface that is pushed out where its skin is light.

    Viewers take the tangent for x, w * cross(normal, tangent) for y, and green for upwards.
    """
    points_mm, pattern = model.shape_mm(person), waves(direction_deg)
    png = png_bytes(relief_of(pattern, model, points_mm))
    read = ReadAvatar(write(kind, model, person, png, tmp_path))
    attributes = read.meshes[HEAD].primitives[0].attributes
    normals, uv, tangents = (
        read.values(number).astype(float)
        for number in (attributes.NORMAL, attributes.TEXCOORD_0, attributes.TANGENT)
    )
    x, y, z = at_uv(relief_in(read), uv).T[..., None]
    shaded = (x * tangents[:, :3] + y * tangents[:, 3:] * np.cross(normals, tangents[:, :3])) / z

    fragments = texel_fragments(model.surface, SIZE)
    drawn = torch.cat([points_mm, vertex_normals(model, points_mm)], 1)
    place_mm, outwards = np.split(in_texels(drawn, model.surface, fragments).numpy(), 2, axis=2)
    bare = facing(place_mm)
    pushed = facing(place_mm + heights_mm(pattern, model, points_mm)[..., None] * outwards)
    upright = (pushed * bare).sum(-1, keepdims=True)
    tilt = at_uv(pushed / np.where(upright > 0.1, upright, 1.0) - bare, uv)

    skin = (model.regions["face"] * model.regions["skin"] > 0.999).float()
    for name in ("brows", "eyes", "mouth_interior"):
        skin = skin * (model.regions[name] == 0)
    inside = in_texels(skin[:, None], model.surface, fragments).numpy()
    rows = at_uv(inside, uv)[:, 0] > 0.999
    shaded, tilt = shaded[rows], tilt[rows]
    assert len(tilt) > 800
    assert np.linalg.norm(tilt, axis=1).mean() > 0.1
    # Bytes of the map, and slopes over three rows for those across one: 3 % at most of the waves'.
    assert (shaded * tilt).sum() / (tilt * tilt).sum() == pytest.approx(1, abs=0.04)
    assert np.corrcoef(shaded.ravel(), tilt.ravel())[0, 1] > 0.999


@pytest.mark.parametrize("kind", ["plain", "compact", "vrm"])
def test_what_shows_relief_has_tangents_and_nothing_else_has(model, person, tmp_path, kind):
    read = ReadAvatar(write(kind, model, person, texture_png(), tmp_path))
    for mesh in read.gltf.meshes:
        (primitive,) = mesh.primitives
        shown = read.gltf.materials[primitive.material].normalTexture is not None
        assert shown == (mesh.name == HEAD)
        assert (primitive.attributes.TANGENT is not None) == shown
    attributes = read.meshes[HEAD].primitives[0].attributes
    tangents, normals = (read.values(n) for n in (attributes.TANGENT, attributes.NORMAL))
    assert set(np.abs(tangents[:, 3])) == {1.0}
    # Half a step of 1/127 in each of three axes.
    within = 0.5 * 3**0.5 / 127 if kind == "compact" else 1e-6
    np.testing.assert_allclose(np.linalg.norm(tangents[:, :3], axis=1), 1, atol=within)
    np.testing.assert_allclose((tangents[:, :3] * normals).sum(1), 0, atol=2 * within)
    flat = ReadAvatar(write(kind, model, person, None, tmp_path))
    assert all(m.primitives[0].attributes.TANGENT is None for m in flat.gltf.meshes)


@pytest.mark.parametrize("kind", ["plain", "compact", "vrm"])
def test_khronos_validator_finds_nothing_in_a_face_with_relief(model, person, tmp_path, kind):
    report = khronos_report(write(kind, model, person, texture_png(), tmp_path))
    # A body that is not there has joints without children, and VRM is not the validator's matter.
    expected = {"NODE_EMPTY", "UNSUPPORTED_EXTENSION"} if kind == "vrm" else set()
    issues = report["issues"]
    assert {one["code"] for one in issues["messages"]} == expected, issues["messages"]
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0)
