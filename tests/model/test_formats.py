"""Readers: the numbers they give are those of the family's own formulas, and bad files are told."""

import dataclasses
import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
import torch

from fit3dmm._errors import InputError
from fit3dmm.geometry.subdivision import quads_to_triangles
from fit3dmm.model import deep3d
from fit3dmm.model.complete import complete
from fit3dmm.model.files import read_stored, write_stored
from fit3dmm.model.formats import ict, read_source
from fit3dmm.model.formats.colour import srgb_to_linear
from fit3dmm.model.library import find_model
from fit3dmm.model.stored import StoredModel
from fit3dmm.model.surface import build_surface
from tests.model import source_files as made
from tests.shared_data import shared
from tests.toy import toy_stored


def point_places(stored: StoredModel, name: str) -> np.ndarray:
    faces = stored.base_faces
    triangles = quads_to_triangles(faces) if faces.shape[1] == 4 else faces
    points = stored.landmarks[name]
    corners = np.asarray(stored.mean_mm)[triangles][points.triangle]
    return np.einsum("pc,pcx->px", points.barycentric, corners)


# ---- ICT-FaceKit Light


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


def test_ict_units_get_arkit_names_and_halves_are_added_up(small_ict):
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
    gap_mm = completion.landmark_gap_mm
    # Corners of the eyes and of the mouth, and under the nose: anatomy, so both mean the same.
    assert gap_mm[[36, 39, 42, 45, 33, 48, 54]].mean() < 2.5
    # Points along brows, lids and lips are placed by habit; the jaw's slide and are left out.
    assert gap_mm[17:].mean() < 3.0
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


# ---- GNM


def test_gnm_keeps_head_and_eyes_in_mm(tmp_path):
    truth = made.write_gnm(tmp_path)
    source = read_source([tmp_path])
    stored = source.stored
    np.testing.assert_allclose(stored.mean_mm, 1000 * truth["template_vertex_positions"], atol=1e-4)
    # The teeth mode is left out by its name, the last one because it moves nothing.
    np.testing.assert_allclose(
        stored.identity_basis_mm, 1000 * truth["vertex_identity_basis"][:3], atol=1e-4
    )
    assert stored.is_quad_mesh
    build_surface(stored.base_faces, stored.base_mirror, stored.base_uv, stored.base_uv_faces, 1)
    assert source.own_parts["eye_left"].sum() == source.own_parts["eye_right"].sum() == 26
    np.testing.assert_allclose(point_places(stored, "ibug68"), made.head()[2], atol=1e-3)


def test_gnm_joints_become_units(tmp_path):
    made.write_gnm(tmp_path)
    stored = read_source([tmp_path]).stored
    unit = dict(zip(stored.expression_names, stored.expression_basis_mm, strict=True))
    left = stored.mean_mm[:, 0] > 0
    eye = np.arange(len(left)) >= 386
    front = eye & (stored.mean_mm[:, 2] > 84)
    # The front of an eye of 11 mm radius that turns by 25 degrees rises by 11 sin 25 = 4.6 mm.
    np.testing.assert_allclose(unit["eyeLookUpLeft"][front & left, 1].max(), 4.6, atol=0.6)
    assert (unit["eyeLookUpLeft"][~(eye & left)] == 0).all()
    assert (unit["eyeLookOutLeft"][front & left, 0] > 0).all()
    assert (unit["eyeLookOutRight"][front & ~left, 0] < 0).all()
    # The head stays, what hangs below it moves.
    still = stored.mean_mm[:, 1] > -69
    assert np.abs(unit["neckPitch"][still]).max() == 0
    assert np.abs(unit["neckPitch"][~still & ~eye]).max() > 0


def test_gnm_without_its_landmarks_or_of_another_layout_is_told(tmp_path):
    made.write_gnm(tmp_path)
    with pytest.raises(InputError, match=r"head_sparse_68.txt from github.com/google/GNM"):
        read_source([tmp_path / "gnm_head.npz"])
    made.write_gnm(tmp_path, quads=np.full((3, 4), 10**6))
    with pytest.raises(InputError, match="quad_uvs has shape"):
        read_source([tmp_path])
    arrays = made.gnm_arrays()
    del arrays["quads"], arrays["skinning_weights"]
    np.savez(tmp_path / "gnm_head.npz", **arrays)
    with pytest.raises(InputError, match="lacks skinning_weights, quads"):
        read_source([tmp_path])


