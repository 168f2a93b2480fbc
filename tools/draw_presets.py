"""Draw fits by several presets side by side, a photo a row: the shape, and the face in the photo.

    python tools/draw_presets.py PHOTO ... [--presets default accurate ...] [-o presets.jpg]

What a fit gives is drawn with the model's own colours and light, without the photo's texture, so
that nothing but the fit is seen.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

import fit3dmm
from fit3dmm.export.preview import panels
from fit3dmm.fitting.presets import PRESETS

TILE_PX, LINE_PX = 200, 24
SHOWN = ("geometry", "reconstruction")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photos", nargs="+", type=Path)
    asked = ("default", "accurate", "deng2019-code")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=asked, metavar="NAME")
    parser.add_argument("-o", "--output", type=Path, default=Path("presets.jpg"))
    arguments = parser.parse_args()
    rows = [row(photo, arguments.presets) for photo in arguments.photos]
    page = Image.new("RGB", (TILE_PX * len(rows[0]), LINE_PX + TILE_PX * len(rows)), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    width = TILE_PX * len(SHOWN)
    places = [(TILE_PX / 2, "photo")]
    places += [(TILE_PX + (k + 0.5) * width, name) for k, name in enumerate(arguments.presets)]
    for x, label in places:
        draw.text((x, LINE_PX / 2), label, fill="black", font=font, anchor="mm")
    for k, tiles in enumerate(rows):
        for column, tile in enumerate(tiles):
            page.paste(tile, (column * TILE_PX, LINE_PX + k * TILE_PX))
    page.save(arguments.output, quality=85, optimize=True)


def row(photo: Path, presets: list[str]) -> list[Image.Image]:
    """The photo, then two tiles a preset."""
    tiles: list[Image.Image] = []
    for name in presets:
        face = fit3dmm.fit(photo, config=name, face="largest")
        quality = face.quality
        print(f"{photo.name}, {name}: {quality.verdict}, points off by {quality.points_off}")
        assert face.photo is not None
        with torch.no_grad():
            drawn = panels(face, face.morphable, face.photo, TILE_PX)
        shown = SHOWN if tiles else ("photo", *SHOWN)
        tiles += [Image.fromarray(drawn[label]) for label in shown]
    return tiles


if __name__ == "__main__":
    main()
