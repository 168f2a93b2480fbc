"""All files of a fitted face in one folder, which appears whole or not at all."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from fit3dmm._errors import InputError
from fit3dmm.export.depth import depth_map, write_depth
from fit3dmm.export.glb import write_glb
from fit3dmm.export.mesh import neutral_mesh, posed_mesh, write_material, write_obj
from fit3dmm.export.picture import write_png
from fit3dmm.export.preview import preview
from fit3dmm.export.record import save_result
from fit3dmm.export.summary import summary, write_json
from fit3dmm.export.texture import bake_texture
from fit3dmm.fitting.pipeline import torch_threads
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo, read_photo

RECORD, SUMMARY = "fit.h5", "fit.json"
FILES = (
    *(RECORD, SUMMARY, "neutral.obj", "posed.obj", "face.mtl", "face.glb"),
    *("texture.png", "overlay.png", "depth.npy", "face_mask.png"),
)


def export_face(
    result: FitResult,
    photo: Photo | str | Path,
    folder: Path | str,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
) -> dict[str, Any]:
    """Write every file of a result; a folder of an earlier result is replaced.

    Args:
        photo: the one that was fitted.
        folder: where the files shall lie; docs/results.md says what each is.
        model: the one that was fitted; else it is found by its name.
        texture_px: side of the texture.

    Returns:
        What `fit.json` holds.

    Raises:
        InputError: the photo or the model can't be read, or the folder can't be written to or holds
            other files.
    """
    with whole_folder(Path(folder)) as temporary:
        return write_face(result, photo, temporary, model, texture_px)


def write_face(
    result: FitResult,
    photo: Photo | str | Path,
    folder: Path,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
) -> dict[str, Any]:
    """`export_face` into a folder as it is."""
    photo = photo if isinstance(photo, Photo) else read_photo(photo)
    model = load_model(result.model.name, result.level) if model is None else model
    scene = result.scene
    # More threads gain nothing on arrays of this size, and lose much where they share a core.
    with torch.no_grad(), torch_threads(1):
        texture = bake_texture(model, scene, photo, texture_px, result.observation.points_px)
        write_png(texture, folder / "texture.png")
        png = (folder / "texture.png").read_bytes()
        write_glb(model, scene.coefficients, png, folder / "face.glb")
        write_obj(neutral_mesh(model, scene), folder / "neutral.obj", "face.mtl")
        write_obj(posed_mesh(model, scene), folder / "posed.obj", "face.mtl")
        write_material(folder / "face.mtl", "texture.png")
        depth = depth_map(model, scene)
        write_depth(depth, folder / "depth.npy")
        write_png(depth.face.astype("uint8") * 255, folder / "face_mask.png")
        write_png(preview(result, model, photo), folder / "overlay.png")
        content = summary(result, model, depth)
    write_json(content, folder / SUMMARY)
    save_result(folder / RECORD, result)
    return content


@contextlib.contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a temporary folder beside `target`; on success it becomes `target`, on failure it goes.

    Raises:
        InputError: the place can't be written to, or `target` is there and is no earlier result.
    """
    check_replaceable(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    except OSError as error:
        raise InputError(
            f"Can't write to {target}: {error.strerror or error}; "
            "choose a folder that exists and is writable."
        ) from error
    try:
        made = temporary / target.name
        made.mkdir()
        yield made
        _exchange(made, target, temporary)
    except OSError as error:
        raise InputError(
            f"Can't write to {target}: {error.strerror or error}; "
            "free some space or choose another folder."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_replaceable(target: Path) -> None:
    """Say so before the work is done where the result could not be put in its place.

    Raises:
        InputError: `target` is there and is no earlier result.
    """
    for path in (target, *target.parents):
        if path.is_file():
            raise InputError(f"{path} is a file: choose another folder for the results.")
    # Several faces lie in folders of their own, one level down.
    strange = [
        path.name
        for path in target.rglob("*")
        if not path.is_dir() and not path.name.startswith(".") and path.name not in FILES
    ]
    if strange:
        raise InputError(
            f"{target} holds {strange[0]}, which is no file of a result: choose another folder, "
            "for this one would be replaced."
        )


def _exchange(made: Path, target: Path, temporary: Path) -> None:
    """Put the new folder where the old one was, which goes with the temporary one."""
    old = temporary / "old"
    if target.exists():
        target.rename(old)
    try:
        made.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
