"""Files of one person in several photos: the person, and each photo's own folder beside them."""

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm._threads import torch_threads
from fit3dmm.export.folder import AvatarExpression, AvatarHair, identity, write_face
from fit3dmm.export.glb import write_glb
from fit3dmm.export.mark import PhotoIdentity, same_in_any_locale
from fit3dmm.export.mesh import neutral_mesh, write_material, write_textured_obj
from fit3dmm.export.outputs import ALL, OUTPUTS
from fit3dmm.export.picture import png_bytes, write_bytes
from fit3dmm.export.resting import resting
from fit3dmm.export.result_folder import whole_folder
from fit3dmm.export.sigma import ARRAY, vertex_sigma, write_sigma
from fit3dmm.export.summary import plain_numbers, write_json
from fit3dmm.export.texture import Shown, TextureSettings, bake
from fit3dmm.fitting.result import FitResult
from fit3dmm.fitting.several import SeveralFit
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.detection import MEDIAPIPE
from fit3dmm.observe.photo import Photo

PERSON = "person.json"
FORMAT, FORMAT_VERSION = "fit3dmm-person", 1


def export_person(
    several: SeveralFit,
    photos: Sequence[Photo],
    folder: Path | str,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
    texture: TextureSettings | None = None,
    expression: AvatarExpression = "neutral",
    hair: AvatarHair = "volume",
) -> dict[str, Any]:
    """Write every file of a person; an earlier result of the same photos is replaced.

    Args:
        several: of `fit_together`.
        photos: those that were fitted, in their order.
        folder: where the files shall lie; docs/results.md says what each is.
        model: the one that was fitted; else it is found by its name.
        texture_px: side of the textures.
        texture: what of the photos they take; the default settings if left out.
        expression: that the avatars of the photos show when they are loaded.
        hair: of all avatars.

    Returns:
        What `person.json` holds.

    Raises:
        InputError: the model can't be read, or the folder can't be written to, or is there and is
            no earlier result of these photos.
    """
    who = set_identity(Path(folder).name, [identity(photo) for photo in photos])
    with whole_folder(Path(folder), who) as temporary:
        places = photo_places([photo.name for photo in photos])
        how = (texture_px, texture, expression)
        return write_person(several, photos, places, temporary, model, *how, hair=hair)


def set_identity(name: str, photos: Sequence[PhotoIdentity]) -> PhotoIdentity:
    """Stands for all photos of a person, whatever their order."""
    digests = "\n".join(sorted(photo.sha256 for photo in photos))
    return PhotoIdentity(
        same_in_any_locale(name), hashlib.sha256(digests.encode("ascii")).hexdigest()
    )


def photo_places(names: Sequence[str]) -> list[str]:
    """A folder's name for each photo; a number comes to what is taken, whatever its case."""
    taken = {file.casefold() for files in OUTPUTS.values() for file in files} | {PERSON}
    places = []
    for name in names:
        place, k = name, 1
        while place.casefold() in taken:
            k += 1
            place = f"{name}-{k}"
        taken.add(place.casefold())
        places.append(place)
    return places


