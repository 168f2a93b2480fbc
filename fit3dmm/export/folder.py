"""All files of a fitted face in one folder, which appears whole or not at all."""

import hashlib
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import torch

from fit3dmm._threads import torch_threads
from fit3dmm.export.depth import depth_map, write_depth
from fit3dmm.export.glb import face_glb, write_vrm
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.mark import PhotoIdentity, place_digest, same_in_any_locale
from fit3dmm.export.mesh import neutral_mesh, posed_mesh, write_material, write_textured_obj
from fit3dmm.export.normal_map import RELIEF_FROM_PX, relief_png
from fit3dmm.export.outputs import ALL, OUTPUTS
from fit3dmm.export.outputs import FILES as FILES
from fit3dmm.export.picture import png_bytes, write_bytes, write_png
from fit3dmm.export.preview import preview
from fit3dmm.export.record import save_result
from fit3dmm.export.report import write_report
from fit3dmm.export.resting import resting
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.export.sigma import ARRAY, VertexSigma, vertex_sigma, write_sigma
from fit3dmm.export.summary import summary, write_json
from fit3dmm.export.texture import Shown, TextureSettings, bake, bake_texture, with_folds
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.photo import Photo, read_photo

RECORD, SUMMARY, REPORT = "fit.h5", "fit.json", "report.html"
GLB, VRM = "face.glb", "face.vrm"
EXPRESSION = "expression.png"
_TEXTURED = frozenset({"texture.png", EXPRESSION, GLB, VRM, REPORT})
_SURE = frozenset({ARRAY, REPORT, "overlay.png"})
AvatarExpression = Literal["neutral", "fitted"]
"""How an avatar looks when it is loaded: at rest, or as in the photo."""
AvatarHair = Literal["volume", "flat"]
"""Whether its hair stands off as the photo shows it, where that can be told, or is painted on."""


def export_face(
    result: FitResult,
    photo: Photo | str | Path,
    folder: Path | str,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
    texture: TextureSettings | None = None,
    expression: AvatarExpression = "neutral",
    hair: AvatarHair = "volume",
) -> dict[str, Any]:
    """Write every file of a result; an earlier result of the same photo is replaced.

    It is the same photo where name and content are equal: a file that was edited since, or one of
    the same name in another place, is another photo. Files of yours in the folder stay.

    Args:
        result: of a fit.
        photo: the one that was fitted.
        folder: where the files shall lie; docs/results.md says what each is.
        model: the one that was fitted; else it is found by its name.
        texture_px: side of the texture.
        texture: what of the photo it takes; the default settings if left out.
        expression: that the avatar shows when it is loaded.
        hair: of the avatar.

    Returns:
        What `fit.json` holds.

    Raises:
        InputError: the photo or the model can't be read, or the folder can't be written to, or is
            there and is no earlier result of this photo.
    """
    picture = photo if isinstance(photo, Photo) else read_photo(photo)
    place = None if isinstance(photo, Photo) else photo
    with whole_folder(Path(folder), identity(picture, place)) as temporary:
        how = (texture_px, texture, expression)
        return write_face(result, picture, temporary, model, *how, hair=hair)


def identity(photo: Photo, path: Path | str | None = None) -> PhotoIdentity:
    """The photo's identity; `path` is where it was read, if it was."""
    sha256 = photo.sha256
    if not sha256:
        size = f"{photo.width_px} x {photo.height_px} ".encode()
        sha256 = hashlib.sha256(size + photo.pixels_srgb.cpu().numpy().tobytes()).hexdigest()
    return PhotoIdentity(
        same_in_any_locale(photo.name), sha256, "" if path is None else place_digest(Path(path))
    )


