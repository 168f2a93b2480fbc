"""The readers of Basel 2009 and Deep3DFaceRecon, and the 257-vectors of the latter."""

import numpy as np
import pytest
import scipy.io
import torch

from fit3dmm._errors import InputError
from fit3dmm.model import deep3d
from fit3dmm.model.formats import read_source
from fit3dmm.model.formats.colour import srgb_to_linear
from tests.model import source_files as made
from tests.shared_data import shared


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
    made.write_bfm2009(tmp_path, parts, n_modes=80, n_blendshapes=64)
    for name in ("BFM_exp_idx.mat", "BFM_front_idx.mat", "facemodel_info.mat", "std_exp.txt"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    stored = read_source([tmp_path]).stored
    assert stored.mean_mm.shape == (35_709, 3)
    assert stored.base_faces.shape == (70_789, 3)
    assert len(stored.landmarks["ibug68"].names) == 68
    assert [len(stored.identity_basis_mm), len(stored.expression_basis_mm)] == [80, 64]
    np.testing.assert_allclose(stored.mean_mm, parts["mean_mm"], atol=1e-4)
