"""Draw docs/images/expressions.png: one woman and one man of the Commons model, eight expressions.

python tools/draw_expressions.py [-o docs/images/expressions.png] [--model commons]

Each expression is a mixture of ARKit's units as they go together in faces; they stand from left to
right, the front above and the half profile below. Units that the model lacks are left out.
"""

import argparse
import math
from pathlib import Path

import torch
from PIL import Image

from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.rotation import rotation_matrix, rotation_vector
from fit3dmm.model import Coefficients, MorphableModel
from fit3dmm.model.files import load_model
from fit3dmm.render import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

TILE_PX, OVERSAMPLING = 240, 2
BACKGROUND_LINEAR = torch.tensor([0.42, 0.44, 0.47])
YAWS_DEG = (0.0, 45.0)
# Units without a side are both sides.
EXPRESSIONS = {
    "neutral": {},
    "smile": {"mouthSmile": 0.6, "mouthUpperUp": 0.15, "eyeSquint": 0.15, "cheekSquint": 0.2},
    "laugh": {
        "mouthSmile": 0.9, "mouthUpperUp": 0.4, "jawOpen": 0.35, "mouthLowerDown": 0.2,
        "eyeSquint": 0.4, "cheekSquint": 0.5, "mouthDimple": 0.1,
    },
    "surprise": {"browInnerUp": 0.8, "browOuterUp": 0.8, "eyeWide": 0.7, "jawOpen": 0.45},
    "anger": {
        "browDown": 0.9, "eyeSquint": 0.4, "noseSneer": 0.4, "mouthPress": 0.5, "mouthFrown": 0.4,
    },
    "pucker": {"mouthPucker": 0.9},
    "tongue": {"tongueOut": 0.9, "jawOpen": 0.35},
    "blink": {"eyeBlink": 1.0},
}  # fmt: skip
# The first component is the way from the mean woman to the mean man.
_SEXES = (-1.0, 1.0)
_SEED = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="commons")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/expressions.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    rows = [(sex, yaw) for sex in _SEXES for yaw in YAWS_DEG]
    page = Image.new("RGB", (len(EXPRESSIONS) * TILE_PX, len(rows) * TILE_PX))
    for column, units in enumerate(EXPRESSIONS.values()):
        for row, (sex, yaw_deg) in enumerate(rows):
            person = _person(model, sex)
            person = person.replace(expression=_activations(model, units))
            tile = _portrait(model, person, yaw_deg)
            page.paste(tile, (column * TILE_PX, row * TILE_PX))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    page.save(arguments.output, optimize=True)
    print(f"{arguments.output}: {page.width} x {page.height} px, {', '.join(EXPRESSIONS)}")


def _person(model: MorphableModel, sex: float) -> Coefficients:
    """Somebody near the mean of their sex."""
    generator = torch.Generator().manual_seed(_SEED + int(sex > 0))
    person = model.sample(generator=generator)
    identity, albedo = 0.6 * person.identity, 0.7 * person.albedo
    identity[0] = sex
    return person.replace(identity=identity, detail=0.6 * person.detail, albedo=albedo)


def _activations(model: MorphableModel, units: dict[str, float]) -> torch.Tensor:
    activations = torch.zeros(model.n_expression)
    for unit, amount in units.items():
        for name in (unit, f"{unit}Left", f"{unit}Right"):
            if name in model.expression_names:
                activations[model.expression_names.index(name)] = amount
    return activations


def _portrait(model: MorphableModel, person: Coefficients, yaw_deg: float) -> Image.Image:
    size = OVERSAMPLING * TILE_PX
    scene = Scene.portrait(person, size, size)
    turn = rotation_matrix(math.radians(yaw_deg) * torch.eye(3)[1])
    window = Lighting.directional((-0.5, 0.6, 0.8), (0.75, 0.75, 0.75))
    posed = scene.replace(
        pose=Pose(rotation_vector(turn), scene.pose.translation_mm),
        lighting=window + Lighting.ambient_white(0.5),
    )
    picture = synthesise(model, posed, background_linear=BACKGROUND_LINEAR)
    n = OVERSAMPLING
    linear = picture.rgb_linear.unflatten(0, (-1, n)).unflatten(2, (-1, n)).mean((1, 3))
    return Image.fromarray((255 * linear_to_srgb(linear.clamp(0, 1))).round().byte().numpy())


if __name__ == "__main__":
    main()
