"""Draw docs/images/rendering.png: the Commons head in five poses and five lights.

python tools/draw_rendering.py [--model commons] [-o docs/images/rendering.png]
"""

import argparse
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.rotation import rotation_from_angles, rotation_vector
from fit3dmm.model.files import load_model
from fit3dmm.render import synthesise
from fit3dmm.render.lights import named_lights
from fit3dmm.scene import Pose, Scene

TILE_PX = 240
LABEL_PX = 26
BACKGROUND_LINEAR = 0.85
# Pitch, yaw and roll in degrees.
POSES = {
    "frontal": (0, 0, 0),
    "yaw +40": (0, 40, 0),
    "yaw -80": (0, -80, 0),
    "pitch +25": (25, 0, 0),
    "roll +25, pitch -20": (-20, 0, 25),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="commons")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/rendering.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    face = model.zeros()
    lights = named_lights()
    # Two pixels a pixel, averaged in linear light, for the page.
    scene = Scene.portrait(face, 2 * TILE_PX, 2 * TILE_PX)
    distance = scene.pose.translation_mm
    height = LABEL_PX + TILE_PX
    page = Image.new("RGB", (len(POSES) * TILE_PX, len(lights) * height), "white")
    letters, font = ImageDraw.Draw(page), ImageFont.load_default(size=15)
    for top, (light_name, light) in enumerate(lights.items()):
        for left, (pose_name, degrees) in enumerate(POSES.items()):
            posed = scene.replace(pose=Pose(_turned(degrees), distance), lighting=light)
            picture = synthesise(model, posed, background_linear=torch.tensor(BACKGROUND_LINEAR))
            linear = picture.rgb_linear.unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).mean((1, 3))
            tile = (255 * linear_to_srgb(linear.clamp(0, 1))).round().byte().numpy()
            x, y = left * TILE_PX, top * height
            page.paste(Image.fromarray(tile), (x, y + LABEL_PX))
            label = f"{light_name}, {pose_name}"
            letters.text((x + TILE_PX / 2, y + LABEL_PX / 2), label, "black", font, "mm")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    page.save(arguments.output, optimize=True)
    print(f"{arguments.output}: {page.width} x {page.height} px")


def _turned(degrees: tuple[float, float, float]) -> torch.Tensor:
    """By pitch, yaw and roll."""
    return rotation_vector(torch.from_numpy(rotation_from_angles(*degrees))).float()


if __name__ == "__main__":
    main()
