"""What `fit3dmm.fit` gives: a fit with its model and photo at hand.

A face is a `FitResult`, so whatever takes one takes a face. What is shown of it may be edited; what
was fitted stays, and with it the quality, the uncertainty and the texture, which are of the fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast, get_args

import torch
from PIL import Image

from fit3dmm._errors import InputError
from fit3dmm.export.folder import AvatarHair, export_face
from fit3dmm.export.glb import write_glb
from fit3dmm.export.normal_map import RELIEF_FROM_PX, relief_png
from fit3dmm.export.picture import png_bytes
from fit3dmm.face.expression import with_units
from fit3dmm.face.make_up import parse_colour
from fit3dmm.face.notebook import notebook_html
from fit3dmm.face.pictures import alone, check_size, in_its_photo
from fit3dmm.face.shown import ShownFace
from fit3dmm.face.turntable import N_FRAMES, check_turntable, write_turntable
from fit3dmm.observe.photo import Photo
from fit3dmm.render.lights import named_lights
from fit3dmm.scene import Lighting

_BACKGROUND = "#ececec"


@dataclass(frozen=True, kw_only=True, repr=False)
class Face(ShownFace):
    """A fitted face. Its arrays are NumPy's, its pictures Pillow's; edits give a new face."""

    photo: Photo | None
    """The one that was fitted; None for a face out of a folder, where none was given."""

    # --- edits ---

    def with_expression(self, start: str = "shown", /, **units: int | float) -> "Face":
        """With some blendshapes set, such as `jawOpen=0.4`; the others stay.

        Args:
            start: what is changed: the expression that is `shown`, the `fitted` one, or `neutral`,
                which is the face at rest (`export.resting`).
            units: names and activations.

        Raises:
            InputError: the model has no such blendshape.
        """
        starts = {"shown": self.shown, "fitted": self.scene, "neutral": self.scene}
        if start not in starts:
            raise InputError(f"An expression starts from {', '.join(starts)}, got {start!r}.")
        before = starts[start].coefficients
        if start == "neutral":
            before = before.neutral().replace(expression=self._rest())
        after = with_units(self.morphable, before.expression, units)
        coefficients = self.shown.coefficients.replace(expression=after)
        return self.replace(shown=self.shown.replace(coefficients=coefficients))

    def relit(self, light: str | Lighting = "studio") -> "Face":
        """In another light: `ambient`, `studio`, `side`, `above`, `coloured`, or one of yours.

        Raises:
            InputError: there is no light of this name.
        """
        return self.replace(shown=self.shown.replace(lighting=_lighting(light)))

    def with_make_up(
        self,
        lips: str | None = None,
        cheeks: str | None = None,
        lids: str | None = None,
        strength: int | float = 0.6,
    ) -> "Face":
        """With colours on it, as CSS writes them: `with_make_up(lips="crimson", lids="#5060a0")`.

        Args:
            lips: their colour; what is left out stays bare.
            cheeks: theirs.
            lids: that of the eyes' upper lids.
            strength: 0 for none, 1 for paint.

        Raises:
            InputError: one is no colour.
        """
        if not 0 <= strength <= 1:
            raise InputError(f"The strength of make-up must be 0 to 1, got {strength}.")
        given = {"lips": lips, "cheeks": cheeks, "lids": lids}
        colours = {place: parse_colour(text) for place, text in given.items() if text is not None}
        return self.replace(colours=colours, make_up_strength=strength)

    def with_hair(self, hair: str) -> "Face":
        """With hair that stands off the head and hangs beside it as the photo shows it (`volume`,
        where it shows it well enough), or that is painted on the scalp (`flat`). Of pictures and
        avatars alone: what is measured (`vertices_mm`, `mesh()`) is the head without.

        Raises:
            InputError: it is neither.
        """
        if hair not in get_args(AvatarHair):
            raise InputError(f"Hair has {' or '.join(get_args(AvatarHair))}, got {hair!r}.")
        return self.replace(hair=cast(AvatarHair, hair))

    # --- pictures ---

    def render(
        self,
        size_px: int = 512,
        yaw_deg: int | float | None = None,
        pitch_deg: int | float | None = None,
        roll_deg: int | float | None = None,
        light: str | Lighting | None = None,
        expression: Mapping[str, int | float] | str | None = None,
        textured: bool = True,
        over_photo: bool = False,
        background: str = _BACKGROUND,
    ) -> Image.Image:
        """A picture of the head: by itself and frontal, or in the photo.

        Args:
            size_px: side of the picture; in the photo that of its longer side.
            yaw_deg: turn to the subject's own left.
            pitch_deg: turn down, chin to chest.
            roll_deg: tilt, counter-clockwise in the picture.
            light: as for `relit`; else the photo's own.
            expression: blendshapes that are set, as by `with_expression`; or `fitted` or `neutral`.
            textured: else it is grey clay, which shows the shape that was fitted, without hair.
            over_photo: lay the face over the photo, or, if it is turned, the whole head.
            background: a colour as CSS writes it.

        Raises:
            InputError: there is no photo, no such light, blendshape or colour.
        """
        check_size(size_px)
        if isinstance(expression, str):
            face = self.with_expression(expression)
        else:
            face = self.with_expression("shown", **expression) if expression else self
        face = face if light is None else face.relit(light)
        texture = face.worn_texture if textured else None
        given = (pitch_deg, yaw_deg, roll_deg)
        angles = (float(pitch_deg or 0), float(yaw_deg or 0), float(roll_deg or 0))
        with torch.no_grad():
            hair_shape = face._hair_shape() if textured else None
            if not over_photo:
                how = (size_px, angles, background, hair_shape)
                return alone(self.morphable, face.shown, texture, *how)
            as_fitted = given == (None, None, None)
            how = (self._photo(), size_px, None if as_fitted else angles, hair_shape)
            return in_its_photo(self.morphable, face.shown, texture, *how)

    def turntable(
        self, path: str | Path, size_px: int = 320, n_frames: int | None = None, **how: Any
    ) -> Path:
        """Write the head from all around: `.gif` and `.mp4` turn, `.png` is a sheet of views.

        Args:
            path: of the file.
            size_px: side of a view.
            n_frames: views; by default 36 of a GIF, 96 of an MP4 and 8 of a PNG. A round takes four
                seconds.
            how: what `render` takes besides.

        Raises:
            InputError: the name ends otherwise, a video is asked for without PyAV, or the folder
                can't be written to.
        """
        path = Path(path)
        check_turntable(path)
        n = N_FRAMES[path.suffix.lower()] if n_frames is None else n_frames
        if n < 1:
            raise InputError(f"A turntable needs one view at least, got {n}.")
        views = [self.render(size_px, yaw_deg=360.0 * k / n, **how) for k in range(n)]
        write_turntable(views, path)
        return path

    # --- files ---

    def to_glb(self, path: str | Path, compact: bool = False) -> Path:
        """Write the avatar (metres, textured, with blendshapes), as `face.glb` is, with the
        expression that is shown and the make-up.

        Args:
            path: of the file.
            compact: less than half the bytes, for readers that know two extensions of glTF
                (docs/avatar.md).

        Raises:
            InputError: the folder can't be written to.
        """
        with torch.no_grad():
            fine = self.quality.face_px >= RELIEF_FROM_PX
            person = (self.morphable, self.shown.coefficients)
            relief = relief_png(self.skin.srgb, *person) if fine else None
            how = (Path(path), relief, None, compact, self._rest(), self._hair_shape())
            write_glb(*person, png_bytes(self.texture), *how)
        return Path(path)

    def export(self, folder: str | Path) -> Path:
        """Write every file of the fit, as `fit3dmm fit` does; edits have no part in it.

        Raises:
            InputError: there is no photo, or the folder can't be used.
        """
        export_face(self, self._photo(), folder, self.morphable)
        return Path(folder)

    # --- to be looked at ---

    def _repr_html_(self) -> str:
        """The photo and the face in it, or the face alone, for notebooks."""
        with torch.no_grad():
            return notebook_html(self)

    def _photo(self) -> Photo:
        if self.photo is None:
            raise InputError(
                "This face came without its photo: load it as "
                'fit3dmm.load_face(folder, photo="portrait.jpg").'
            )
        return self.photo


def _lighting(light: str | Lighting) -> Lighting:
    if isinstance(light, Lighting):
        return light
    known = named_lights()
    if light not in known:
        raise InputError(f"There is no light {light!r}: choose of {', '.join(known)}.")
    return known[light]