def test_gnm_archives_with_pickles_are_refused(tmp_path):
    made.write_gnm(tmp_path, joint_names=np.array([object()] * 4))
    with pytest.raises(InputError, match="can't be read as a GNM archive"):
        read_source([tmp_path])


def test_a_truncated_gnm_archive_is_told(tmp_path):
    made.write_gnm(tmp_path)
    path = tmp_path / "gnm_head.npz"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_source([tmp_path])


# ---- Basel 2009 and Deep3DFaceRecon


def deep3d_shape_dm(front: dict[str, np.ndarray], vector: np.ndarray) -> np.ndarray:
    """The formulas of Deep3DFaceRecon: its mean is centred, bases are added."""
    mean = front["meanshape"].reshape(-1, 3)
    mean = mean - mean.mean(axis=0)
    moved = front["idBase"] @ vector[:80] + front["exBase"] @ vector[80:144]
    return mean + moved.reshape(-1, 3)


@pytest.fixture(scope="module")
def bfm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bfm")
    parts = made.bfm_parts()
    basel = made.write_bfm2009(folder / "parts", parts)
    front = made.deep3d_front(basel, parts)
    (folder / "front").mkdir()
    scipy.io.savemat(folder / "front" / "BFM_model_front.mat", front)
    return folder, front


def test_parts_and_the_saved_front_model_are_the_same(bfm):
    folder, _ = bfm
    one = read_source([folder / "parts"]).stored
    two = read_source([folder / "front" / "BFM_model_front.mat"]).stored
    assert one.identity_basis_mm.shape[0] == 80
    assert one.expression_basis_mm.shape[0] == 64
    assert one.albedo_basis_linear.shape[0] == 80
    np.testing.assert_allclose(one.mean_mm, two.mean_mm, atol=1e-3)
    np.testing.assert_allclose(one.identity_basis_mm, two.identity_basis_mm, atol=1e-3)
    np.testing.assert_allclose(one.expression_basis_mm, two.expression_basis_mm, atol=1e-3)
    np.testing.assert_allclose(one.albedo_basis_linear, two.albedo_basis_linear, atol=1e-5)


