"""The worst cases on one picture: photo, surface coloured by error, or landmarks on the photo."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont, ImageOps

from fit3dmm._files import atomic_path
from fit3dmm.evaluate.protocol import Case, LandmarkPicture, Score, SurfacePicture
from fit3dmm.geometry.triangle_mesh import Mesh, triangle_normals

_TILE_PX = 260
_CAPTION_PX = 44
_COLUMNS = 5
_WORST_MM = 5.0
# Dark blue, green, yellow, red, white: from no error to `_WORST_MM` and above.
_STOPS = np.array([[38, 50, 120], [30, 150, 120], [240, 220, 70], [205, 40, 40], [255, 235, 235]])


def write_contact_sheet(
    path: Path, worst: Sequence[tuple[Case, Score]], number: str, title: str
) -> None:
    """Write the cases, worst first, in rows of five.

    Args:
        path: the PNG.
        worst: cases with scores that have pictures.
        number: which number of each score the caption shows.
        title: heading.

    Raises:
        InputError: the file can't be written.
    """
    tiles = [_tile(case, score, number) for case, score in worst]
    width = max((tile.width for tile in tiles), default=_TILE_PX)
    rows = max(1, -(-len(tiles) // _COLUMNS))
    columns = min(_COLUMNS, max(1, len(tiles)))
    sheet = Image.new("RGB", (columns * width, rows * (_TILE_PX + _CAPTION_PX) + 40), "white")
    draw = ImageDraw.Draw(sheet)
    draw.text((10, 20), title, "#222222", ImageFont.load_default(18), anchor="lm")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, _COLUMNS)
        sheet.paste(tile, (column * width, 40 + row * (_TILE_PX + _CAPTION_PX)))
    with atomic_path(path) as temporary:
        sheet.save(temporary)


def _tile(case: Case, score: Score, number: str) -> Image.Image:
    picture = score.picture
    if isinstance(picture, LandmarkPicture):
        panels = [_landmark_panel(case, picture)]
    elif isinstance(picture, SurfacePicture):
        panels = [*_photo_panel(case), draw_surface(picture, _TILE_PX)]
    else:
        panels = [*_photo_panel(case)]
    tile = Image.new("RGB", (_TILE_PX * max(1, len(panels)), _TILE_PX + _CAPTION_PX), "white")
    for place, panel in enumerate(panels):
        tile.paste(panel, (place * _TILE_PX, 0))
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(13)
    name = case.name if len(case.name) <= 40 else "…" + case.name[-39:]
    draw.text((6, _TILE_PX + 12), name, "#222222", font, anchor="lm")
    draw.text(
        (6, _TILE_PX + 30), f"{number} = {score.numbers[number]:.3f}", "#222222", font, anchor="lm"
    )
    return tile


def _photo_panel(case: Case) -> list[Image.Image]:
    photo = _photo_of(case)
    return [] if photo is None else [ImageOps.pad(photo, (_TILE_PX, _TILE_PX), color="white")]


def _photo_of(case: Case) -> Image.Image | None:
    """The photo, or None where there is none that can be read: scoring does not need it."""
    if case.photo is None:
        return None
    try:
        with Image.open(case.photo) as photo:
            return ImageOps.exif_transpose(photo).convert("RGB")
    except OSError:
        return None


def _landmark_panel(case: Case, picture: LandmarkPicture) -> Image.Image:
    """The face's part of the photo with true points in green and predicted ones in red."""
    low, high = picture.truth_px.min(axis=0), picture.truth_px.max(axis=0)
    centre, half = (low + high) / 2, 0.7 * float((high - low).max()) + 1
    corner = centre - half
    zoom = _TILE_PX / (2 * half)
    panel = Image.new("RGB", (_TILE_PX, _TILE_PX), "#808080")
    photo = _photo_of(case)
    if photo is not None:
        box = (*corner, *(corner + 2 * half))
        panel = photo.transform(
            (_TILE_PX, _TILE_PX), Image.Transform.EXTENT, box, Image.Resampling.BILINEAR
        )
    draw = ImageDraw.Draw(panel)
    for truth, predicted in zip(picture.truth_px, picture.predicted_px, strict=True):
        a, b = (truth - corner) * zoom, (predicted - corner) * zoom
        draw.line([tuple(a), tuple(b)], "#ffff00", 1)
        draw.circle(tuple(a), 2.5, "#00d000")
        draw.circle(tuple(b), 2.5, "#ff2020")
    return panel


def draw_surface(picture: SurfacePicture, size_px: int) -> Image.Image:
    """Painter's algorithm, orthographic, far triangles first; shaded by the angle to the viewer."""
    low, high = picture.vertices.min(axis=0), picture.vertices.max(axis=0)
    centre = (low + high)[:2] / 2
    # The right tenth is the scale's.
    zoom = 0.88 * size_px / max(float((high - low)[:2].max()), 1e-9)
    middle = [0.45 * size_px, 0.5 * size_px]
    placed = (picture.vertices[:, :2] - centre) * [zoom, -zoom] + middle
    normals = triangle_normals(Mesh(picture.vertices, picture.triangles))
    facing = np.flatnonzero(normals[:, 2] > 0)
    triangles = picture.triangles[facing]
    depth = picture.vertices[triangles, 2].mean(axis=1)
    error = picture.errors_mm[triangles].mean(axis=1)
    shade = 0.35 + 0.65 * normals[facing, 2]
    colours = (error_colours(error) * shade[:, None]).astype(int).tolist()
    corners = placed[triangles].reshape(-1, 6).tolist()
    image = Image.new("RGB", (size_px, size_px), "white")
    draw = ImageDraw.Draw(image)
    for row in np.argsort(depth):
        draw.polygon(corners[row], tuple(colours[row]))
    _draw_scale(draw, size_px)
    return image


def error_colours(errors_mm: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n 3"]:
    """Colour of each error, 0 to 255."""
    at = np.clip(errors_mm / _WORST_MM, 0, 1) * (len(_STOPS) - 1)
    grid = np.arange(len(_STOPS))
    return np.stack([np.interp(at, grid, _STOPS[:, k]) for k in range(3)], axis=1)


def _draw_scale(draw: ImageDraw.ImageDraw, size_px: int) -> None:
    n = 60
    low, step = size_px - 20, (size_px - 60) / n
    colours = error_colours(np.linspace(0, _WORST_MM, n)).astype(int).tolist()
    for i, colour in enumerate(colours):
        box = [size_px - 14, low - (i + 1) * step, size_px - 4, low - i * step]
        draw.rectangle(box, tuple(colour))
    font = ImageFont.load_default(11)
    draw.text((size_px - 4, low + 10), "0", "#222222", font, anchor="rm")
    draw.text((size_px - 4, low - n * step - 10), f"{_WORST_MM:g} mm", "#222222", font, anchor="rm")
