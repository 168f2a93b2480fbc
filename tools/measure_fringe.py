"""Measure how far an avatar's forehead looks like the photo's, with its fringe and without.

    python tools/measure_fringe.py PHOTO...

In the photo's own view and light, the forehead below the usual hairline is compared with the photo
place by place: what is printed is the mean difference of the three channels, in levels of sRGB,
without and with what hangs there. Of foreheads over which nothing hangs it says so.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from fit3dmm.colour import linear_to_srgb
from fit3dmm.export.drawing import draw, in_photo, photo_linear, sight
from fit3dmm.export.hair_fringe import forehead
from fit3dmm.export.hair_fringe_settings import FringeSettings
from fit3dmm.export.hair_hanging import HairShape
from fit3dmm.export.person import shown
from fit3dmm.export.texture import Baked, bake
from fit3dmm.fitting.config import FitConfig
from fit3dmm.fitting.pipeline import as_prepared, fit_photo
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.photo import Photo, read_photo
from fit3dmm.scene import Scene

_TEXTURE_PX = 512


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("photos", type=Path, nargs="+")
    options = parser.parse_args()
    prepared = as_prepared("commons", FitConfig())
    model, found = prepared.model, []
    for path in options.photos:
        photo = read_photo(path)
        with torch.no_grad():
            fit = fit_photo(photo, prepared, FitConfig(), "largest")[0]
            baked = bake(model, [shown(fit, photo)], _TEXTURE_PX)
            if baked.hair_shape is None or baked.hair_shape.fringe is None:
                print(f"{path.name}: none", flush=True)
                continue
            found.append(differences(model, fit.scene, photo, baked, baked.hair_shape))
        print(f"{path.name}: {_row(found[-1])}", flush=True)
    if found:
        worse = sum(with_it > without for without, with_it in found)
        print(f"{len(found)}, of which {worse} are worse with it: {_row(np.mean(found, 0))}")


def _row(pair: Float[np.ndarray, "2"]) -> str:
    return f"{pair[0]:.1f} without, {pair[1]:.1f} with it"


def differences(
    model: MorphableModel, scene: Scene, photo: Photo, baked: Baked, hair: HairShape
) -> Float[np.ndarray, "2"]:
    """Mean difference of the forehead in levels of sRGB, without and with the fringe."""
    scene = in_photo(scene, max(scene.camera.width_px, scene.camera.height_px))
    points = forehead(model, model.shape_mm(scene.coefficients), FringeSettings())
    column, row = scene.camera.project(scene.pose.T_cam_model @ points).long().unbind(-1)
    size = scene.camera.width_px, scene.camera.height_px
    inside = (column >= 0) & (row >= 0) & (column < size[0]) & (row < size[1])
    column, row = column[inside], row[inside]
    true = linear_to_srgb(photo_linear(photo, scene.camera)[row, column])
    found = []
    for worn in (replace(hair, fringe=None), hair):
        drawn = draw(model, scene, baked.srgb, sight(model, scene, worn)).rgb_linear
        shown_srgb = linear_to_srgb(drawn[row, column].clamp(0, 1))
        found.append(255 * float((shown_srgb - true).abs().mean()))
    return np.array(found)


if __name__ == "__main__":
    main()
