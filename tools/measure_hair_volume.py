"""Measure how far an avatar's outline is that of the person in the photo, with hair and without.

    python tools/measure_hair_volume.py PHOTO...

Photos must be portraits before a plain wall: what is unlike the wall is taken for the person, by a
way that shares nothing with how hair is found. What is printed is the intersection over the union
of person and avatar, in the photo's own view, with painted hair, with hair that stands off, and
with hair that hangs, too: above the brows, and above the chin, below which there are clothes.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from scipy.ndimage import binary_fill_holes, binary_opening, label

from fit3dmm.export.drawing import sight
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.person import shown
from fit3dmm.export.texture import bake
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.pipeline import as_prepared, fit_photo
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import read_photo
from fit3dmm.scene import Scene

_BROWS, _CHIN = slice(17, 27), slice(7, 10)
# A frame about the picture has one colour: less spread than this in its rows, of 255.
_FRAME = 8.0
# Offset of logarithms of sRGB bytes, and distances in them within which a place is the wall.
_DARK, _WALL = 12.0, (0.12, 0.25)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    prepared = as_prepared("commons", FitConfig())
    model = prepared.model
    found, hangs = [], []
    for path in options.photos:
        photo = read_photo(path)
        with torch.no_grad():
            fit = fit_photo(photo, prepared, FitConfig(), "largest")[0]
            hair = bake(model, [shown(fit, photo)], 64).hair_shape
            found.append(overlaps(fit.scene, model, photo.pixels_srgb.numpy(), hair))
        hangs.append(hair is not None and hair.hanging is not None)
        print(f"{path.name}: {_row(found[-1])}{', hangs' if hangs[-1] else ''}", flush=True)
    for name, chosen in (("all", np.array(hangs) | True), ("that hang", np.array(hangs))):
        if chosen.any():
            print(f"{int(chosen.sum())} {name}: {_row(np.mean(np.array(found)[chosen], 0))}")
            least = np.min(np.array(found)[chosen], 0)
            print(f"the least of them: {_row(least)}")


def _row(overlap: Float[np.ndarray, "2 3"]) -> str:
    return "; ".join(
        f"above the {place} {flat:.3f} painted, {off:.3f} standing off, {full:.3f} hanging"
        for place, (flat, off, full) in zip(("brows", "chin"), overlap, strict=True)
    )


def overlaps(
    scene: Scene,
    model: MorphableModel,
    pixels: UInt8[np.ndarray, "h w 3"],
    hair: HairShape | None,
) -> Float[np.ndarray, "2 3"]:
    """Intersection over union above the brows and above the chin: with painted hair, with hair that
    stands off, and with what hangs."""
    marks = scene.pose.T_cam_model @ model.landmarks_mm("ibug68", scene.coefficients)
    marks_px = scene.camera.project(marks)[:, 1]
    height, width = pixels.shape[:2]
    person, there = before_wall(pixels)
    rows = np.arange(height)[:, None]
    raised = None if hair is None else HairShape(hair.raised_mm)
    table = np.zeros((2, 3))
    for column, worn in enumerate((None, raised, hair)):
        # Two samples a pixel each way.
        seen = sight(model, scene, worn)
        fine = np.zeros(seen.fine_size, bool)
        fine.flat[seen.covered.numpy()] = True
        avatar = fine[: 2 * height : 2, : 2 * width : 2]
        for row, end_px in enumerate((marks_px[_BROWS].min(), marks_px[_CHIN].min())):
            counts = there & (rows < float(end_px))
            union = (avatar | person) & counts
            table[row, column] = (avatar & person & counts).sum() / union.sum()
    return table


def before_wall(
    pixels: UInt8[np.ndarray, "h w 3"],
) -> tuple[Bool[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]:
    """What is unlike the wall, and where the picture is, without a frame about it."""
    grey = pixels.mean(-1)
    rows, columns = (np.flatnonzero(grey.std(axis) > _FRAME) for axis in (1, 0))
    box = slice(rows[0] + 2, rows[-1] - 1), slice(columns[0] + 2, columns[-1] - 1)
    logs = np.log(pixels[box] + _DARK)
    h, w = logs.shape[:2]
    y, x = np.mgrid[0:h, 0:w] / np.array([h, w])[:, None, None] - 0.5
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1)
    border = max(h // 25, 2)
    rim = np.zeros((h, w), bool)
    rim[:border] = rim[: int(0.7 * h), :border] = rim[: int(0.7 * h), -border:] = True
    weight, wall = np.ones(int(rim.sum())), np.zeros((6, 3))
    # A wall's light changes smoothly: a paraboloid, found with Cauchy's weights.
    for _ in range(10):
        wall = np.linalg.lstsq(terms[rim] * weight[:, None], logs[rim] * weight[:, None])[0]
        off = np.linalg.norm(logs[rim] - terms[rim] @ wall, axis=-1)
        weight = 1 / (1 + (off / 0.06) ** 2)
    away = np.linalg.norm(logs - terms @ wall, axis=-1)
    alike = binary_opening(away < np.clip(5 * np.median(away[rim]), *_WALL))
    named: Any = label(alike)
    parts = named[0]
    behind = np.isin(parts, np.unique(parts[rim & np.asarray(alike)]))
    person, counts = np.zeros((2, *grey.shape), bool)
    person[box] = binary_fill_holes(binary_opening(~behind))
    counts[box] = True
    return person, counts


if __name__ == "__main__":
    main()
