"""What each system's file says of a face, against the system's own statement of it."""

import pickle

import numpy as np
import pytest
import scipy.io
import torch
from scipy.spatial.transform import Rotation

from fit3dmm._errors import InputError
from fit3dmm.geometry.obj_files import write_obj
from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.model import deep3d
from fit3dmm.model.formats import read_source
from fit3dmm.refining.containers import read_arrays, vector
from fit3dmm.refining.mesh_coefficients import coefficients_of_surface
from fit3dmm.refining.read import find_start, read_start
from fit3dmm.refining.start import Start
from fit3dmm.scene import Pose
from tests.model import source_files
from tests.refining.flame_toy import flame_toy
from tests.toy import toy_model


@pytest.fixture(scope="module")
def bfm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bfm")
    source_files.write_bfm2009(folder, source_files.bfm_parts())
    return read_source([folder]).stored.at_level()


@pytest.fixture(scope="module")
def toy():
    return toy_model()


def write_npz(path, arrays) -> None:
    np.savez(path, **arrays)


def pose_of(start: Start) -> Pose:
    assert start.pose is not None
    return start.pose


def random_vector(seed: int = 0) -> np.ndarray:
    vector = 0.5 * np.random.default_rng(seed).normal(size=257)
    vector[224:227] *= 0.4
    return vector.astype(np.float32)


@pytest.mark.parametrize("kind", ["npy", "npz", "mat", "v3", "pkl"])
def test_a_257_vector_survives_its_files(bfm, tmp_path, kind):
    """From a file to our scene's parts and back to the same 257 numbers."""
    numbers = random_vector()
    parts = np.split(numbers[None], np.cumsum(list(deep3d.SIZES.values()))[:-1], axis=1)
    named = dict(zip(deep3d.SIZES, parts, strict=True))
    path = tmp_path / f"face.{kind}"
    if kind == "npy":
        np.save(path, numbers[None])
    elif kind == "npz":
        np.savez(path, coeffs=numbers)
    elif kind == "mat":
        scipy.io.savemat(path, named | {"lm68": np.zeros((1, 68, 2))})
    elif kind == "pkl":
        path.write_bytes(pickle.dumps(named))
    else:
        path = tmp_path / "face.npz"
        names = {"tex": "alb", "gamma": "sh"}  # as 3DDFA-V3 calls them
        write_npz(path, {names.get(name, name): part for name, part in named.items()})
    start = read_start(path, bfm)
    back = deep3d.split(torch.from_numpy(numbers))
    np.testing.assert_array_equal(start.coefficients.identity, back.identity)
    np.testing.assert_array_equal(start.coefficients.expression, back.expression)
    np.testing.assert_array_equal(start.coefficients.albedo, back.albedo)
    R_cam_model = pose_of(start).T_cam_model.rotation
    dm = deep3d.translation_dm(R_cam_model, pose_of(start).translation_mm, bfm)
    np.testing.assert_allclose(deep3d.angles(R_cam_model), back.angles_rad, atol=1e-5)
    np.testing.assert_allclose(dm, back.translation_dm, atol=1e-4)
    assert start.camera is not None
    assert float(start.camera.focal_px) == 1015
    assert start.T_picture_photo is None


def test_their_crop_is_cut_as_their_code_cuts_it(bfm, tmp_path):
    """`resize_n_crop_img` of Deep3DFaceRecon_pytorch: whole pixels of the scaled photo."""
    w0, h0, s, tx, ty = 640.0, 480.0, 0.813, 301.3, 222.7
    parts = np.split(random_vector()[None], np.cumsum(list(deep3d.SIZES.values()))[:-1], axis=1)
    named = dict(zip(deep3d.SIZES, parts, strict=True))
    write_npz(tmp_path / "face.npz", named | {"trans_params": np.array([w0, h0, s, tx, ty])})
    start = read_start(tmp_path / "face.npz", bfm)
    assert start.photo_size_px == (640, 480)
    assert start.T_picture_photo is not None
    points = torch.tensor([[300.0, 250.0], [330.0, 280.0]])
    w, h = int(w0 * s), int(h0 * s)
    left = int(w / 2 - 112 + (tx - w0 / 2) * s)
    up = int(h / 2 - 112 + (h0 / 2 - ty) * s)
    torch.testing.assert_close(
        start.T_picture_photo @ points, points * s - torch.tensor([float(left), float(up)])
    )


