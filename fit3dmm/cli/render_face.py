"""`fit3dmm render` of a folder of results: the textured head, by itself or over its photo."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fit3dmm._errors import InputError
from fit3dmm.cli.console import say
from fit3dmm.export.contact_sheet import unnamed_sheet, write_sheet
from fit3dmm.face.fit import load_face

if TYPE_CHECKING:
    from fit3dmm.cli.render import Render

_SIZE_PX = 512


def render_face(command: "Render") -> None:
    """Draw what the command asks for.

    Raises:
        InputError: the folder holds no result, or something that was asked for can't be drawn.
    """
    folder = Path(command.source)
    face = load_face(folder, command.photo)
    if command.expression:
        face = face.with_expression("shown", **command.expression)
    if command.light is not None:
        face = face.relit(command.light)
    output = command.output or unnamed_sheet(folder.resolve().name)
    red, green, blue = (round(255 * part) for part in command.background)
    background = f"rgb({red}, {green}, {blue})"
    size_px = _side(command.size_px)
    if output.suffix.lower() in (".gif", ".mp4"):
        if command.photo is not None:
            raise InputError("A turntable is of the head alone: leave out --photo, or name a .png.")
        face.turntable(output, size_px, background=background, pitch_deg=command.pitch_deg)
    else:
        picture = face.render(
            size_px,
            yaw_deg=command.yaw_deg,
            pitch_deg=command.pitch_deg,
            roll_deg=command.roll_deg,
            over_photo=command.photo is not None,
            background=background,
        )
        write_sheet(np.asarray(picture), output)
    say(f"{output}: {face.observation.name}, {face.model.name}")


def _side(size_px: tuple[int, int] | None) -> int:
    if size_px is None:
        return _SIZE_PX
    if size_px[0] != size_px[1]:
        raise InputError(
            f"The picture of a result's folder is square, got {size_px[0]} x {size_px[1]}: give "
            "its fit.h5 for the photo's own view, or two equal sizes."
        )
    return size_px[0]
