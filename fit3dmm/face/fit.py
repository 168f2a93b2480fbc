"""Faces out of photos, and out of folders of results."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from fit3dmm._errors import InputError
from fit3dmm.export.folder import EXPRESSION, RECORD
from fit3dmm.export.record import load_hair_shape, load_result
from fit3dmm.face.face import Face
from fit3dmm.face.skin import Skin, baked, read_from
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.pipeline import ModelLike, as_prepared, fit_photo
from fit3dmm.fitting.presets import preset
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import FaceChoice
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.photo import Photo, as_photo

TEXTURE = "texture.png"
TEXTURE_PX = 1024


def fit(
    photo: Photo | str | Path | Any,
    model: ModelLike = "commons",
    config: FitConfig | str = "default",
    face: FaceChoice = "only",
    detector: FaceDetector | None = None,
) -> Face:
    """Fit the face in a photo.

    Args:
        photo: a file, a `Photo`, or an array `(height, width, 3)` of sRGB.
        model: a name, a file, a model, or, for several photos, what `prepare` made of one.
        config: settings, or the name of a preset.
        face: which one, where there are several: `largest` or a number, 1 being the largest; or
            where it is: left, top, right and bottom in px.
        detector: an open one, for several photos.

    Raises:
        InputError: the photo, the model or the settings can't be used; a fit that goes wrong is no
            error but a `quality` of the result.
    """
    faces = fit_faces(photo, model, config, face, detector)
    if len(faces) != 1:
        raise ValueError("fit() is for one face: use fit_faces() for all of them.")
    return faces[0]


def fit_faces(
    photo: Photo | str | Path | Any,
    model: ModelLike = "commons",
    config: FitConfig | str = "default",
    face: FaceChoice = "all",
    detector: FaceDetector | None = None,
) -> tuple[Face, ...]:
    """Fit several faces of a photo, the largest first.

    Args:
        photo: as for `fit`.
        model: as for `fit`.
        config: as for `fit`.
        face: as for `fit`; or `all` of them.
        detector: as for `fit`.
    """
    config = preset(config) if isinstance(config, str) else config
    photo = as_photo(photo)
    prepared = as_prepared(model, config)
    results = fit_photo(photo, prepared, config, face, detector)
    on_cpu = prepared.model.to("cpu")
    return tuple(face_of(result.to("cpu"), on_cpu, photo) for result in results)


def face_of(result: FitResult, model: MorphableModel, photo: Photo) -> Face:
    """The face that a fit found, on the processor."""
    return _face(result, model, photo, baked(result, photo, model, TEXTURE_PX))


def load_face(
    place: str | Path,
    photo: Photo | str | Path | None = None,
    model: MorphableModel | str | Path | None = None,
) -> Face:
    """The face of an earlier fit, with the texture that lies beside it.

    Args:
        place: a folder of results, or the `fit.h5` in it.
        photo: the one that was fitted, which is needed to draw over it; without a texture in the
            folder it is made of the photo, too.
        model: the one that was fitted; else it is found by its name.

    Raises:
        InputError: there is no such result, the model is not found, or the photo can't be read.
    """
    place = Path(place)
    record = place / RECORD if place.is_dir() else place
    result = load_result(record)
    if model is None:
        model = load_model(result.model.name, result.level)
    elif not isinstance(model, MorphableModel):
        model = load_model(model, result.level)
    photo = None if photo is None else as_photo(photo)
    texture = record.with_name(TEXTURE)
    folded = record.with_name(EXPRESSION)
    if photo is not None and not texture.is_file():
        return _face(result, model, photo, baked(result, photo, model, TEXTURE_PX))
    hair_shape = load_hair_shape(record)
    skin = read_from(texture, folded if folded.is_file() else None, hair_shape)
    if photo is not None and not folded.is_file():
        skin = Skin(skin.make, _folded_as(skin, result, photo, model), skin.make_hair)
    return _face(result, model, photo, skin)


def _folded_as(
    skin: Skin, result: FitResult, photo: Photo, model: MorphableModel
) -> Callable[[], UInt8[np.ndarray, "size size 3"]]:
    """What bakes the folds of an expression at the size of a texture that is there already."""
    return lambda: baked(result, photo, model, len(skin.srgb)).folded_srgb


def _face(result: FitResult, model: MorphableModel, photo: Photo | None, skin: Skin) -> Face:
    if photo is not None and (photo.width_px, photo.height_px) != (
        result.observation.photo_width_px,
        result.observation.photo_height_px,
    ):
        raise InputError(
            f"The photo has {photo.width_px} x {photo.height_px} px, the fitted one had "
            f"{result.observation.photo_width_px} x {result.observation.photo_height_px}: give the "
            "photo that was fitted."
        )
    known = {one.name: getattr(result, one.name) for one in fields(FitResult)}
    return Face(**known, morphable=model, photo=photo, skin=skin, shown=result.scene)
