"""The model file: round trips, the same bytes twice, a sentence for everything that is wrong."""

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.model.files import FORMAT, load_model, read_stored, write_stored
from fit3dmm.model.library import installed_models, models_folder
from tests.toy import toy_stored

GOLDEN = Path(__file__).parents[1] / "golden" / "model_v1.h5"
GOLDEN_2 = GOLDEN.with_name("model_v2.h5")
GOLDEN_NOW7_MM = [
    [-29.171, 22.25, 65.889],
    [-14.918, 23.14, 75.092],
    [23.615, 29.186, 72.224],
    [37.615, 27.006, 61.559],
    [1.964, -22.815, 80.133],
    [-19.65, -42.178, 65.439],
    [19.246, -36.127, 71.505],
]
GOLDEN_2_TIP_MM = [1.940, -22.650, 80.250]
GOLDEN_2_LEFT_EYE = [6, 7, 54, 55, 102, 103, 150, 151]
GOLDEN_2_JOINT_MM = [49.094, -0.358, 55.343]


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "toy.h5"
    write_stored(toy_stored(), path)
    return path


def test_round_trip_is_exact_to_half_a_step(written):
    stored, again = toy_stored(), read_stored(written)
    assert again.info == stored.info
    assert again.expression_names == stored.expression_names
    for field in dataclasses.fields(stored):
        value = getattr(stored, field.name)
        if isinstance(value, np.ndarray):
            # Half a step of the shape bases (4 um) and of the albedo (0.002), and float32 rounding.
            tolerance = 0.001001 if "albedo_basis" in field.name else 0.002001
            np.testing.assert_allclose(getattr(again, field.name), value, atol=tolerance)
    for name, points in stored.landmarks.items():
        assert again.landmarks[name].names == points.names
        np.testing.assert_array_equal(again.landmarks[name].triangle, points.triangle)
        np.testing.assert_allclose(again.landmarks[name].barycentric, points.barycentric, atol=1e-7)
    np.testing.assert_allclose(again.regions["lips"], stored.regions["lips"], atol=0.5001 / 255)
    for name, rows in stored.parts.items():
        np.testing.assert_array_equal(again.parts[name], rows)
    for name, weights in stored.joints.items():
        np.testing.assert_allclose(again.joints[name], weights, atol=1e-7)


def test_the_same_model_gives_the_same_bytes_also_after_reading(written, tmp_path):
    write_stored(toy_stored(), tmp_path / "twice.h5")
    assert (tmp_path / "twice.h5").read_bytes() == written.read_bytes()
    write_stored(read_stored(written), tmp_path / "again.h5")
    assert (tmp_path / "again.h5").read_bytes() == written.read_bytes()


def test_a_step_of_zero_keeps_float32(tmp_path):
    stored = toy_stored()
    write_stored(stored, tmp_path / "exact.h5", shape_step_mm=0.0, albedo_step_linear=0.0)
    again = read_stored(tmp_path / "exact.h5")
    np.testing.assert_array_equal(
        again.identity_basis_mm, stored.identity_basis_mm.astype(np.float32)
    )


def test_the_golden_file_of_version_1_is_read_for_ever():
    model = load_model(GOLDEN)
    assert (model.info.name, model.surface.level, model.n_vertices) == ("toy", 1, 98)
    assert (model.n_identity, model.n_detail, model.n_expression, model.n_albedo) == (3, 2, 5, 2)
    coefficients = model.sample(generator=torch.Generator().manual_seed(1), expression=True)
    # The positions that version 0.1 decoded from this file.
    torch.testing.assert_close(
        model.landmarks_mm("now7", coefficients), torch.tensor(GOLDEN_NOW7_MM), atol=1e-3, rtol=0
    )


def test_a_file_of_version_1_has_parts_by_its_regions_and_independent_blendshapes():
    model = load_model(GOLDEN)
    assert set(model.parts) <= {"skin", "eye_left", "eye_right"}
    assert torch.stack(list(model.parts.values())).sum(dim=0).eq(1).all()
    torch.testing.assert_close(
        model.expression_covariance_factor, torch.diag(model.expression_sigma), rtol=0, atol=0
    )
    assert model.joints == {}