def test_other_models_and_broken_vectors_are_told_in_a_sentence(bfm, toy, tmp_path):
    np.save(tmp_path / "v.npy", random_vector())
    with pytest.raises(InputError, match=r"not of toy: give `--model bfm2009`"):
        read_start(tmp_path / "v.npy", toy)
    np.save(tmp_path / "two.npy", np.stack([random_vector()] * 2))
    with pytest.raises(InputError, match="of 2 faces or frames"):
        read_start(tmp_path / "two.npy", bfm)
    broken = random_vector()
    broken[3] = np.nan
    np.save(tmp_path / "nan.npy", broken)
    with pytest.raises(InputError, match="not finite"):
        read_start(tmp_path / "nan.npy", bfm)
    np.savez(tmp_path / "part.npz", id=np.zeros(80), exp=np.zeros(64), angle=np.zeros(3),
             trans=np.zeros(3), tex=np.zeros(80))  # fmt: skip
    with pytest.raises(InputError, match="lacks its part gamma"):
        read_start(tmp_path / "part.npz", bfm)
    (tmp_path / "code.pt").write_bytes(b"x")
    with pytest.raises(InputError, match="runs code when it is read"):
        read_start(tmp_path / "code.pt", bfm)
    (tmp_path / "junk.npz").write_bytes(b"PK but no archive")
    (tmp_path / "junk.npy").write_bytes(b"\x93NUMPY?")
    for name in ("junk.npz", "junk.npy"):
        with pytest.raises(InputError, match="incomplete or damaged"):
            read_start(tmp_path / name, bfm)


@pytest.mark.parametrize("system", ["DECA", "SMIRK", "EMOCA folder", "tracker"])
def test_what_flame_systems_say(tmp_path, system):
    model = flame_toy()
    rng = np.random.default_rng(3)
    shape, expression = rng.normal(size=6), rng.normal(size=5)
    whole, neck, eyes = 0.3 * rng.normal(size=(3, 3)), 0.1 * rng.normal(size=3), np.zeros(6)
    whole = whole[0]
    jaw = np.array([0.2, 0.01, 0.0])
    path = tmp_path / "face.npz"
    if system == "DECA":
        pose, neck = np.concatenate([whole, jaw])[None], np.zeros(3)
        np.savez(path, shape=shape[None], exp=expression[None], pose=pose, cam=np.ones((1, 3)))
    elif system == "SMIRK":
        neck = np.zeros(3)
        np.savez(path, shape_params=np.append(shape, [9.0] * 3)[None], pose_params=whole[None],
                 expression_params=expression[None], jaw_params=jaw[None],
                 eyelid_params=np.zeros((1, 2)))  # fmt: skip
    elif system == "EMOCA folder":
        path, neck = tmp_path / "face", np.zeros(3)
        path.mkdir()
        named = {"shape": shape, "exp": expression, "pose": np.concatenate([whole, jaw])}
        for name, values in named.items():
            np.save(path / f"{name}.npy", values.astype(np.float32))
    else:
        eyes = 0.1 * rng.normal(size=6)
        np.savez(path, shape=shape, expr=expression, head_pose=whole, neck_pose=neck, jaw_pose=jaw,
                 eyes_pose=eyes)  # fmt: skip
    start = read_start(path, model)
    face = start.coefficients
    np.testing.assert_allclose(face.identity, shape, atol=1e-6)
    np.testing.assert_allclose(face.expression[:5], expression, atol=1e-6)
    np.testing.assert_allclose(face.joints_rad, np.concatenate([jaw, eyes, -neck]), atol=1e-6)
    theirs = (Rotation.from_rotvec(whole) * Rotation.from_rotvec(neck)).as_matrix()
    np.testing.assert_allclose(pose_of(start).T_cam_model.rotation, theirs, atol=1e-5)
    assert start.camera is None
    said = " ".join(start.remarks)
    assert ("lids" in said and "last 3 of 9 shape" in said) == (system == "SMIRK")
    if system == "DECA":
        with pytest.raises(InputError, match="numbers of FLAME, and the model is toy"):
            read_start(path, toy_model())


def test_a_models_own_arrays(toy, tmp_path):
    face = toy.sample(generator=torch.Generator().manual_seed(1), expression=True)
    named = {k: getattr(face, k).numpy() for k in ("identity", "detail", "expression", "albedo")}
    write_npz(tmp_path / "named.npz", named)
    np.save(tmp_path / "row.npy", np.concatenate(list(named.values())))
    for name in ("named.npz", "row.npy"):
        start = read_start(tmp_path / name, toy)
        for kind, values in named.items():
            np.testing.assert_allclose(getattr(start.coefficients, kind), values, atol=1e-6)
        assert start.pose is None
    np.save(tmp_path / "identity.npy", named["identity"])
    alone = read_start(tmp_path / "identity.npy", toy).coefficients
    assert torch.equal(alone.expression, torch.zeros(toy.n_expression))
    np.save(tmp_path / "seven.npy", np.zeros(7))
    with pytest.raises(InputError, match=r"7 numbers without a name .* Give fewer by name"):
        read_start(tmp_path / "seven.npy", toy)
    np.savez(tmp_path / "what.npz", foo=np.zeros(3))
    with pytest.raises(InputError, match=r"it holds foo"):
        read_start(tmp_path / "what.npz", toy)
    assert vector(read_arrays(tmp_path / "what.npz"), "bar") is None


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e3])
def test_a_mesh_of_the_models_own_gives_its_coefficients(toy, tmp_path, unit):
    """In any unit and anywhere."""
    face = toy.sample(generator=torch.Generator().manual_seed(2), expression=True)
    turn = Rotation.from_rotvec([0.3, -0.5, 0.2]).as_matrix()
    shape = toy.shape_mm(face).double().numpy() @ turn.T + [30.0, -20.0, 500.0]
    mesh = Mesh(unit * shape, toy.surface.triangles.numpy().astype(np.int64))
    write_obj(tmp_path / "face.obj", mesh)
    found = read_start(tmp_path / "face.obj", toy).coefficients
    assert toy.shape_mm(found).sub(toy.shape_mm(face)).norm(dim=1).mean() < 0.05
    np.testing.assert_allclose(found.identity, face.identity, atol=0.05)
    write_obj(tmp_path / "less.obj", Mesh(mesh.vertices, mesh.triangles[:-3]))
    with pytest.raises(InputError, match="own topology"):
        read_start(tmp_path / "less.obj", toy)