def test_a_257_vector_decodes_to_the_same_mesh_colours_and_picture_positions(bfm):
    folder, front = bfm
    model = read_source([folder / "parts"]).stored.at_level()
    vector = torch.randn(257, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 0.5
    parts = deep3d.split(vector)
    expected_dm = deep3d_shape_dm(front, vector.numpy())
    model64 = model.to(dtype=torch.float64)
    shape_mm = model64.shape_mm(parts.coefficients()).numpy()
    # The same mesh up to the origin; float32 of positions of 100 mm.
    offset = model64.mean_mm.mean(dim=0).numpy()
    np.testing.assert_allclose(shape_mm - offset, 100 * expected_dm, atol=2e-4)
    # In the picture: their camera at 10 dm, focal length 1015, y up.
    angles = vector[224:227].numpy()
    R = deep3d.rotation(parts.angles_rad).numpy()
    transformed = expected_dm @ R.T + vector[254:].numpy()
    depth = 10 - transformed[:, 2]
    theirs = 1015 * transformed[:, :2] / depth[:, None] + 112
    R_cam_model, translation_mm = deep3d.pose(parts, model64)
    points_cam_mm = shape_mm @ R_cam_model.numpy().T + translation_mm.numpy()
    ours = 112 + 1015 * points_cam_mm[:, :2] / -points_cam_mm[:, 2:]
    np.testing.assert_allclose(ours, theirs, atol=1e-3)
    # R is Rz Ry Rx, as the released code multiplies row vectors by its transpose.
    cx, sx = np.cos(angles[0]), np.sin(angles[0])
    only_x = deep3d.rotation(torch.tensor([angles[0], 0.0, 0.0])).numpy()
    np.testing.assert_allclose(only_x, [[1, 0, 0], [0, cx, -sx], [0, sx, cx]], atol=1e-6)


def test_the_vector_survives_the_round_trip(bfm):
    model = read_source([bfm[0] / "parts"]).stored.at_level().to(dtype=torch.float64)
    vector = torch.randn(3, 257, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    parts = deep3d.split(vector)
    torch.testing.assert_close(deep3d.joined(parts), vector)
    R_cam_model, translation_mm = deep3d.pose(parts, model)
    torch.testing.assert_close(
        deep3d.translation_dm(R_cam_model, translation_mm, model), parts.translation_dm
    )
    small = parts.replace(angles_rad=0.5 * parts.angles_rad.clamp(-2, 2))
    torch.testing.assert_close(deep3d.angles(deep3d.rotation(small.angles_rad)), small.angles_rad)
    with pytest.raises(InputError, match="257 numbers, got 239"):
        deep3d.split(vector[:, :239])


def test_linearised_colours_are_near_the_srgb_model(bfm):
    folder, front = bfm
    model = read_source([folder / "parts"]).stored.at_level()
    draw = np.random.default_rng(5).normal(size=(40, 80))
    srgb = (front["meantex"] + draw @ front["texBase"].T).reshape(40, -1, 3) / 255
    exact = srgb_to_linear(srgb)
    albedo = model.zeros(40).replace(albedo=torch.tensor(draw, dtype=torch.float32))
    error = model.albedo_linear(albedo).numpy() - exact
    spread = (exact - exact.mean(axis=0)).std()
    # A curve over a few sigmas is not a line: what is left is a seventh of the spread.
    assert np.sqrt(np.mean(error**2)) < 0.15 * spread
    assert abs(error.mean()) < 0.005


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("01_MorphableModel.mat", "faces.dmi.unibas.ch"),
        ("Exp_Pca.bin", "Juyong/3DFace"),
        ("BFM_exp_idx.mat", "Deep3DFaceRecon_pytorch"),
        ("facemodel_info.mat", "Deep3DFaceRecon_pytorch"),
    ],
)
def test_a_missing_part_is_named_with_the_place_to_find_it(bfm, tmp_path, name, where):
    for file in (bfm[0] / "parts").iterdir():
        if file.name != name:
            (tmp_path / file.name).symlink_to(file)
    with pytest.raises(InputError, match=f"needs these files too: {name} .*{where}"):
        read_source([tmp_path])


@pytest.mark.parametrize("name", ["01_MorphableModel.mat", "Exp_Pca.bin", "std_exp.txt"])
def test_truncated_parts_are_told(bfm, tmp_path, name):
    for file in (bfm[0] / "parts").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 3])
    with pytest.raises(InputError, match=name):
        read_source([tmp_path])


def test_index_files_of_another_model_are_told(bfm, tmp_path):
    for file in (bfm[0] / "parts").iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    scipy.io.savemat(tmp_path / "BFM_front_idx.mat", {"idx": np.array([[1.0], [90_000.0]])})
    with pytest.raises(InputError, match="idx must number vertices from 1 to 393, got 1 to 90000"):
        read_source([tmp_path])


