"""`fit3dmm render`: a picture of a saved scene or fit, or of a model with given coefficients."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm.cli.console import say
from fit3dmm.cli.saved_scene import saved_scene
from fit3dmm.colour import linear_to_srgb, srgb_to_linear
from fit3dmm.export.contact_sheet import unnamed_sheet, write_sheet
from fit3dmm.export.folder import RECORD
from fit3dmm.face.expression import with_units
from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.rotation import rotation_from_angles, rotation_vector
from fit3dmm.model.files import load_model
from fit3dmm.model.library import SHIPPED
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.render.lights import named_lights
from fit3dmm.render.synthesise import Rendering, synthesise
from fit3dmm.scene import Pose, Scene


def _depth(rendering: Rendering) -> Tensor:
    """Grey, the nearest point white and the furthest a fifth of it."""
    depth = rendering.depth_mm
    seen = depth > 0
    if not bool(seen.any()):
        return depth
    near, far = depth[seen].min(), depth[seen].max()
    return torch.where(seen, 1 - 0.8 * (depth - near) / (far - near).clamp_min(1e-6), 0.0)


_PICTURES: dict[str, Callable[[Rendering], Tensor]] = {
    "colour": lambda r: linear_to_srgb(r.rgb_linear.clamp(0, 1)),
    "albedo": lambda r: linear_to_srgb(r.albedo_linear.clamp(0, 1)),
    "normals": lambda r: r.normals_cam * 0.5 + 0.5,
    "depth": _depth,
    "coverage": lambda r: r.coverage,
}


@dataclass(frozen=True)
class Render:
    """Draw a saved scene or fit, or a model with given coefficients, as a PNG.

    What is not given is taken from the scene; a fit's has the size of its photo. For a model it is
    the mean face, frontal, at 600 mm, in studio light. The folder of a result gives its textured
    head, frontal and square: as a PNG, or turning if the output is called .gif or .mp4.
    """

    source: Annotated[str, tyro.conf.Positional] = SHIPPED
    """The folder of a result, a saved scene, the fit.h5 of a fit, or a model's name or file."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """The picture; by default the source's name with .png, in this folder."""
    show: Literal["colour", "albedo", "normals", "depth", "coverage"] = "colour"
    """What the picture shows. Normals are x, y, z in red, green, blue; near is bright."""
    size_px: tuple[int, int] | None = None
    """Width and height. A scene's camera is scaled to them; a model gets 512 x 512."""
    yaw_deg: float | None = None
    """Turn to the subject's own left."""
    pitch_deg: float | None = None
    """Turn down, chin to chest."""
    roll_deg: float | None = None
    """Tilt, counter-clockwise in the picture."""
    light: Literal["ambient", "studio", "side", "above", "coloured"] | None = None
    """Take this light instead."""
    identity: tuple[float, ...] = ()
    """First coefficients of the head's shape, in sigmas."""
    albedo: tuple[float, ...] = ()
    """First coefficients of the skin's colour, in sigmas."""
    expression: dict[str, float] | None = None
    """Names and activations, such as `--expression jawOpen 0.6 mouthSmileLeft 0.4`."""
    person: int | None = None
    """Seed of a person drawn from the model."""
    background: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """sRGB colour behind the head, 0..1."""
    photo: Path | None = None
    """Lay the face of a result's folder over this photo, the one that was fitted."""

    def run(self) -> None:
        folder = Path(self.source)
        if folder.is_dir() and self.show == "colour" and not self._is_somebody_else:
            from fit3dmm.cli.render_face import render_face

            render_face(self)
            return
        if self.photo is not None:
            raise InputError("--photo goes with the folder of a result, whose texture it needs.")
        model, scene = self._model_and_scene()
        behind = srgb_to_linear(torch.tensor(self.background))
        rendering = synthesise(model, scene, background_linear=behind)
        picture = _PICTURES[self.show](rendering)
        if picture.dim() == 2:
            picture = picture[..., None].expand(-1, -1, 3)
        output = self.output or unnamed_sheet(Path(self.source).stem)
        write_sheet((picture * 255).round().clamp(0, 255).byte().numpy().astype(np.uint8), output)
        say(f"{output}: {picture.shape[1]} x {picture.shape[0]} px, {model.info.name}")

    @property
    def _is_somebody_else(self) -> bool:
        """Another person's coefficients are asked for, whom the texture doesn't fit."""
        return bool(self.identity or self.albedo or self.person is not None)

    def _model_and_scene(self) -> tuple[MorphableModel, Scene]:
        path = Path(self.source)
        saved = saved_scene(path / RECORD if path.is_dir() else path)
        if saved is not None:
            model, scene = saved
        else:
            model = load_model(self.source)
            scene = Scene.portrait(model.zeros(), *(self.size_px or (512, 512)))
            scene = scene.replace(lighting=named_lights()["studio"])
        scene = scene.replace(
            coefficients=self._coefficients(model, scene.coefficients),
            pose=self._pose(scene.pose),
            camera=_resized(scene.camera, self.size_px),
        )
        if self.light is not None:
            scene = scene.replace(lighting=named_lights()[self.light])
        return model, scene

    def _coefficients(self, model: MorphableModel, start: Coefficients) -> Coefficients:
        if self.person is not None:
            start = model.sample(generator=torch.Generator().manual_seed(self.person))
        return start.replace(
            identity=_with_first("identity", start.identity, self.identity, model.n_identity),
            albedo=_with_first("albedo", start.albedo, self.albedo, model.n_albedo),
            expression=self._expression(model, start.expression),
        )

    def _expression(self, model: MorphableModel, start: Tensor) -> Tensor:
        if not self.expression:
            return start
        return with_units(model, start, self.expression)

    def _pose(self, start: Pose) -> Pose:
        given = (self.pitch_deg, self.yaw_deg, self.roll_deg)
        if given == (None, None, None):
            return start
        rotation = torch.from_numpy(rotation_from_angles(*(angle or 0.0 for angle in given)))
        return start.replace(rotation_rad=rotation_vector(rotation).to(start.rotation_rad))


def _with_first(kind: str, start: Tensor, given: tuple[float, ...], n: int) -> Tensor:
    if len(given) > n:
        raise InputError(
            f"The model has {n} {kind} coefficients, got {len(given)}: give at most as many."
        )
    values = torch.nn.functional.pad(start, (0, n - len(start)))
    values[: len(given)] = torch.tensor(given)
    return values


def _resized(camera: Camera, size_px: tuple[int, int] | None) -> Camera:
    """The same view with other pixels; what doesn't fit its proportions is added or cut evenly."""
    if size_px is None or size_px == (camera.width_px, camera.height_px):
        return camera
    width, height = size_px
    scale = min(width / camera.width_px, height / camera.height_px)
    middle = torch.tensor([camera.width_px / 2, camera.height_px / 2])
    centre = (camera.principal_point_px - middle) * scale + torch.tensor([width / 2, height / 2])
    return Camera(camera.focal_px * scale, centre, width, height)


COMMAND = Render
