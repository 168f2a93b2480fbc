"""Draw docs/images/visemes.png: the mouth of Commons' mean face at each of the fifteen visemes.

python tools/draw_visemes.py [-o docs/images/visemes.png] [--model commons]
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from fit3dmm.export.picture import srgb_bytes
from fit3dmm.export.visemes import VISEMES
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.files import load_model
from fit3dmm.render import synthesise
from fit3dmm.render.lights import named_lights
from fit3dmm.scene import Pose, Scene

COLUMNS, TILE_PX, OVERSAMPLING, LINE_PX = 5, 200, 2, 22
BACKGROUND_LINEAR = torch.tensor([0.85, 0.85, 0.85])
# The mouth from 60 cm, a little from the side, 11 cm across the picture.
_MOUTH_MM, _DISTANCE_MM, _YAW_RAD, _ACROSS_MM = (-22.0, 44.0), 600.0, 0.25, 110.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="commons")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/visemes.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    size = TILE_PX * OVERSAMPLING
    x, y = _MOUTH_MM
    scene = Scene(
        model.zeros(),
        Pose(torch.tensor([0.0, _YAW_RAD, 0.0]), torch.tensor([x, y, -_DISTANCE_MM])),
        Camera.centred(size * (_DISTANCE_MM - 90) / _ACROSS_MM, size, size),
        named_lights()["studio"],
    )
    step = TILE_PX + LINE_PX
    page = Image.new("RGB", (COLUMNS * TILE_PX, -(-len(VISEMES) // COLUMNS) * step), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=16)
    for k, (name, viseme) in enumerate(VISEMES.items()):
        expression = torch.tensor([viseme.get(unit, 0.0) for unit in model.expression_names])
        face = scene.coefficients.replace(expression=expression)
        picture = synthesise(
            model, scene.replace(coefficients=face), background_linear=BACKGROUND_LINEAR
        )
        left, top = k % COLUMNS * TILE_PX, k // COLUMNS * step
        tile = Image.fromarray(srgb_bytes(picture.rgb_linear)).resize((TILE_PX, TILE_PX))
        page.paste(tile, (left, top))
        place = (left + TILE_PX / 2, top + TILE_PX + LINE_PX / 2)
        draw.text(place, name, fill="black", font=font, anchor="mm")
    page.save(arguments.output, optimize=True)
    print(f"{arguments.output}: {page.width} x {page.height} px")


if __name__ == "__main__":
    main()
