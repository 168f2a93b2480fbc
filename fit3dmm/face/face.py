"""What `fit3dmm.fit` gives: a fit with its model and photo at hand.

A face is a `FitResult`, so whatever takes one takes a face. What is shown of it may be edited; what
was fitted stays, and with it the quality, the uncertainty and the texture, which are of the fit.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.export.depth import depth_map
from fit3dmm.export.driven import blended, share_driven
from fit3dmm.export.folder import AvatarHair, export_face
from fit3dmm.export.glb import write_glb
from fit3dmm.export.normal_map import RELIEF_FROM_PX, relief_png
from fit3dmm.export.picture import png_bytes
from fit3dmm.export.resting import resting
from fit3dmm.export.sigma import vertex_sigma
from fit3dmm.face.expression import with_units
from fit3dmm.face.make_up import made_up, parse_colour
from fit3dmm.face.notebook import notebook_html
from fit3dmm.face.pictures import alone, check_size, in_its_photo
from fit3dmm.face.skin import Skin
from fit3dmm.face.turntable import N_FRAMES, check_turntable, write_turntable
from fit3dmm.fitting.result import FitResult
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo
from fit3dmm.render.lights import named_lights
from fit3dmm.scene import Lighting, Scene

if TYPE_CHECKING:
    import trimesh

_LANDMARKS = "ibug68"
_BACKGROUND = "#ececec"


@dataclass(frozen=True, kw_only=True, repr=False)
class Face(FitResult):
    """A fitted face. Its arrays are NumPy's, its pictures Pillow's; edits give a new face."""

    morphable: MorphableModel
    """The model that was fitted."""
    photo: Photo | None
    """The one that was fitted; None for a face out of a folder, where none was given."""
    skin: Skin
    shown: Scene
    """The fitted scene with the edits of expression and light."""
    colours: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Make-up: sRGB by place."""
    make_up_strength: int | float = 0.6
    hair: AvatarHair = "volume"
    """How the avatar's hair is shown; see `with_hair`."""

    # --- shape ---

    @property
    def vertices_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """With the expression that is shown, in the `model` frame: x to the subject's left, y up,
        z out of the face. `triangles` says how they hang together."""
        return _array(self.morphable.shape_mm(self.shown.coefficients))

    @property
    def neutral_vertices_mm(self) -> Float[np.ndarray, "vertices 3"]:
        """The person with all blendshapes at zero, as benchmarks compare faces. What they look like
        at rest is `with_expression("neutral").vertices_mm`."""
        return _array(self.morphable.shape_mm(self.scene.coefficients.neutral()))

    @property
    def sigma_mm(self) -> Float[np.ndarray, "vertices"]:
        """How far each of `neutral_vertices_mm` typically lies from the truth, once a rigid motion
        has laid the face on it: root mean square distance, size of the head included."""
        with torch.no_grad():
            return vertex_sigma(self, self.morphable).sigma_mm

    @property
    def triangles(self) -> np.ndarray:
        """Counter-clockwise seen from outside, (triangles, 3)."""
        return _array(self.morphable.surface.triangles)

    @property
    def landmarks_mm(self) -> Float[np.ndarray, "68 3"]:
        """iBUG's 68 points on `vertices_mm`."""
        return _array(self.morphable.landmarks_mm(_LANDMARKS, self.shown.coefficients))

    @property
    def landmarks_px(self) -> Float[np.ndarray, "68 2"]:
        """The same points in the photo."""
        points = self.morphable.landmarks_mm(_LANDMARKS, self.shown.coefficients)
        return _array(self.shown.camera.project(self.shown.pose.T_cam_model @ points))

    @property
    def depth_mm(self) -> Float[np.ndarray, "height width"]:
        """Distance from the plane of the camera for each pixel of the photo; NaN where the head is
        not."""
        camera = self.shown.camera
        with torch.no_grad():
            found = depth_map(self.morphable, self.shown)
        depth = np.full((camera.height_px, camera.width_px), np.nan, np.float32)
        left, top, right, bottom = found.box_px
        depth[top:bottom, left:right] = found.depth_mm
        return depth

    @property
    def expression(self) -> dict[str, float]:
        """The activation of each blendshape that is shown."""
        values = self.shown.coefficients.expression.tolist()
        return dict(zip(self.morphable.expression_names, values, strict=False))

    def mesh(self) -> "trimesh.Trimesh":
        """The head as trimesh has it, textured; `.export(path)` of it writes what trimesh can.

        Raises:
            InputError: trimesh is not installed.
        """
        from fit3dmm.face.trimesh_door import textured_trimesh

        return textured_trimesh(self.vertices_mm, self.morphable.surface, self.texture)

    # --- colour ---

    @property
    def texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """Base colour on the model's UV map, row 0 at v = 1, without the photo's light. It is made
        once, from the pose and expression that were fitted, and shared by all edits.

        Raises:
            InputError: the face is from a folder without `texture.png`, and no photo was given.
        """
        return self._made_up(self.skin.srgb)

    @property
    def expression_texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """`texture` with the folds that the fitted expression makes, as the photo shows them; or
        without, where the face is from a folder without `expression.png` and no photo was given."""
        return self._made_up(self.skin.folded_srgb)

    @property
    def worn_texture(self) -> UInt8[np.ndarray, "size size 3"]:
        """What `render` draws: `texture` with as much of the folds as there is of the fitted
        expression in the shown one."""
        with torch.no_grad():
            fitted, shown = self.scene.coefficients.expression, self.shown.coefficients.expression
            share = share_driven(self.morphable, shown, fitted, self._rest())
        if share == 0 or self.skin.make_folded is None:
            return self.texture
        return self._made_up(blended(self.skin.srgb, self.skin.folded_srgb, share))

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
        """With hair that stands off the head as the photo shows it (`volume`, where it shows it
        well enough), or that is painted on the scalp (`flat`). Of pictures and avatars alone: what
        is measured (`vertices_mm`, `mesh()`) is the head without.

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
            hair_mm = face._hair_mm() if textured else None
            if not over_photo:
                how = (size_px, angles, background, hair_mm)
                return alone(self.morphable, face.shown, texture, *how)
            as_fitted = given == (None, None, None)
            how = (self._photo(), size_px, None if as_fitted else angles, hair_mm)
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
            how = (Path(path), relief, None, compact, self._rest(), self._hair_mm())
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

    def _made_up(
        self, texture: UInt8[np.ndarray, "size size 3"]
    ) -> UInt8[np.ndarray, "size size 3"]:
        if not self.colours:
            return texture
        with torch.no_grad():
            return made_up(texture, self.morphable, self.colours, self.make_up_strength)

    def _rest(self) -> Float[Tensor, "expression"]:
        with torch.no_grad():
            return resting(self.morphable, self.scene.coefficients)

    def _hair_mm(self) -> Float[Tensor, "vertices"] | None:
        return None if self.hair == "flat" else self.skin.hair_mm

    def _photo(self) -> Photo:
        if self.photo is None:
            raise InputError(
                "This face came without its photo: load it as "
                'fit3dmm.load_face(folder, photo="portrait.jpg").'
            )
        return self.photo


def _array(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy()


def _lighting(light: str | Lighting) -> Lighting:
    if isinstance(light, Lighting):
        return light
    known = named_lights()
    if light not in known:
        raise InputError(f"There is no light {light!r}: choose of {', '.join(known)}.")
    return known[light]
