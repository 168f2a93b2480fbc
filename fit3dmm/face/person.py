"""One person out of several photos."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8

from fit3dmm._threads import torch_threads
from fit3dmm.export.glb import write_glb
from fit3dmm.export.person import export_person, person_at_rest, shown_by
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.texture import Baked, bake
from fit3dmm.face.face import Face
from fit3dmm.face.fit import TEXTURE_PX, face_of
from fit3dmm.face.skin import Skin, baked_by
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.look import look
from fit3dmm.fitting.pipeline import ModelLike, as_prepared
from fit3dmm.fitting.presets import preset
from fit3dmm.fitting.several import SeveralFit, Together, fit_together
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.choice import FaceChoice
from fit3dmm.observe.detect import FaceDetector
from fit3dmm.observe.photo import Photo, as_photo


@dataclass(frozen=True, kw_only=True, repr=False)
class Person(SeveralFit):
    """A person by several photos. Arrays are NumPy's."""

    morphable: MorphableModel
    """The model that was fitted."""
    photos: tuple[Photo, ...]
    """Those that were fitted."""
    skin: Skin
    """Baked of all photos that count."""

    def __repr__(self) -> str:
        """One line."""
        counting = len(self.fits) - len(self.outliers)
        return f"<Person by {counting} of {len(self.fits)} photos, model {self.fits[0].model.name}>"

    @property
    def faces(self) -> tuple[Face, ...]:
        """The face in each photo, to be drawn, edited and written: those that count wear the
        texture of all, a stranger their own."""
        found = []
        for k, (result, photo) in enumerate(zip(self.fits, self.photos, strict=True)):
            face = face_of(result, self.morphable, photo)
            found.append(face if k in self.outliers else face.replace(skin=self.skin))
        return tuple(found)

    @property
    def face(self) -> Face:
        """The person at rest, in the photo that tells most."""
        best = max(range(len(self.fits)), key=lambda k: self.information_share[k])
        return self.faces[best].with_expression("neutral")

    @property
    def neutral_vertices_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """The person at rest, in the `model` frame."""
        return self.morphable.shape_mm(self.identity).detach().numpy()

    @property
    def texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """Base colour by all photos that count, without their light; row 0 at v = 1."""
        return self.skin.srgb

    def to_glb(self, path: str | Path, compact: bool = False) -> Path:
        """Write the avatar at rest, as `face.glb` is.

        Args:
            path: of the file.
            compact: see `Face.to_glb`.

        Raises:
            InputError: the folder can't be written to.
        """
        with torch.no_grad():
            png = png_bytes(self.texture)
            rest = person_at_rest(self, self.morphable)
            person = self.identity.neutral().replace(expression=rest)
            hair_shape = self.skin.hair_shape
            write_glb(
                self.morphable,
                person,
                png,
                Path(path),
                compact=compact,
                rest=rest,
                hair_shape=hair_shape,
            )
        return Path(path)

    def export(self, folder: str | Path) -> Path:
        """Write every file, as `fit3dmm fit --same-person` does.

        Raises:
            InputError: the folder can't be used.
        """
        export_person(self, self.photos, folder, self.morphable)
        return Path(folder)


def fit_photos(
    photos: Sequence[Photo | str | Path | Any],
    model: ModelLike = "commons",
    config: FitConfig | str = "default",
    face: FaceChoice = "only",
    same_camera: bool = False,
    detector: FaceDetector | None = None,
) -> Person:
    """Fit one person in several photos.

    Args:
        photos: 2 to 50, each a file, a `Photo`, or an array `(height, width, 3)` of sRGB.
        model: a name, a file, a model, or what `prepare` made of one.
        config: settings, or the name of a preset.
        face: which one in each photo, where there are several: `largest` or a number.
        same_camera: whether photos of one size share a focal length.
        detector: an open one.

    Raises:
        InputError: a photo, the model or the settings can't be used. A photo that does not fit the
            others is no error: see `Person.outliers`.
    """
    config = preset(config) if isinstance(config, str) else config
    read = tuple(as_photo(photo) for photo in photos)
    prepared = as_prepared(model, config)
    with torch_threads(config.threads):
        seen = [look(photo, prepared, config, face, detector)[0] for photo in read]
    several = fit_together(prepared, seen, config, Together(same_camera=same_camera)).to("cpu")
    on_cpu = prepared.model.to("cpu")

    def make() -> Baked:
        with torch.no_grad(), torch_threads(1):
            return bake(on_cpu, shown_by(several, read), TEXTURE_PX)

    known = {one.name: getattr(several, one.name) for one in fields(SeveralFit)}
    return Person(**known, morphable=on_cpu, photos=read, skin=baked_by(make))
