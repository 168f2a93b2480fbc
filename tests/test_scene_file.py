"""A scene survives its file, and files that are no scenes are refused with a sentence."""

from dataclasses import fields
from pathlib import Path

import h5py
import pytest
import torch

from fit3dmm._errors import InputError
from fit3dmm.model.morphable import Coefficients
from fit3dmm.scene import Scene
from fit3dmm.scene_file import load_scene, save_scene


def scene(*batch: int) -> Scene:
    generator = torch.Generator().manual_seed(0)
    drawn = (torch.randn(*batch, n, generator=generator) for n in (5, 0, 3, 2))
    return Scene.portrait(Coefficients(*drawn), 320, 240)


def assert_same(a: object, b: object) -> None:
    if isinstance(a, torch.Tensor):
        assert isinstance(b, torch.Tensor)
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert (a == b).all()
    elif hasattr(a, "__dataclass_fields__"):
        for field in fields(a):  # type: ignore[arg-type]
            assert_same(getattr(a, field.name), getattr(b, field.name))
    else:
        assert a == b


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_round_trip(tmp_path: Path, batch: tuple[int, ...]) -> None:
    path = tmp_path / "scene.h5"
    saved = scene(*batch)
    save_scene(path, saved, "toy")
    loaded, model = load_scene(path)
    assert model == "toy"
    assert_same(saved, loaded)


def test_what_is_missing_or_is_no_scene_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no file"):
        load_scene(tmp_path / "none.h5")
    text = tmp_path / "text.h5"
    text.write_text("no")
    with pytest.raises(InputError, match="can't be read as a scene"):
        load_scene(text)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file.attrs["format"] = "fit3dmm-model"
    with pytest.raises(InputError, match="calls itself 'fit3dmm-model'"):
        load_scene(other)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scene.h5"
    save_scene(path, scene(), "toy")
    with h5py.File(path, "a") as file:
        del file["scene/focal_px"]
    with pytest.raises(InputError, match="damaged or of another kind"):
        load_scene(path)


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "scene.h5"
    save_scene(path, scene(), "toy")
    with h5py.File(path, "a") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(InputError, match="update fit3dmm"):
        load_scene(path)
