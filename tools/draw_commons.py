"""Draw docs/images/commons.png: people drawn from the Commons model.

python tools/draw_commons.py [-o docs/images/commons.png] [--seed 11]

Nobody is picked: the people are the first that the seed gives. Only the tone of the skin, the first
component of the albedo, is spread evenly over its prior, so that a page of two dozen shows all.
Poses and expressions are slight, lights vary.
"""

import argparse
from pathlib import Path

import torch
from PIL import Image

from fit3dmm.colour import linear_to_srgb
from fit3dmm.geometry.rotation import rotation_matrix, rotation_vector
from fit3dmm.model import Coefficients, MorphableModel
from fit3dmm.model.files import load_model
from fit3dmm.render import synthesise
from fit3dmm.scene import Lighting, Pose, Scene

COLUMNS, ROWS, TILE_PX = 6, 4, 260
# Two pixels a pixel, averaged in linear light.
OVERSAMPLING = 2
BACKGROUND_LINEAR = torch.tensor([0.42, 0.44, 0.47])
# Mixtures that people wear in photos; each is scaled by a random amount.
EXPRESSIONS = (
    {},
    {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "cheekSquintLeft": 0.4},
    {},
    {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.4, "browInnerUp": 0.3},
    {"browDownLeft": 0.4, "browDownRight": 0.4, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
    {"eyeSquintLeft": 0.4, "eyeSquintRight": 0.4, "mouthSmileLeft": 0.3, "mouthSmileRight": 0.3},
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="commons")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/images/commons.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    generator = torch.Generator().manual_seed(arguments.seed)
    page = Image.new("RGB", (COLUMNS * TILE_PX, ROWS * TILE_PX))
    people = model.sample(COLUMNS * ROWS, generator=generator, by_tone=False)
    people = _with_even_tones(model, people, generator)
    for number in range(COLUMNS * ROWS):
        tile = _portrait(model, _person(model, people, number), generator)
        page.paste(tile, (number % COLUMNS * TILE_PX, number // COLUMNS * TILE_PX))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    page.save(arguments.output, optimize=True)
    print(f"{arguments.output}: {page.width} x {page.height} px")


def _with_even_tones(
    model: MorphableModel, people: Coefficients, generator: torch.Generator
) -> Coefficients:
    n = len(people.albedo)
    shares = (torch.randperm(n, generator=generator) + 0.5) / n
    albedo = people.albedo.clone()
    albedo[:, 0] = torch.special.ndtri(shares)
    return people.replace(albedo=model.tone.drawn(albedo))


def _person(model: MorphableModel, people: Coefficients, number: int) -> Coefficients:
    person = people.map(lambda values: values[number])
    expression = torch.zeros_like(person.expression)
    for name, amount in EXPRESSIONS[number % len(EXPRESSIONS)].items():
        expression[model.expression_names.index(name)] = amount
    return person.replace(expression=expression)


def _portrait(
    model: MorphableModel, person: Coefficients, generator: torch.Generator
) -> Image.Image:
    size = OVERSAMPLING * TILE_PX
    scene = Scene.portrait(person, size, size)
    pitch, yaw, roll = torch.randn(3, generator=generator) * torch.tensor([0.06, 0.3, 0.05])
    axes = torch.eye(3)
    turn = (
        rotation_matrix(roll * axes[2])
        @ rotation_matrix(yaw * axes[1])
        @ rotation_matrix(pitch * axes[0])
    )
    posed = scene.replace(
        pose=Pose(rotation_vector(turn), scene.pose.translation_mm), lighting=_light(generator)
    )
    picture = synthesise(model, posed, background_linear=BACKGROUND_LINEAR)
    n = OVERSAMPLING
    linear = picture.rgb_linear.unflatten(0, (-1, n)).unflatten(2, (-1, n)).mean((1, 3))
    return Image.fromarray((255 * linear_to_srgb(linear.clamp(0, 1))).round().byte().numpy())


def _light(generator: torch.Generator) -> Lighting:
    """A window on one side, the room around, and a little warmth or cold between them."""
    side, height, warmth = torch.rand(3, generator=generator)
    direction = torch.stack([1.8 * side - 0.9, 0.3 + 0.5 * height, torch.tensor(0.8)])
    colour = torch.stack([0.95 + 0.1 * warmth, torch.tensor(1.0), 1.05 - 0.1 * warmth])
    return Lighting.directional(direction, 0.75 * colour) + Lighting.ambient_white(0.5)


if __name__ == "__main__":
    main()
