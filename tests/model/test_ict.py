"""The reader of ICT-FaceKit Light, and what Commons makes of it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.model.complete import complete
from fit3dmm.model.files import read_stored
from fit3dmm.model.formats import ict, read_source
from fit3dmm.model.library import find_model
from tests.model import source_files as made
from tests.shared_data import shared


@pytest.fixture
def small_ict(tmp_path, monkeypatch):
    parts = made.ict_parts()
    monkeypatch.setattr(ict, "_PARTS", parts)
    monkeypatch.setattr(ict, "_N_VERTICES", parts["eye_right"][1])
    monkeypatch.setattr(ict, "_N_IDENTITY", 3)
    folder = tmp_path / "clone" / "FaceXModel"
    return folder, made.write_ict(folder)


def test_ict_modes_are_differences_to_the_neutral_mesh_in_mm(small_ict):
    folder, truth = small_ict
    stored = read_source([folder.parent]).stored
    # Files are written with six digits of a centimetre.
    np.testing.assert_allclose(stored.mean_mm, 10 * truth["vertices_cm"], atol=1e-4)
    np.testing.assert_allclose(stored.identity_basis_mm[1], 10 * truth["identity001"], atol=1e-4)
    assert stored.base_faces.shape[1] == 3


def test_ict_blendshapes_get_arkit_names_and_halves_are_added_up(small_ict):
    folder, truth = small_ict
    stored = read_source([folder]).stored
    assert stored.expression_names == (
        "browInnerUp",
        "jawOpen",
        "mouthSmileLeft",
        "mouthSmileRight",
    )
    whole = truth["browInnerUp_L"] + truth["browInnerUp_R"]
    np.testing.assert_allclose(stored.expression_basis_mm[0], 10 * whole, atol=2e-4)


def test_ict_textures_do_not_overlap(small_ict):
    stored = read_source([small_ict[0]]).stored
    eye = stored.base_uv[stored.base_uv_faces[-2:]]
    assert np.ptp(eye[0] - eye[1]) > 0
    assert stored.base_uv.min() >= 0
    assert stored.base_uv.max() <= 1
    assert stored.base_uv[stored.base_uv_faces[:-2]].max() <= 0.75


@pytest.mark.parametrize("name", ["identity002.obj", "jawOpen.obj", "vertex_indices.json"])
def test_an_incomplete_ict_folder_is_told(small_ict, name):
    folder, _ = small_ict
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"lacks 1 .* {name}.*github.com/ICT-VGL"):
        read_source([folder])


def test_a_truncated_ict_mesh_is_told(small_ict):
    folder, _ = small_ict
    path = folder / "identity001.obj"
    path.write_text(path.read_text()[:3000])
    with pytest.raises(InputError, match=r"identity001.obj (has \d+ vertices|can't be read)"):
        read_source([folder])


@pytest.fixture
def original_ict(tmp_path, monkeypatch) -> Path:
    """Some of the original files, with the lists cut to what is there."""
    originals = shared("ict/FaceXModel")
    monkeypatch.setattr(ict, "_N_IDENTITY", 3)
    for file in originals.glob("*.obj"):
        (tmp_path / file.name).symlink_to(file)
    indices = json.loads((originals / "vertex_indices.json").read_text())
    indices["expressions"] = ["jawOpen", "mouthSmile_L"]
    (tmp_path / "vertex_indices.json").write_text(json.dumps(indices))
    return tmp_path


def test_the_original_ict_files_are_read(original_ict):
    source = read_source([original_ict])
    arrays = np.load(shared("ict/ict_facekit_light.npz"))
    assert source.stored.mean_mm.shape == (22_991, 3)
    jaw = arrays["expression_delta_cm"][list(arrays["expression_names"]).index("jawOpen")]
    # The array copy is float16.
    np.testing.assert_allclose(
        source.stored.expression_basis_mm[0][:11_248], 10 * jaw[:11_248], atol=0.03
    )
    # The tip of the nose is the vertex 4857 of the neutral mesh.
    np.testing.assert_allclose(source.anchors_mm[30], 10 * arrays["neutral_cm"][4857], atol=1e-3)
    assert source.own_parts["eyes"].sum() == 2 * 770


def test_commons_makes_ict_whole_and_its_points_agree_with_those_of_ict(original_ict):
    completion = complete(read_source([original_ict]), read_stored(find_model("commons")))
    # Commons' face lies on ICT's: a tenth of a mm, where one picture element is half a mm.
    assert completion.residual_mean_mm < 0.2
    distance_mm = completion.landmark_distance_mm
    # Corners of the eyes and of the mouth, and under the nose: anatomy, so both mean the same.
    assert distance_mm[[36, 39, 42, 45, 33, 48, 54]].mean() < 2.5
    # Points along brows, lids and lips are placed by habit; the jaw's slide and are left out.
    assert distance_mm[17:].mean() < 3.0
    model = completion.stored.at_level()
    assert model.n_albedo > 0
    places = model.landmarks_mm("mediapipe478", model.zeros())
    # MediaPipe's points are symmetric, and so is ICT's mean: the sides of the mouth are 61 and 291.
    torch.testing.assert_close(places[61] * torch.tensor([-1, 1, 1]), places[291], atol=1.0, rtol=0)
    # The centre of each iris lies on its eye, a finger's breadth behind the tip of the nose.
    assert (places[[468, 473], 2] < places[4, 2] - 15).all()
    eye = model.regions["eyes"] > 0.5
    near = torch.cdist(places[[468, 473]], model.shape_mm(model.zeros())[eye]).min(dim=1).values
    assert near.max() < 1.5
