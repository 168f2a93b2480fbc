"""One picture that shows a whole model: its mean, modes, expressions, colours and people."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from fit3dmm._errors import InputError
from fit3dmm._files import atomic_path
from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import Coefficients, MorphableModel
from fit3dmm.render.synthesise import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

COLUMNS = 8
_MADE_BY = ("Software", "fit3dmm")
# How much is shown, and how it is drawn: nothing is measured on it.
_MAX_BLENDSHAPES = 16
_PEOPLE_ROWS = 3
_OVERSAMPLING = 2
_DISTANCE_MM = 900.0
_BACKGROUND_LINEAR = (0.85, 0.85, 0.85)
_LETTERS = (70, 70, 70)
_SHOWN_FIRST = (
    *("jawOpen", "mouthSmileLeft", "mouthSmileRight", "mouthPucker", "mouthFunnel"),
    *("mouthFrownLeft", "cheekPuff", "browInnerUp", "browDownLeft", "browOuterUpRight"),
    *("eyeBlinkLeft", "eyeWideRight", "eyeLookInLeft", "noseSneerLeft", "jawLeft"),
    "mouthRollLower",
)


@dataclass(frozen=True)
class Tile:
    """One face of the sheet."""

    label: str
    coefficients: Coefficients
    yaw_deg: float = 0.0


def contact_sheet(
    model: MorphableModel, seed: int = 0, tile_px: int = 160
) -> UInt8[np.ndarray, "height width 3"]:
    """Draw the sheet as sRGB.

    Args:
        seed: of the random people.
        tile_px: width of a face; the sheet is eight wide.
    """
    rows = list(_rows(model, torch.Generator().manual_seed(seed)))
    camera, height_px = _camera(model, tile_px)
    caption_px = max(tile_px // 9, 12)
    font = ImageFont.load_default(size=caption_px * 0.75)
    step = height_px + caption_px
    sheet = Image.new("RGB", (COLUMNS * tile_px, len(rows) * step), "white")
    draw = ImageDraw.Draw(sheet)
    for top, row in zip(range(0, len(rows) * step, step), rows, strict=True):
        for k, picture in enumerate(_pictures(model, row, camera)):
            tile, left = row[k], k * tile_px
            sheet.paste(Image.fromarray(picture), (left, top))
            place = (left + tile_px / 2, top + height_px + caption_px / 2)
            draw.text(place, tile.label, fill=_LETTERS, font=font, anchor="mm")
    return np.asarray(sheet)


def write_sheet(sheet: UInt8[np.ndarray, "height width 3"], path: Path) -> None:
    """Write the sheet as PNG.

    Raises:
        InputError: the folder can't be written to.
    """
    note = PngInfo()
    note.add_text(*_MADE_BY)
    with atomic_path(Path(path)) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG", pnginfo=note)


def unnamed_sheet(name: str) -> Path:
    """Where a sheet goes whose file the user has not named: `name.png` in this folder.

    Raises:
        InputError: there is such a file, and `write_sheet` didn't write it: it may be a photo.
    """
    path = Path(f"{name}.png")
    if os.path.lexists(path) and not _is_sheet(path):
        raise InputError(f"{path} is there already: say where to write the picture with --output.")
    return path


def _is_sheet(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get(_MADE_BY[0]) == _MADE_BY[1]
    except (OSError, SyntaxError, ValueError):
        return False


def _rows(model: MorphableModel, generator: torch.Generator) -> Iterator[list[Tile]]:
    mean = model.zeros()
    turns = (-90.0, -60.0, -30.0, 0.0, 30.0, 60.0, 90.0, 180.0)
    yield [Tile(f"mean, {turn:+.0f} deg", mean, turn) for turn in turns]
    for kind, name, sigmas in (
        ("identity", "mode", 2.0),
        ("detail", "detail", 2.0),
        ("albedo", "albedo", 2.0),
    ):
        values = getattr(mean, kind)
        for sign in (sigmas, -sigmas):
            row = []
            for k in range(min(COLUMNS, len(values))):
                moved = mean.replace(**{kind: _one(values, k, sign)})
                row.append(Tile(f"{name} {k + 1}, {sign:+.0f} sigma", moved, _turn_for(kind)))
            if row:
                yield row
    blendshapes = [
        Tile(model.expression_names[k], mean.replace(expression=_one(mean.expression, k, value)))
        for k, value in _blendshapes(model)
    ]
    for first in range(0, len(blendshapes), COLUMNS):
        yield blendshapes[first : first + COLUMNS]
    people = model.sample(_PEOPLE_ROWS, COLUMNS, generator=generator)
    for r in range(_PEOPLE_ROWS):
        yield [
            Tile(
                f"person {r * COLUMNS + c + 1}",
                people.map(lambda v, r=r, c=c: v[r, c]),
                -20.0 * (r % 2),
            )
            for c in range(COLUMNS)
        ]


def _turn_for(kind: str) -> float:
    # Shape is judged best a little from the side, colour from the front.
    return 0.0 if kind == "albedo" else 25.0


def _one(values: Float[Tensor, "k"], index: int, value: float) -> Float[Tensor, "k"]:
    moved = torch.zeros_like(values)
    moved[index] = value
    return moved


def _blendshapes(model: MorphableModel) -> list[tuple[int, float]]:
    """Which to show and how far: the well-known ones in full, else the first by 2 sigma."""
    names = model.expression_names
    known = [names.index(name) for name in _SHOWN_FIRST if name in names]
    rest = [k for k in range(len(names)) if k not in known]
    chosen = (known + rest)[:_MAX_BLENDSHAPES]
    high = model.expression_bounds[:, 1]
    return [
        (k, float(high[k]) if torch.isfinite(high[k]) else 2 * float(model.expression_sigma[k]))
        for k in chosen
    ]


def _camera(model: MorphableModel, tile_px: int) -> tuple[Camera, int]:
    """A long lens that the whole mean head fits in; and the height of a tile."""
    points = model.shape_mm(model.zeros())
    low, high = points.min(dim=0).values, points.max(dim=0).values
    # Turned heads sweep their depth, so the half width is the larger of both.
    half_mm = 1.08 * max(float(high[0]), float(high[2]), float(high[1] - low[1]) / 2 / 1.25)
    height_px = round(1.25 * tile_px)
    scale = _OVERSAMPLING * tile_px / 2 / half_mm
    middle_mm = float(high[1] + low[1]) / 2
    size = (_OVERSAMPLING * tile_px, _OVERSAMPLING * height_px)
    centre = torch.tensor([size[0] / 2, size[1] / 2 + scale * middle_mm])
    return Camera(torch.tensor(scale * _DISTANCE_MM), centre, *size), height_px


def _pictures(
    model: MorphableModel, row: list[Tile], camera: Camera
) -> UInt8[np.ndarray, "tiles h w 3"]:
    turn = torch.tensor([[0.0, float(np.radians(tile.yaw_deg)), 0.0] for tile in row])
    place = Pose.facing(_DISTANCE_MM).translation_mm.expand(len(row), 3)
    pose = Pose(turn, place)
    light = Lighting.ambient_white(0.45) + Lighting.directional((-0.5, 0.6, 0.9), (0.75,) * 3)
    scene = Scene(_stacked([tile.coefficients for tile in row]), pose, camera, light)
    background = torch.tensor(_BACKGROUND_LINEAR)
    with torch.no_grad():
        rendered = synthesise(model, scene, background_linear=background).rgb_linear
    tiles, height, width, _ = rendered.shape
    k = _OVERSAMPLING
    averaged = rendered.reshape(tiles, height // k, k, width // k, k, 3).mean(dim=(2, 4))
    return (linear_to_srgb(averaged.clamp(0, 1)) * 255).round().to(torch.uint8).numpy()


def _stacked(faces: list[Coefficients]) -> Coefficients:
    return Coefficients(
        torch.stack([face.identity for face in faces]),
        torch.stack([face.detail for face in faces]),
        torch.stack([face.expression for face in faces]),
        torch.stack([face.albedo for face in faces]),
        torch.stack([face.joints_rad for face in faces]),
    )