def test_the_golden_file_of_version_2_is_read_for_ever():
    model = load_model(GOLDEN_2)
    coefficients = model.sample(generator=torch.Generator().manual_seed(1))
    # What version 0.2 decoded from this file.
    torch.testing.assert_close(
        model.landmarks_mm("now7", coefficients)[4],
        torch.tensor(GOLDEN_2_TIP_MM),
        atol=1e-3,
        rtol=0,
    )
    assert list(model.parts) == ["eye_left", "eye_right", "skin"]
    assert model.parts["eye_left"].nonzero()[:, 0].tolist() == GOLDEN_2_LEFT_EYE
    assert model.expression_covariance_factor[2, 1] == pytest.approx(0.32)
    torch.testing.assert_close(
        model.joint_mm("eye_left", coefficients),
        torch.tensor(GOLDEN_2_JOINT_MM),
        atol=1e-3,
        rtol=0,
    )


def test_the_golden_file_of_version_3_is_read_for_ever():
    model = load_model(GOLDEN.with_name("model_v3.h5"))
    turned = model.zeros().replace(joints_rad=torch.linspace(-0.3, 0.4, 12))
    # What version 0.1 decoded from this file.
    assert model.rig is not None
    assert model.rig.names == ("jaw", "eye_left", "eye_right", "neck")
    torch.testing.assert_close(
        model.landmarks_mm("now7", turned)[6],
        torch.tensor([18.518, -41.989, 76.979]),
        atol=1e-3,
        rtol=0,
    )


def test_what_has_no_joints_is_written_for_those_who_read_version_2(written):
    with h5py.File(written) as file:
        assert file.attrs["format_version"] == 2


def test_parts_are_the_same_things_at_every_level(written):
    stored = read_stored(written)
    middles = []
    for level in (0, 1, 2):
        model = stored.at_level(level)
        assert torch.stack(list(model.parts.values())).sum(dim=0).eq(1).all()
        assert model.parts["eye_left"].sum() == 2 * 4**level
        middles.append(model.shape_mm(model.zeros())[model.in_parts("eye_left")].mean(dim=0))
    # Subdivision rounds a ball off, by up to 3 mm at this size, and moves nothing sideways.
    assert (middles[1] - middles[0]).norm() < 3
    assert (middles[2] - middles[1]).norm() < 1


def test_joints_follow_the_person_and_not_the_expression():
    model = toy_stored().at_level(0)
    person = model.sample(generator=torch.Generator().manual_seed(3), expression=True)
    rest = model.joint_mm("eye_left", person.neutral())
    torch.testing.assert_close(model.joint_mm("eye_left", person), rest)
    assert (rest - model.joint_mm("eye_left", model.zeros())).norm() > 0.1
    with pytest.raises(KeyError, match="joints"):
        model.joint_mm("knee", person)


def test_drawn_expressions_have_the_covariance_of_the_factor():
    model = toy_stored().at_level(0)
    wide = model.replace(expression_bounds=torch.tensor([[-9.0, 9.0]]).repeat(5, 1))
    drawn = wide.sample(20_000, generator=torch.Generator().manual_seed(0), expression=True)
    factor = model.expression_covariance_factor
    # Of 20,000 draws the standard error of a covariance is 0.16 / sqrt(10,000).
    torch.testing.assert_close(drawn.expression.T.cov(), factor @ factor.T, atol=0.008, rtol=0)


def test_levels_share_their_first_vertices_and_their_albedo(written):
    stored = read_stored(written)
    coarse, fine = stored.at_level(1), stored.at_level(2)
    assert fine.n_vertices == 6146
    finest = dataclasses.replace(
        stored,
        albedo_level=2,
        albedo_mean_linear=fine.albedo_mean_linear.numpy(),
        albedo_basis_linear=fine.albedo_basis_linear.numpy(),
    )
    torch.testing.assert_close(
        finest.at_level(1).albedo_mean_linear, fine.albedo_mean_linear[: coarse.n_vertices]
    )
    assert finest.at_level(3).albedo_basis_linear.shape == (4, 24578, 3)


