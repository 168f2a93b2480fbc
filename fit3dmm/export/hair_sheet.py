"""What a photo shows of a sheet of hair, place by place of the sheet's own picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.export.hair_colour import HairSettings
from fit3dmm.export.hair_hanging import HangingHair
from fit3dmm.export.hair_light import light_on_hair
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.texture_seen import HairSeen, Shown
from fit3dmm.export.view import BLACK_LINEAR
from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.transform import Similarity
from fit3dmm.observe.crop import extract_crop
from fit3dmm.observe.photo import Photo


@dataclass(frozen=True)
class SheetShown:
    """Of the outer side, row by row."""

    photo_px: Float[Tensor, "places 2"]
    """Where the photo would show each place."""
    facing: Float[Tensor, "places"]
    """Cosine between normal and view."""
    logs: Float[Tensor, "places 3"]
    """Natural logarithms of the colour there, less the light."""
    inside: Float[Tensor, "places"]
    """1 where the photo reaches."""


def sheet_shown(
    sheet: HangingHair,
    shown: Shown,
    seen: HairSeen,
    hair: HairSettings,
    size: tuple[int, int],
    photo_px: int,
) -> SheetShown:
    """What a photo has where a sheet would lie in it.

    Args:
        sheet: whose own picture does not matter.
        shown: the photo, with its fit.
        seen: what that shows of the hair.
        hair: what light falls on it.
        size: rows and columns of the outer side's picture.
        photo_px: the finest that the square about the head is looked at.
    """
    rows, columns = sheet.points_mm.shape[:2]
    normals = sheet.normals.reshape(rows, -1, 3)[:, : columns // 2].numpy()
    outer_mm = sheet.points_mm[:, : columns // 2]
    places, upright = (_finer(one, *size) for one in (outer_mm, normals))
    scene = shown.scene
    T = scene.pose.T_cam_model
    points = T @ places.reshape(-1, 3)
    facing_normals = torch.nn.functional.normalize(T.turn(upright.reshape(-1, 3)), dim=-1)
    facing = -(facing_normals * torch.nn.functional.normalize(points, dim=-1)).sum(-1)
    px = scene.camera.project(points)
    colour, inside = _colours_at(shown.photo, seen.map, px, photo_px)
    white = sh_basis(facing_normals) @ scene.lighting.irradiance_sh
    lit = light_on_hair(white, seen.face_light_linear, hair.light)
    logs = (colour / lit.clamp_min(BLACK_LINEAR)).clamp_min(BLACK_LINEAR).log()
    return SheetShown(px, facing, logs, inside)


def shows_best(
    told: Sequence[tuple[Shown, HairSeen]], sides: Callable[[HairSeen], int]
) -> tuple[Shown, HairSeen] | None:
    """The photo that shows most of what hangs; None where fewer than half show any.

    Args:
        told: photos of one person that tell of hair.
        sides: how many sides of it a photo shows; 0 where it hangs not.
    """
    hung = [one for one in told if sides(one[1])]

    def merit(one: tuple[Shown, HairSeen]) -> float:
        scene = one[0].scene
        return sides(one[1]) * float(scene.camera.focal_px / -scene.pose.translation_mm[2])

    return max(hung, key=merit) if hung and 2 * len(hung) >= len(told) else None


def _finer(values: Float[np.ndarray, "rows outer 3"], height: int, width: int) -> Tensor:
    grid = torch.from_numpy(values).float().permute(2, 0, 1)[None]
    fine = torch.nn.functional.interpolate(
        grid, (height, width), mode="bilinear", align_corners=True
    )
    return fine[0].permute(1, 2, 0)


def _colours_at(
    photo: Photo, seen: HairMap, px: Float[Tensor, "n 2"], photo_px: int
) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """Of the photo, as fine as it is, and 1 for what it shows."""
    cells = len(seen.hair)
    side_px = cells / float(seen.T_map_photo.linear_map(px.new_tensor([[1.0, 0.0]])).norm())
    fine = int(min(max(side_px, cells), photo_px))
    crop = extract_crop(
        photo, Similarity.in_plane(fine / cells, (0.0, 0.0)) @ seen.T_map_photo, fine
    )
    picture = torch.cat([crop.image_linear, crop.inside[..., None].float()], -1)
    grid = 2 * (seen.T_map_photo @ px) / cells - 1
    found = torch.nn.functional.grid_sample(
        picture.permute(2, 0, 1)[None], grid[None, None], align_corners=False
    )[0, :, 0].T
    return found[:, :3], (found[:, 3] > 0.99).float()
