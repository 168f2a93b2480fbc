"""Scenes as files: HDF5, versioned, readable without fit3dmm.

Layout of version 1. Attributes of the file: `format` ("fit3dmm-scene"), `format_version`, `model`
and `frame`. Attributes of the group `scene`: `width_px`, `height_px`. Data sets of the group, with
their leading axes: `identity`, `detail`, `expression`, `albedo`, `rotation_rad`, `translation_mm`,
`focal_px`, `principal_point_px`, `irradiance_sh`; and `joints_rad` where the model has joints.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fit3dmm._hdf5 import FileFormat, Group
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients
from fit3dmm.scene import Lighting, Pose, Scene

FORMAT = FileFormat("fit3dmm-scene", 1, "scene", "pass a scene that fit3dmm has saved")
FRAME = "cam: mm, x right, y up, z towards the viewer; pixels from the top-left corner, y down"


def save_scene(path: Path, scene: Scene, model: str) -> None:
    """Write a scene with the name of the model that it is of.

    Raises:
        InputError: the folder can't be written to.
    """
    with FORMAT.writing(path, model=model, frame=FRAME) as file:
        write_scene(file.create_group("scene"), scene)


def load_scene(path: Path) -> tuple[Scene, str]:
    """Read a scene and the name of its model.

    Raises:
        InputError: there is no such file, it is no scene, or a newer fit3dmm wrote it.
    """
    with FORMAT.reading(path) as file:
        return read_scene(file["scene"]), str(file.attrs["model"])


def write_scene(group: Group, scene: Scene) -> None:
    """Write a scene into an open HDF5 group; results that contain one use this too."""
    tensors = _tensors(scene)
    if scene.coefficients.joints_rad.shape[-1]:
        tensors["joints_rad"] = scene.coefficients.joints_rad
    for name, tensor in tensors.items():
        group.create_dataset(name, data=tensor.detach().cpu().numpy())
    group.attrs.update(width_px=scene.camera.width_px, height_px=scene.camera.height_px)


def read_scene(group: Any) -> Scene:
    """Read what `write_scene` wrote."""

    def tensor(name: str) -> Tensor:
        return torch.as_tensor(group[name][()])

    names = ("identity", "detail", "expression", "albedo", "joints_rad")
    return Scene(
        Coefficients(**{name: tensor(name) for name in names if name in group}),
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
