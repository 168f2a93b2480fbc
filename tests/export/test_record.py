"""A result that is saved and read is the same; versions 1 and 2 are read for ever."""

import dataclasses
import json
import math
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from fit3dmm import InputError
from fit3dmm.export.depth import depth_map
from fit3dmm.export.hair_hanging import HairShape, HangingHair
from fit3dmm.export.record import load_hair_shape, load_result, save_result
from fit3dmm.export.summary import json_text, summary, write_json
from fit3dmm.fitting import FitConfig, FitResult, Iris, Landmarks, Stage
from fit3dmm.geometry.rotation import angles_of_rotation, rotation_matrix
from fit3dmm.solve import LBFGS, Adam
from tests.export.faces import KnownFace, fitted, known_face

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture(scope="module")
def known() -> KnownFace:
    return known_face()


@pytest.fixture(scope="module")
def result(known: KnownFace) -> FitResult:
    return fitted(known)


def test_how_far_hair_stands_off_is_kept_beside_the_result(result, tmp_path):
    hair_mm = torch.linspace(0, 45, 5000)
    save_result(tmp_path / "fit.h5", result, HairShape(hair_mm))
    found = load_hair_shape(tmp_path / "fit.h5")
    assert found is not None
    torch.testing.assert_close(found.raised_mm, hair_mm, atol=1 / 64, rtol=0)
    assert found.hanging is None
    hanging = HangingHair(
        np.random.default_rng(0).uniform(-150, 150, (5, 12, 3)).astype(np.float32),
        np.random.default_rng(1).integers(0, 255, (6, 8, 3)).astype(np.uint8),
    )
    save_result(tmp_path / "fit.h5", result, HairShape(hair_mm, hanging))
    found = load_hair_shape(tmp_path / "fit.h5")
    assert found is not None
    assert found.hanging is not None
    np.testing.assert_array_equal(found.hanging.points_mm, hanging.points_mm)
    np.testing.assert_array_equal(found.hanging.srgb, hanging.srgb)
    assert found.fringe is None
    save_result(tmp_path / "fit.h5", result, HairShape(hair_mm, None, hanging))
    found = load_hair_shape(tmp_path / "fit.h5")
    assert found is not None
    assert found.hanging is None
    assert found.fringe is not None
    np.testing.assert_array_equal(found.fringe.points_mm, hanging.points_mm)
    assert_same(load_result(tmp_path / "fit.h5"), result)
    save_result(tmp_path / "fit.h5", result)
    assert load_hair_shape(tmp_path / "fit.h5") is None


def assert_same(a: object, b: object, path: str = "result") -> None:
    """Equal in every field, to the bit."""
    assert type(a) is type(b), path
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor)
        assert a.dtype == b.dtype, path
        assert torch.equal(a, b), path
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name), f"{path}.{field.name}")
    elif isinstance(a, dict):
        assert isinstance(b, dict)
        assert list(a) == list(b), path
        for key in a:
            assert_same(a[key], b[key], f"{path}[{key}]")
    elif isinstance(a, tuple):
        assert isinstance(b, tuple)
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]")
    elif isinstance(a, float) and math.isnan(a):
        assert isinstance(b, float)
        assert math.isnan(b), path
    else:
        assert a == b, path


def test_what_is_read_is_what_was_saved(result, tmp_path):
    save_result(tmp_path / "fit.h5", result)
    assert_same(result, load_result(tmp_path / "fit.h5"))
    with h5py.File(tmp_path / "fit.h5") as file:
        assert file.attrs["format"] == "fit3dmm-result"
        assert file.attrs["model"] == "toy"
        assert "mm" in file.attrs["frame"]


def test_the_golden_file_of_version_1_is_read_for_ever():
    read = load_result(GOLDEN / "result_v1.h5")
    assert read.model.name == "toy"
    assert read.quality.verdict in ("good", "doubtful")
    assert read.scene.coefficients.expression.shape == (5,)
    assert read.distance_mm == pytest.approx(700, rel=0.1)
    # What version 1 called by other names, or had elsewhere.
    assert read.observation.detection().points_px.shape == (478, 2)
    assert read.config.iris == Iris(noise_mm=1e3)
    assert "contour" in read.config.stages[-1].terms
    assert "contour" in read.energies
    assert read.quality.visible_share == pytest.approx(0.8, abs=0.05)
    assert read.stages[0].name == "pose"
    assert read.stages[0].history[0].evaluations == 1
    assert math.isnan(read.stages[0].history[0].gain)


def test_settings_that_a_file_lacks_take_their_defaults(result, tmp_path):
    save_result(tmp_path / "fit.h5", result)
    with h5py.File(tmp_path / "fit.h5", "r+") as file:
        settings = json.loads(file["config"].asstr()[()])
        del settings["photometric"]["skin_floor"], settings["contour"]
        settings["of_another_time"] = 1
        del file["config"]
        file["config"] = json.dumps(settings)
    assert load_result(tmp_path / "fit.h5").config == result.config