def test_landmarks_agree_across_levels(written):
    stored = read_stored(written)
    points = [stored.at_level(level) for level in (0, 1, 2)]
    places = [model.landmarks_mm("ibug68", model.zeros()) for model in points]
    # Subdivision smooths: 98 quads on a 200 mm ball shrink by up to 2 mm, less at each step.
    assert (places[1] - places[0]).norm(dim=1).max() < 3.5
    assert (places[2] - places[1]).norm(dim=1).max() < 1.0


def test_a_level_that_does_not_exist_is_refused(written):
    with pytest.raises(InputError, match="levels 0 to 3, got 7"):
        load_model(written, level=7)


def _change(path: Path, name: str, values) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        file[name] = values


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("mean_mm", np.full((386, 3), np.nan), "mean_mm holds values that are not finite"),
        ("mean_mm", np.zeros((12, 3)), "has shape .* where the rest of the model needs"),
        ("base_faces", np.full((384, 4), 999), "base_faces must index 0..385, got 999..999"),
        ("base_faces", np.zeros((384, 5), int), "3 or 4 corners a face, got 5"),
        ("expression_bounds", np.full((5, 2), np.nan), "expression_bounds holds"),
        ("landmarks/now7/triangle", np.full(7, 5000), "now7 must index 0..767"),
        ("landmarks/now7/triangle", np.zeros(3, int), "7 names for 3 points"),
        ("regions/lips", np.zeros(3), "region lips has shape"),
        ("identity_basis_mm", np.zeros((2, 5, 3)), "identity_basis_mm has shape"),
        ("parts/skin", np.arange(9), "Each face must belong to one part: face 9 belongs to 0"),
        ("parts/skin", np.array([384]), "part skin must index 0..383"),
        ("joints/eye_left", np.ones(386), "joint eye_left add up to 386, not 1"),
        ("joints/eye_left", np.ones(3), "joint eye_left has shape"),
        ("expression_covariance_factor", np.ones((5, 5)), "must be lower triangular"),
        ("expression_covariance_factor", np.eye(5), "as long as expression_sigma says"),
        ("mean_mm", b"text", "can't be read as a fit3dmm model"),
    ],
)
def test_a_damaged_array_is_told_in_one_sentence(written, name, values, sentence):
    _change(written, name, values)
    with pytest.raises(InputError, match=sentence):
        read_stored(written)


def test_truncated_files_are_told_wherever_they_end(written):
    whole = written.read_bytes()
    for part in (0, 7, 500, len(whole) // 2, len(whole) - 1):
        written.write_bytes(whole[:part])
        with pytest.raises(InputError, match="incomplete, damaged or of another kind"):
            read_stored(written)


def test_flipped_bytes_never_end_in_another_exception(written):
    whole = bytearray(written.read_bytes())
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), 20):
            damaged[place] ^= int(rng.integers(1, 256))
        written.write_bytes(damaged)
        try:
            read_stored(written).at_level(0)
        except InputError:
            refused += 1
    assert refused > 30


def test_other_kinds_and_newer_versions_are_told(written, tmp_path):
    with h5py.File(written, "r+") as file:
        file.attrs["format_version"] = FORMAT.version + 1
    with pytest.raises(InputError, match="update fit3dmm"):
        load_model(written)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(InputError, match="expected a fit3dmm model, but the file does not"):
        load_model(tmp_path / "other.h5")
    (tmp_path / "text.h5").write_text("no model")
    with pytest.raises(InputError, match="can't be read"):
        load_model(tmp_path / "text.h5")


def test_an_inconsistent_model_can_not_be_made():
    with pytest.raises(InputError, match="base_mirror has shape"):
        dataclasses.replace(toy_stored(), base_mirror=np.zeros(3, int))


def test_a_model_without_colour_is_not_loaded(tmp_path):
    bare = dataclasses.replace(
        toy_stored(), albedo_mean_linear=np.zeros((0, 3)), albedo_basis_linear=np.zeros((0, 0, 3))
    )
    write_stored(bare, tmp_path / "bare.h5")
    with pytest.raises(InputError, match="shapes only"):
        load_model(tmp_path / "bare.h5")


def test_models_of_the_user_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("FIT3DMM_HOME", str(tmp_path))
    write_stored(toy_stored(), models_folder() / "mine.h5")
    assert "mine" in installed_models()
    assert load_model("mine").info.name == "toy"
    with pytest.raises(InputError, match="did you mean 'mine'"):
        load_model("mien")
