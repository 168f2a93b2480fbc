"""Draws docs/images/landmarks.png: the named points, sliding contours and regions of a model.

python tools/draw_landmarks.py [--model commons] [--out docs/images/landmarks.png]
"""

import argparse
import itertools
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from fit3dmm._files import atomic_path
from fit3dmm.colour import linear_to_srgb
from fit3dmm.model.files import load_model
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.synthesise import Rendering, synthesise
from fit3dmm.scene import Lighting, Pose, Scene

_SIZE_PX = 900
_DISTANCE_MM = 900.0
_PX_PER_MM = 3.7
_BACKGROUND_LINEAR = 0.9
_YAWS_DEG = (0.0, 45.0)
_REGION_COLOURS = {
    "face": (0.85, 0.70, 0.55), "skin": (0.95, 0.45, 0.25), "brows": (0.30, 0.15, 0.05),
    "nose": (0.95, 0.75, 0.15), "lips": (0.80, 0.05, 0.25), "ears": (0.25, 0.45, 0.90),
    "scalp": (0.30, 0.30, 0.35), "neck": (0.40, 0.70, 0.45), "eye_left": (0.10, 0.60, 0.90),
    "eye_right": (0.60, 0.20, 0.80), "mouth_interior": (0.50, 0.00, 0.00),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="commons")
    parser.add_argument("--out", type=Path, default=Path("docs/images/landmarks.png"))
    arguments = parser.parse_args()
    model = load_model(arguments.model)
    pale = model.replace(
        albedo_mean_linear=0.35 + 0.5 * model.albedo_mean_linear,
        albedo_basis_linear=model.albedo_basis_linear[:0],
    )
    coloured = pale.replace(albedo_mean_linear=region_colours(model))
    rows = []
    for draw, drawn in ((draw_ibug, pale), (draw_mediapipe, pale), (draw_lines, pale)):
        rows.append([draw(drawn, np.radians(yaw)) for yaw in _YAWS_DEG])
    rows.append([picture(coloured, np.radians(yaw))[0] for yaw in _YAWS_DEG])
    pairs = [np.concatenate([np.asarray(image) for image in row], axis=1) for row in rows]
    sheet = np.concatenate([np.concatenate(pairs[:2], axis=1), np.concatenate(pairs[2:], axis=1)])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(arguments.out) as path:
        image = Image.fromarray(sheet).resize((2 * _SIZE_PX, _SIZE_PX), Image.Resampling.LANCZOS)
        image.save(path, format="PNG", optimize=True)


def region_colours(model: MorphableModel) -> torch.Tensor:
    """(vertices, 3) every region's colour over those before it; `_REGION_COLOURS` has the order."""
    colours = torch.full((model.n_vertices, 3), 0.6)
    for name, colour in _REGION_COLOURS.items():
        weight = model.regions[name][:, None]
        colours = colours + weight * (torch.tensor(colour) - colours)
    return colours


def scene(model: MorphableModel, yaw_rad: float) -> Scene:
    middle_mm = model.landmarks_mm("ibug68", model.zeros()).mean(dim=0)
    rotation = torch.tensor([0.0, float(yaw_rad), 0.0])
    turned = Pose(rotation, torch.zeros(3)).T_cam_model @ middle_mm[None]
    portrait = Scene.portrait(model.zeros(), _SIZE_PX, _SIZE_PX)
    camera = portrait.camera.replace(focal_px=torch.tensor(_PX_PER_MM * _DISTANCE_MM))
    lamp = Lighting.directional([0.4, 0.5, 0.8], [0.45, 0.45, 0.45])
    pose = Pose(rotation, torch.tensor([0.0, 0.0, -_DISTANCE_MM]) - turned[0])
    return Scene(model.zeros(), pose, camera, Lighting.ambient_white(0.55) + lamp)


def picture(model: MorphableModel, yaw_rad: float) -> tuple[Image.Image, Scene, Rendering]:
    shown = scene(model, yaw_rad)
    rendering = synthesise(model, shown, background_linear=torch.tensor(_BACKGROUND_LINEAR))
    pixels = (linear_to_srgb(rendering.rgb_linear.clamp(0, 1)) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.numpy()), shown, rendering


def visible_px(points_mm: torch.Tensor, shown: Scene, rendering: Rendering) -> list:
    """Where points (n, 3) of the model appear; None for those that something hides."""
    points_cam_mm = shown.pose.T_cam_model @ points_mm
    px = shown.camera.project(points_cam_mm)
    column, row = px.floor().long().clamp(0, _SIZE_PX - 1).unbind(-1)
    front_mm = rendering.depth_mm[row, column]
    # Points on a contour may fall just beside it, where nothing is seen.
    seen = (front_mm == 0) | (front_mm > -points_cam_mm[:, 2] - 4.0)
    return [tuple(p) if ok else None for p, ok in zip(px.tolist(), seen.tolist(), strict=True)]


def dot(draw: ImageDraw.ImageDraw, at: tuple[float, float], radius: float, colour: str) -> None:
    x, y = at
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def draw_ibug(model: MorphableModel, yaw_rad: float) -> Image.Image:
    """iBUG's points with their numbers."""
    image, shown, rendering = picture(model, yaw_rad)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(16)
    points_mm = model.landmarks_mm("ibug68", model.zeros())
    for number, at in enumerate(visible_px(points_mm, shown, rendering)):
        if at is not None:
            dot(draw, at, 4, "red")
            draw.text((at[0] + 4, at[1] - 2), str(number), fill="navy", font=font)
    return image


def draw_mediapipe(model: MorphableModel, yaw_rad: float) -> Image.Image:
    """MediaPipe's points, those of the irises green, and NoW's seven in blue."""
    image, shown, rendering = picture(model, yaw_rad)
    draw = ImageDraw.Draw(image)
    sets = (("mediapipe478", 3, "red"), ("now7", 6, "blue"))
    for name, radius, colour in sets:
        points_mm = model.landmarks_mm(name, model.zeros())
        for number, at in enumerate(visible_px(points_mm, shown, rendering)):
            if at is not None:
                dot(draw, at, radius, "lime" if number >= 468 else colour)
    return image


def draw_lines(model: MorphableModel, yaw_rad: float) -> Image.Image:
    """The lines on which contours slide: the jaw's green, the detector's contour blue."""
    image, shown, rendering = picture(model, yaw_rad)
    draw = ImageDraw.Draw(image)
    shape_mm = model.shape_mm(model.zeros())
    for name, colour in (("oval36", "blue"), ("jaw17", "green")):
        for line_mm in model.contours[name].locate(shape_mm, model.surface.triangles):
            seen = visible_px(line_mm, shown, rendering)
            for a, b in itertools.pairwise(seen):
                if a is not None and b is not None:
                    draw.line([a, b], fill=colour, width=2)
            for at in seen:
                if at is not None:
                    dot(draw, at, 3, colour)
    return image


if __name__ == "__main__":
    main()