def tddfa_files(folder, model, face):
    """3DDFA_V2's bases with the toy at another resolution, and 62 numbers of a face."""
    n = model.n_vertices
    rng = np.random.default_rng(0)
    shapes = np.zeros((3 * n, 40))
    shapes[:, : model.n_identity] = (
        1000
        * model.surface.lift(model.identity_basis_mm).numpy().reshape(model.n_identity, -1).T
        / 5e3
    )
    expressions = np.zeros((3 * n, 10))
    expressions[:, : model.n_expression] = (
        1000
        * model.surface.lift(model.expression_basis_mm).numpy().reshape(model.n_expression, -1).T
    )
    points = model.landmarks["ibug68"]
    corner = points.barycentric.argmax(1)
    vertices = model.surface.triangles[points.triangle, corner].numpy()
    basis = {
        "u": 1000 * model.shape_mm(model.zeros()).numpy().reshape(-1, 1),
        "w_shp": shapes.astype(np.float32),
        "w_exp": expressions.astype(np.float32),
        "keypoints": (3 * vertices[:, None] + np.arange(3)).ravel(),
    }
    (folder / "bfm_noneck_v3.pkl").write_bytes(pickle.dumps(basis, protocol=2))
    triangles = model.surface.triangles.numpy().T + 1
    (folder / "tri.pkl").write_bytes(pickle.dumps(triangles.astype(np.int64), protocol=2))
    turn = Rotation.from_rotvec([0.1, 0.4, -0.1]).as_matrix()
    affine = np.column_stack([5e-4 * turn, 60 + rng.normal(size=3)])
    alpha = np.zeros(50)
    alpha[: model.n_identity] = 5e3 * face.identity.numpy()
    alpha[40 : 40 + model.n_expression] = face.expression.numpy()
    np.save(folder / "face.npy", np.concatenate([affine.ravel(), alpha]).astype(np.float32))
    return turn


def test_62_numbers_of_3ddfa_v2(toy, tmp_path):
    """Its bases make a mesh of another topology, on which our model's face is found."""
    finer = toy_model(level=2)
    face = finer.sample(generator=torch.Generator().manual_seed(4), expression=True)
    face = face.replace(detail=torch.zeros_like(face.detail))
    turn = tddfa_files(tmp_path, finer, face)
    with pytest.raises(InputError, match="as --basis"):
        read_start(tmp_path / "face.npy", toy)
    start = read_start(tmp_path / "face.npy", toy, tmp_path / "bfm_noneck_v3.pkl")
    np.testing.assert_allclose(pose_of(start).T_cam_model.rotation, turn, atol=1e-5)
    off = toy.shape_mm(start.coefficients) - toy.shape_mm(face)
    front = toy.regions["face"] > 0.5
    off = off[front] - off[front].mean(0)
    before = (toy.shape_mm(toy.zeros()) - toy.shape_mm(face))[front]
    before = before - before.mean(0)
    # Surfaces slide along themselves, and points of 68 vertices are half an edge off.
    assert off.norm(dim=1).mean() < 0.45 * before.norm(dim=1).mean()
    points = 3.16 * np.random.default_rng(0).normal(size=(68, 3))
    with pytest.raises(InputError, match="is it a face"):
        coefficients_of_surface(toy, Mesh(points, np.array([[0, 1, 2]])), points)


def test_coefficients_are_found_by_the_photos_name(tmp_path):
    photo = tmp_path / "photos" / "anna" / "smile.jpg"
    folder = tmp_path / "numbers"
    (folder / "anna").mkdir(parents=True)
    (folder / "anna" / "smile.npz").touch()
    (folder / "smile.mat").touch()
    assert find_start(folder, photo) == folder / "anna" / "smile.npz"
    assert find_start(folder / "smile.mat", photo) == folder / "smile.mat"
    (folder / "bob").mkdir()
    (folder / "bob" / "shape.npy").touch()
    assert find_start(folder, tmp_path / "bob.png") == folder / "bob"
    with pytest.raises(InputError, match="is called carol"):
        find_start(folder, tmp_path / "carol.png")
