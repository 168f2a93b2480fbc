"""Faces out of photos and what another system made of them."""

from pathlib import Path
from typing import Any

from fit3dmm.face.face import Face
from fit3dmm.face.fit import face_of
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import ModelLike, as_prepared
from fit3dmm.fitting.presets import preset
from fit3dmm.model.morphable import Coefficients
from fit3dmm.observe.choice import FaceChoice
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.photo import Photo, as_photo
from fit3dmm.refining.read import own_start, read_start
from fit3dmm.refining.refine import refine_observation
from fit3dmm.refining.start import Start
from fit3dmm.scene import Scene


def refine(
    coefficients: str | Path | Start | Scene | Coefficients,
    photo: Photo | str | Path | Any,
    model: ModelLike = "commons",
    config: FitConfig | str = "default",
    face: FaceChoice = "only",
    detector: FaceDetector | None = None,
    basis: str | Path | None = None,
) -> Face:
    """Fit the face in a photo from given coefficients, or keep them where that is no better.

    `refinement` of the result says which, and by what.

    Args:
        coefficients: a file that `fit3dmm refine` reads (docs/refine.md), a scene in the photo, or
            coefficients of the model.
        photo: a file, a `Photo`, or an array `(height, width, 3)` of sRGB.
        model: whose coefficients they are: a name, a file, a model, or what `prepare` made of one.
        config: settings, or the name of a preset.
        face: which one, where there are several: `largest` or a number, 1 being the largest.
        detector: an open one, for several photos.
        basis: 3DDFA_V2's `bfm_noneck_v3.pkl`, for its numbers.

    Raises:
        InputError: the coefficients, the photo, the model or the settings can't be used.
    """
    config = preset(config) if isinstance(config, str) else config
    photo = as_photo(photo)
    prepared = as_prepared(model, config)
    on_cpu = prepared.model.to("cpu")
    if isinstance(coefficients, Scene):
        start = own_start(coefficients)
    elif isinstance(coefficients, Coefficients):
        start = Start(f"coefficients of {on_cpu.info.name}", coefficients)
    elif isinstance(coefficients, Start):
        start = coefficients
    else:
        start = read_start(Path(coefficients), on_cpu, None if basis is None else Path(basis))
    seen = look(photo, prepared, config, face, detector)
    if len(seen) != 1:
        raise ValueError("refine() is for one face: say which.")
    result = refine_observation(seen[0], prepared, start, config)
    return face_of(result.to("cpu"), on_cpu, photo)
