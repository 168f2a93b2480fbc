"""Scenes out of files, whichever kind holds them."""

from pathlib import Path

from fit3dmm import scene_file
from fit3dmm._errors import InputError
from fit3dmm._hdf5 import format_name
from fit3dmm.export import record
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Scene


def saved_scene(path: Path) -> tuple[MorphableModel, Scene] | None:
    """What a file holds, with its model; None where it is no file of scenes."""
    kind = format_name(path)
    if kind == record.FORMAT.name:
        result = record.load_result(path)
        return load_model(result.model.name, result.level), result.scene
    if kind != scene_file.FORMAT.name:
        return None
    scene, name = scene_file.load_scene(path)
    if scene.batch_shape:
        raise InputError(
            f"{path} holds scenes of shape {tuple(scene.batch_shape)}, a picture shows one: "
            "save them one by one."
        )
    return load_model(name), scene