def write_person(
    several: SeveralFit,
    photos: Sequence[Photo],
    places: Sequence[str],
    folder: Path,
    model: MorphableModel | None = None,
    texture_px: int = 1024,
    texture: TextureSettings | None = None,
    expression: AvatarExpression = "neutral",
    write: Collection[str] = ALL,
    compact: bool = False,
    hair: AvatarHair = "volume",
) -> dict[str, Any]:
    """`export_person` into a folder as it is, without a mark.

    Args:
        several: of `fit_together`.
        photos: those that were fitted, in their order.
        places: names of the photos' own folders.
        folder: must be there.
        model: the one that was fitted; else it is found by its name.
        texture_px: side of the textures.
        texture: what of the photos they take; the default settings if left out.
        expression: that the avatars of the photos show when they are loaded.
        write: names of the outputs, of `outputs.OUTPUTS`.
        compact: write the avatars in fewer bytes (`export.glb.face_glb`).
        hair: of all avatars.

    Returns:
        What `person.json` holds, which is always written.
    """
    first = several.fits[0]
    model = load_model(first.model.name, first.level) if model is None else model
    files = {file for name in write for file in OUTPUTS[name]}
    with torch.no_grad(), torch_threads(1):
        if files & {"texture.png", "face.glb"}:
            baked = bake(model, shown_by(several, photos), texture_px, texture)
            png = png_bytes(baked.srgb)
            if "texture.png" in files:
                write_bytes(png, folder / "texture.png")
            if "face.glb" in files:
                rest = person_at_rest(several, model)
                person = several.identity.neutral().replace(expression=rest)
                hair_shape = baked.hair_shape if hair == "volume" else None
                how = (folder / "face.glb", None, None, compact, rest, hair_shape)
                write_glb(model, person, png, *how)
        if "neutral.obj" in files:
            scene = first.scene.replace(coefficients=several.identity)
            write_textured_obj(neutral_mesh(model, scene), folder / "neutral.obj", "face.mtl")
            write_material(folder / "face.mtl", "texture.png")
        if ARRAY in files:
            # All that count know the person equally well.
            counted = (k for k in range(len(several.fits)) if k not in several.outliers)
            fit = several.fits[next(counted)]
            write_sigma(fit, model, folder, vertex_sigma(fit, model))
        contents = []
        for result, photo, place in zip(several.fits, photos, places, strict=True):
            own = folder / place
            own.mkdir()
            how = (texture_px, texture, expression, write, compact, hair)
            contents.append(write_face(result, photo, own, model, *how))
    content = person_summary(several, places, model)
    write_json(content, folder / PERSON)
    return {**content, "fits": contents}


def shown_by(several: SeveralFit, photos: Sequence[Photo]) -> list[Shown]:
    """The photos that count, as textures are made of them."""
    return [
        shown(result, photo)
        for k, (result, photo) in enumerate(zip(several.fits, photos, strict=True))
        if k not in several.outliers
    ]


def person_at_rest(several: SeveralFit, model: MorphableModel) -> Float[Tensor, "expression"]:
    """Activations at rest, by the photos that count."""
    counted = (fit for k, fit in enumerate(several.fits) if k not in several.outliers)
    return resting(model, *(fit.scene.coefficients for fit in counted))


def shown(result: FitResult, photo: Photo) -> Shown:
    """A fitted photo as textures are made of it."""
    seen = result.observation.detections.get(MEDIAPIPE)
    points_px = None if seen is None else seen.points_px
    return Shown(result.scene, photo, points_px, result.observation.predicted)


def person_summary(
    several: SeveralFit, places: Sequence[str], model: MorphableModel
) -> dict[str, Any]:
    """What `person.json` holds; docs/results.md says what each entry means."""
    first = several.fits[0]
    told = zip(
        places, several.fits, several.information_share, several.same_person_log_odds, strict=True
    )
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": {
            "name": first.model.name,
            "version": first.model.version,
            "licence": first.model.licence,
            "level": first.level,
        },
        "preset": first.config.preset,
        "photos": [
            {
                "name": fit.observation.name,
                "folder": place,
                "counts": k not in several.outliers,
                "information_share": share,
                "same_person_log_odds": odds,
                "verdict": fit.quality.verdict,
            }
            for k, (place, fit, share, odds) in enumerate(told)
        ],
        "contradict": several.contradict,
        "remarks": list(several.remarks),
        "identity": plain_numbers(several.identity.identity),
        "detail": plain_numbers(several.identity.detail),
        "albedo": plain_numbers(several.identity.albedo),
        "landmarks_neutral_mm": (
            plain_numbers(model.landmarks_mm("ibug68", several.identity))
            if "ibug68" in model.landmarks
            else None
        ),
        "seconds": several.seconds,
        "versions": dict(first.versions),
    }