def file_identity(path: Path) -> PhotoIdentity:
    """`identity` of a file, without decoding it.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return PhotoIdentity(same_in_any_locale(path.stem), sha256, place_digest(path))


def write_face(
    result: FitResult,
    photo: Photo,
    folder: Path,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
    texture: TextureSettings | None = None,
    expression: AvatarExpression = "neutral",
    write: Collection[str] = ALL,
    compact: bool = False,
    hair: AvatarHair = "volume",
) -> dict[str, Any]:
    """`export_face` into a folder as it is, without a mark.

    Args:
        result: of a fit.
        photo: the one that was fitted.
        folder: must be there.
        model: the one that was fitted; else it is found by its name.
        texture_px: side of the texture.
        texture: what of the photo it takes; the default settings if left out.
        expression: that the avatar shows when it is loaded.
        write: names of the outputs, of `outputs.OUTPUTS`.
        compact: write the avatar in fewer bytes (`export.glb.face_glb`).
        hair: of the avatar.

    Returns:
        What `fit.json` holds, whether it is written or not.
    """
    model = load_model(result.model.name, result.level) if model is None else model
    files = {file for name in write for file in OUTPUTS[name]}
    several_cores = torch.get_num_threads() > 1

    # More threads gain nothing on arrays of this size, and lose much where they share a core.
    with torch.no_grad(), torch_threads(1):
        sure = vertex_sigma(result, model) if files & _SURE else None

        def write_textured() -> HairShape | None:
            if not files & _TEXTURED:
                return None
            return _write_textured(
                *(result, photo, folder, model, texture_px, texture, files, expression, compact),
                *(sure, hair),
            )

        def write_plain() -> dict[str, Any]:
            return _write_plain(result, photo, folder, model, files, sure)

        if not several_cores:
            hair_shape = write_textured()
            content = write_plain()
        else:
            with ThreadPoolExecutor(1) as beside:
                # Whether gradients are kept is each thread's own.
                plain = beside.submit(torch.no_grad()(write_plain))
                hair_shape = write_textured()
                content = plain.result()
        if RECORD in files:
            save_result(folder / RECORD, result, hair_shape)
        return content


def _write_plain(
    result: FitResult,
    photo: Photo,
    folder: Path,
    model: MorphableModel,
    files: set[str],
    sure: VertexSigma | None,
) -> dict[str, Any]:
    """What needs no texture.

    Args:
        result: as for `write_face`, and so are the others.
        photo: the one that was fitted.
        folder: must be there.
        model: the one that was fitted.
        files: names of all files to be written.
        sure: how sure the fit is of each vertex.

    Returns:
        What `fit.json` holds.
    """
    scene = result.scene
    if "neutral.obj" in files:
        write_textured_obj(neutral_mesh(model, scene), folder / "neutral.obj", "face.mtl")
        write_textured_obj(posed_mesh(model, scene), folder / "posed.obj", "face.mtl")
        write_material(folder / "face.mtl", "texture.png")
    depth = depth_map(model, scene)
    if "depth.npy" in files:
        write_depth(depth, folder / "depth.npy")
        write_png(depth.face.astype("uint8") * 255, folder / "face_mask.png")
    if sure is not None and ARRAY in files:
        write_sigma(result, model, folder, sure)
    if "overlay.png" in files:
        write_png(preview(result, model, photo, sure=sure), folder / "overlay.png")
    content = summary(result, model, depth)
    if SUMMARY in files:
        write_json(content, folder / SUMMARY)
    return content


def _write_textured(
    result: FitResult,
    photo: Photo,
    folder: Path,
    model: MorphableModel,
    texture_px: int,
    texture: TextureSettings | None,
    files: set[str],
    expression: AvatarExpression,
    compact: bool,
    sure: VertexSigma | None,
    hair: AvatarHair,
) -> HairShape | None:
    """What shows the texture, which is baked once for all of it.

    Args:
        result: as for `write_face`, and so are the others.
        photo: the one that was fitted.
        folder: must be there.
        model: the one that was fitted.
        texture_px: side of the texture.
        texture: what of the photo it takes.
        files: names of all files to be written.
        expression: that the avatar shows when it is loaded.
        compact: whether the avatar is in fewer bytes.
        sure: how sure the fit is of each vertex, for the report.
        hair: of the avatar.

    Returns:
        Where its hair stands off and hangs; None where it lies flat.
    """
    seen = result.observation.detections.get(MEDIAPIPE)
    points_px = None if seen is None else seen.points_px
    told = result.observation.predicted
    shown_in = [Shown(result.scene, photo, points_px, told)]
    all_baked = bake(model, shown_in, texture_px, texture)
    baked, hair_shape = all_baked.srgb, all_baked.hair_shape if hair == "volume" else None
    png = png_bytes(baked)
    if "texture.png" in files:
        write_bytes(png, folder / "texture.png")
    folded = None
    if EXPRESSION in files:
        how = (texture_px, points_px, with_folds(texture), told)
        folded = bake_texture(model, result.scene, photo, *how)
        write_png(folded, folder / EXPRESSION)
    fitted = result.scene.coefficients
    rest = resting(model, fitted)
    shown = fitted if expression == "fitted" else fitted.neutral().replace(expression=rest)
    if not files & {GLB, REPORT, VRM}:
        return hair_shape
    relief = relief_png(baked, model, fitted) if result.quality.face_px >= RELIEF_FROM_PX else None
    if VRM in files:
        write_vrm(model, shown, png, folder / VRM, relief, rest, hair_shape)
    if not files & {GLB, REPORT}:
        return hair_shape
    glb = face_glb(model, shown, png, relief, compact=compact, rest=rest, hair_shape=hair_shape)
    if GLB in files:
        write_bytes(glb, folder / GLB)
    if REPORT in files:
        how = (sure, rest, folded, hair_shape)
        write_report(result, model, photo, baked, glb, folder / REPORT, *how)
    return hair_shape
