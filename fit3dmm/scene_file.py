"""Scenes as files: HDF5, versioned, readable without fit3dmm.

Layout of version 1. Attributes of the file: `format` ("fit3dmm-scene"), `format_version`, `model`
and `frame`. Attributes of the group `scene`: `width_px`, `height_px`. Data sets of the group, with
their leading axes: `identity`, `detail`, `expression`, `albedo`, `rotation_rad`, `translation_mm`,
`focal_px`, `principal_point_px`, `irradiance_sh`.
"""

from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients
from fit3dmm.scene import Lighting, Pose, Scene

FORMAT = "fit3dmm-scene"
FORMAT_VERSION = 1
FRAME = "cam: mm, x right, y up, z towards the viewer; pixels from the top-left corner, y down"


def save_scene(path: Path, scene: Scene, model: str) -> None:
    """Write a scene with the name of the model that it is of."""
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs.update(format=FORMAT, format_version=FORMAT_VERSION, model=model, frame=FRAME)
        write_scene(file.create_group("scene"), scene)


def load_scene(path: Path) -> tuple[Scene, str]:
    """Read a scene and the name of its model.

    Raises:
        InputError: there is no such file, it is no scene, or a newer fit3dmm wrote it.
    """
    if not Path(path).is_file():
        raise InputError(f"There is no file {path}: pass a scene that fit3dmm has saved.")
    try:
        with h5py.File(path, "r") as opened:
            file: Any = opened  # h5py's types can't tell groups from data sets
            _check_format(path, file.attrs)
            return read_scene(file["scene"]), str(file.attrs["model"])
    except (OSError, KeyError) as error:
        raise InputError(
            f"{path} can't be read as a scene ({error}): it is damaged or of another kind; "
            "pass a scene that fit3dmm has saved."
        ) from error


def _check_format(path: Path, attributes: Any) -> None:
    found = attributes.get("format")
    if found != FORMAT:
        raise InputError(
            f"{path} should hold a {FORMAT}, but calls itself {found!r}: "
            "pass a scene that fit3dmm has saved."
        )
    version = int(attributes["format_version"])
    if version > FORMAT_VERSION:
        raise InputError(
            f"{path} is a scene of version {version}, this fit3dmm reads up to {FORMAT_VERSION}: "
            "update fit3dmm."
        )


def write_scene(group: h5py.Group, scene: Scene) -> None:
    """Write a scene into an open HDF5 group; results that contain one use this too."""
    for name, tensor in _tensors(scene).items():
        group.create_dataset(name, data=tensor.detach().cpu().numpy())
    group.attrs.update(width_px=scene.camera.width_px, height_px=scene.camera.height_px)


def read_scene(group: Any) -> Scene:
    """Read what `write_scene` wrote."""

    def tensor(name: str) -> Tensor:
        return torch.as_tensor(group[name][()])

    return Scene(
        Coefficients(*(tensor(name) for name in ("identity", "detail", "expression", "albedo"))),
        Pose(tensor("rotation_rad"), tensor("translation_mm")),
        Camera(
            tensor("focal_px"),
            tensor("principal_point_px"),
            int(group.attrs["width_px"]),
            int(group.attrs["height_px"]),
        ),
        Lighting(tensor("irradiance_sh")),
    )


def _tensors(scene: Scene) -> dict[str, Tensor]:
    return {
        "identity": scene.coefficients.identity,
        "detail": scene.coefficients.detail,
        "expression": scene.coefficients.expression,
        "albedo": scene.coefficients.albedo,
        "rotation_rad": scene.pose.rotation_rad,
        "translation_mm": scene.pose.translation_mm,
        "focal_px": scene.camera.focal_px,
        "principal_point_px": scene.camera.principal_point_px,
        "irradiance_sh": scene.lighting.irradiance_sh,
    }