def test_the_real_index_files_give_the_published_sizes(tmp_path):
    folder = shared("bfm_index")
    parts: dict[str, np.ndarray] = {}
    for name in ("BFM_exp_idx", "BFM_front_idx", "facemodel_info"):
        content = scipy.io.loadmat(folder / f"{name}.mat")
        parts |= {key: value for key, value in content.items() if not key.startswith("__")}
    n_front = len(parts["idx"])
    angle = np.linspace(0, 40, n_front)
    parts["n_basel"] = np.array(53_490)
    parts["mean_mm"] = 80 * np.stack([np.sin(angle), np.cos(3 * angle), np.cos(angle)], axis=1)
    made.write_bfm2009(tmp_path, parts, n_modes=80, n_units=64)
    for name in ("BFM_exp_idx.mat", "BFM_front_idx.mat", "facemodel_info.mat", "std_exp.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    stored = read_source([tmp_path]).stored
    assert stored.mean_mm.shape == (35_709, 3)
    assert stored.base_faces.shape == (70_789, 3)
    assert len(stored.landmarks["ibug68"].names) == 68
    assert [len(stored.identity_basis_mm), len(stored.expression_basis_mm)] == [80, 64]
    np.testing.assert_allclose(stored.mean_mm, parts["mean_mm"], atol=1e-4)


# ---- Basel 2017 and 2019


def test_bfm2017_follows_statismo(tmp_path):
    truth = made.write_bfm2017(tmp_path / "model2017.h5")
    source = read_source([tmp_path / "model2017.h5"])
    stored = source.stored
    mean = (truth["shape/mean"] + truth["expression/mean"]).reshape(-1, 3)
    np.testing.assert_allclose(stored.mean_mm, mean, atol=1e-4)
    mode = np.sqrt(truth["shape/variance"][2]) * truth["shape/basis"][:, 2]
    np.testing.assert_allclose(stored.identity_basis_mm[2], mode.reshape(-1, 3), atol=1e-4)
    assert stored.expression_basis_mm.shape[0] == 3
    assert stored.albedo_basis_linear.shape[0] == 5
    assert sorted(source.anchors_mm) == [8, 30, 36, 39, 42, 45, 48, 54]


def test_bfm2017_without_colour_or_points_or_whole_is_told(tmp_path):
    path = tmp_path / "model.h5"
    made.write_bfm2017(path)
    with h5py.File(path, "r+") as file:
        del file["color"]
    with pytest.raises(InputError, match="lacks the group color"):
        read_source([path])
    made.write_bfm2017(path, {"center.nose.tip": 30})
    with pytest.raises(InputError, match="names 1 of the face's points"):
        read_source([path])
    made.write_bfm2017(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_source([path])


# ---- All


def test_other_files_are_told(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match="can be converted: expected one of"):
        read_source([tmp_path])
    with pytest.raises(InputError, match="does not exist"):
        read_source([tmp_path / "missing.mat"])
    write_stored(toy_stored(), tmp_path / "toy.h5")
    with pytest.raises(InputError, match="fit3dmm model already"):
        read_source([tmp_path / "toy.h5"])


def write_all(folder: Path) -> dict[str, Path]:
    made.write_gnm(folder / "gnm")
    made.write_bfm2017(folder / "bfm2017" / "model.h5")
    made.write_bfm2009(folder / "bfm2009", made.bfm_parts(), n_modes=80, n_units=64)
    return {name: folder / name for name in ("gnm", "bfm2009", "bfm2017")}


def test_every_family_becomes_a_whole_model(tmp_path):
    lender = toy_stored()
    for family, folder in write_all(tmp_path).items():
        source = read_source([folder])
        whole = complete(source, lender).stored
        model = whole.at_level()
        assert model.info.family.startswith(family[:3])
        assert model.n_albedo > 0
        assert set(model.landmarks) == {"ibug68", "mediapipe478", "now7"}
        assert model.contours["jaw17"].triangle.shape == (17, 9)
        assert {"face", "skin", "eyes"} <= set(model.regions)
        write_stored(whole, tmp_path / f"{family}.h5")
        own_colour = len(source.stored.albedo_mean_linear) > 0
        if own_colour:
            np.testing.assert_array_equal(
                whole.albedo_mean_linear, source.stored.albedo_mean_linear
            )


def test_a_source_that_is_no_face_is_told(tmp_path):
    made.write_gnm(tmp_path)
    source = read_source([tmp_path])
    flat = dataclasses.replace(source.stored, mean_mm=source.stored.mean_mm * [1, 1, 20])
    with pytest.raises(InputError, match="can't be brought into register"):
        complete(dataclasses.replace(source, stored=flat), toy_stored())


def test_a_source_in_other_units_is_told(tmp_path):
    arrays = made.gnm_arrays()
    made.write_gnm(tmp_path, template_vertex_positions=100 * arrays["template_vertex_positions"])
    with pytest.raises(InputError, match="101 times as large"):
        complete(read_source([tmp_path]), toy_stored())