def test_the_golden_file_of_version_2_is_read_for_ever():
    read = load_result(GOLDEN / "result_v2.h5")
    assert read.model.name == "toy"
    assert read.observation.detection().points_px.shape == (478, 2)
    assert read.config.iris == Iris(noise_mm=1e3)
    assert read.config.photometric.n_samples == 300
    assert read.config.stages[-1].mask_occlusions
    assert set(read.energies) <= set(read.config.stages[-1].terms)
    assert read.quality.verdict in ("good", "doubtful")
    assert read.distance_mm == pytest.approx(700, rel=0.1)


@dataclasses.dataclass(frozen=True)
class TwoDetectors(FitConfig):
    """Settings of somebody's own."""

    second: Landmarks = dataclasses.field(default_factory=lambda: Landmarks(source="second"))


def test_settings_of_anothers_own_leave_a_result_readable(result, tmp_path):
    stages = tuple(dataclasses.replace(s, terms=(*s.terms, "second")) for s in result.config.stages)
    own = result.replace(config=TwoDetectors(stages=stages))
    save_result(tmp_path / "fit.h5", own)
    assert load_result(tmp_path / "fit.h5").config.stages == result.config.stages


@pytest.mark.parametrize("solver", [LBFGS(memory=5), Adam(learning_rate=0.3)])
def test_the_solver_of_a_stage_is_kept(result, tmp_path, solver):
    stage = Stage("only", ("identity",), ("identity",), solver=solver)
    save_result(tmp_path / "fit.h5", result.replace(config=FitConfig(stages=(stage,))))
    assert load_result(tmp_path / "fit.h5").config.stages == (stage,)


def test_files_that_cannot_be_read(result, tmp_path):
    path = tmp_path / "fit.h5"
    save_result(path, result)
    whole = path.read_bytes()

    def refused(sentence: str) -> None:
        with pytest.raises(InputError, match=sentence):
            load_result(path)

    path.write_bytes(whole[: len(whole) // 2])
    refused("damaged or of another kind")
    path.write_bytes(b"no HDF5")
    refused("damaged or of another kind")
    path.write_bytes(whole)
    with h5py.File(path, "r+") as file:
        del file["quality"]
    refused("damaged or of another kind")
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 99
    refused("version 99.*update fit3dmm")
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "fit3dmm-scene"
    refused("calls itself 'fit3dmm-scene'")
    path.unlink()
    refused("There is no file")


def test_a_full_disk_leaves_the_old_file(result, tmp_path):
    path = tmp_path / "fit.h5"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
        with pytest.raises(InputError, match="File too large; free some space"):
            save_result(path, result)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.name for p in tmp_path.iterdir()] == ["fit.h5"]
    assert path.read_bytes() == b"old"


def test_the_summary_is_strict_json_and_projects(known, result, tmp_path):
    content = summary(result, known.model, depth_map(known.model, result.scene))
    write_json(content, tmp_path / "fit.json")
    read = json.loads((tmp_path / "fit.json").read_text(), parse_constant=pytest.fail)
    K, T = torch.tensor(read["camera"]), torch.tensor(read["T_opencv_model"])
    assert read["T_cam_model"] == read["T_opencv_model"]  # the former name
    neutral = torch.tensor(read["landmarks_neutral_mm"])
    assert neutral.shape == (68, 3)
    scene = result.scene
    posed = known.model.landmarks_mm("ibug68", scene.coefficients)
    cam = posed @ T[:3, :3].T + T[:3, 3]
    assert (cam[:, 2] > 0).all()  # OpenCV looks along +z
    px = cam @ K.T
    px = px[:, :2] / px[:, 2:]
    # Seven digits are kept.
    torch.testing.assert_close(px, torch.tensor(read["landmarks_photo_px"]), atol=2e-3, rtol=0)
    at_rest = known.model.landmarks_mm("ibug68", scene.coefficients.neutral())
    torch.testing.assert_close(neutral, at_rest, atol=1e-4, rtol=0)
    assert set(read["expression"]) == set(known.model.expression_names)
    assert read["quality"]["verdict"] == result.quality.verdict
    R_cam_model = rotation_matrix(known.scene.pose.rotation_rad.double()).numpy()
    # The fit itself is off by a sixth of a degree.
    assert read["turn_deg"] == pytest.approx(angles_of_rotation(R_cam_model), abs=0.5)


def test_numbers_that_are_not_finite_become_null():
    assert json.loads(json_text({"a": [math.nan, 1.5], "b": math.inf})) == {
        "a": [None, 1.5],
        "b": None,
    }
