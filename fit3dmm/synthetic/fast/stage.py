"""Everything before the camera as one mesh, lit, and seen through the lens."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from fit3dmm.geometry.triangle_mesh import Mesh
from fit3dmm.render import cpu
from fit3dmm.synthetic.eyes import Eyes
from fit3dmm.synthetic.fast.lamps import StudioLight, light_values
from fit3dmm.synthetic.fast.views import CropView

SAMPLES = 2
"""Samples a pixel along each side."""
_EYE_F0 = 0.03
_MIRRORED_DEG = 25.0


@dataclass(frozen=True)
class Piece:
    """A part of the scene in `cam`, with what its surface needs to be lit."""

    points_cam_mm: Float[np.ndarray, "points 3"]
    triangles: Int[np.ndarray, "triangles 3"]
    normals_cam: Float[np.ndarray, "points 3"]
    albedo_linear: Float[np.ndarray, "points 3"]
    cover: UInt8[np.ndarray, "triangles"]
    """Places in `observe.predicted.COVERS`."""
    open_sky: Float[np.ndarray, "points"] | float = 1.0
    gloss: Float[np.ndarray, "points"] | float = 0.0
    sharpness: Float[np.ndarray, "points"] | float = 30.0
    eyes: Float[np.ndarray, "triangles"] | None = None
    """Above a half where the triangle is of an eyeball."""


@dataclass(frozen=True)
class Shot:
    """Light at the lens, at the finer resolution."""

    linear: Float[np.ndarray, "fine fine 3"]
    cover: Int[np.ndarray, "fine fine"]
    """-1 where nothing is seen."""
    depth: Float[np.ndarray, "fine fine"]
    """z/w of what is seen."""


def shoot(pieces: Sequence[Piece], view: CropView, light: StudioLight, eyes: Eyes | None) -> Shot:
    """Light the pieces at their vertices, rasterise, and light the eyes at every sample.

    Args:
        pieces: everything that is seen, in `cam`.
        view: the crop that is made.
        light: probe and lamps.
        eyes: of the person; None leaves the vertices' colours.
    """
    starts = np.cumsum([0, *(len(piece.points_cam_mm) for piece in pieces)])
    points = np.concatenate([piece.points_cam_mm for piece in pieces])
    normals = np.concatenate([piece.normals_cam for piece in pieces])
    triangles = torch.from_numpy(
        np.concatenate([p.triangles + s for p, s in zip(pieces, starts, strict=False)])
    ).int()
    sky, strength, sharpness = (
        np.concatenate([np.broadcast_to(getattr(p, name), len(p.points_cam_mm)) for p in pieces])
        for name in ("open_sky", "gloss", "sharpness")
    )
    albedo = np.concatenate([piece.albedo_linear for piece in pieces])
    values = light_values(light, points, normals, albedo, (sky, strength, sharpness), triangles)
    fine = view.size_px * SAMPLES
    fragments = cpu.rasterise(view.clip(points, SAMPLES), triangles, fine, fine)
    seen = cpu.interpolate(torch.from_numpy(values)[None], triangles, fragments)[0].numpy()
    which = fragments.triangle[0].numpy()
    linear = seen[..., :3].copy()
    if eyes is not None:
        _light_eyes(linear, seen[..., 3:], which, fragments.depth[0].numpy(), pieces, view, light,
                    eyes)  # fmt: skip
    kinds = np.concatenate([piece.cover for piece in pieces]).astype(np.int64)
    cover = np.where(which >= 0, kinds[np.maximum(which, 0)], -1)
    return Shot(linear, cover, fragments.depth[0].numpy())


def _light_eyes(
    linear: np.ndarray,
    white: np.ndarray,
    which: np.ndarray,
    depth: np.ndarray,
    pieces: Sequence[Piece],
    view: CropView,
    light: StudioLight,
    eyes: Eyes,
) -> None:
    """Irises are finer than the mesh, and what they mirror is sharper still."""
    ball = np.concatenate(
        [np.zeros(len(p.triangles)) if p.eyes is None else p.eyes for p in pieces]
    )
    rows, columns = np.nonzero((which >= 0) & (ball[np.maximum(which, 0)] > 0.5))
    if not len(rows):
        return
    near, far = 50.0, 1e5
    z_over_w = depth[rows, columns]
    distance = 2 * far * near / (far + near - z_over_w * (far - near))
    px = torch.from_numpy(np.stack([columns, rows], -1) + 0.5).float()
    at = view.camera(SAMPLES).unproject(px, torch.from_numpy(distance)).numpy()
    linear[rows, columns] = white[rows, columns] * eyes.albedo(at)
    middle = eyes.centre_mm[((at[:, None] - eyes.centre_mm) ** 2).sum(axis=2).argmin(axis=1)]
    normal = (at - middle) / np.linalg.norm(at - middle, axis=1, keepdims=True)
    towards = -at / np.linalg.norm(at, axis=1, keepdims=True)
    mirrored = 2 * (normal * towards).sum(axis=1, keepdims=True) * normal - towards
    glance = _EYE_F0 + (1 - _EYE_F0) * (1 - np.clip((normal * towards).sum(axis=1), 0, 1)) ** 5
    shown = light.probe.radiance.at(mirrored)
    for lamp in light.lamps:
        # A lamp has a size: a window or a soft box of a few degrees.
        angle = np.degrees(np.arccos(np.clip(mirrored @ lamp.direction, -1, 1)))
        shown = shown + (40 * np.exp(-((angle / 6) ** 2)))[:, None] * lamp.colour
    linear[rows, columns] += glance[:, None] * shown


def behind_lenses(
    shot: Shot,
    lenses: Mesh,
    transmission: Float[np.ndarray, "3"],
    mirror: float,
    view: CropView,
    light: StudioLight,
    draw: np.random.Generator,
) -> tuple[Float[np.ndarray, "fine fine 3"], Float[np.ndarray, "fine fine"]]:
    """The picture with lenses before it, and where they are.

    Args:
        shot: without them.
        lenses: in `cam`.
        transmission: share of the light that goes through, by colour.
        mirror: share of the surroundings that they mirror.
        view: the crop that is made.
        light: probe and lamps.
        draw: random numbers.
    """
    fine = len(shot.linear)
    triangles = torch.from_numpy(lenses.triangles).int()
    points = lenses.vertices.astype(np.float32)
    fragments = cpu.rasterise(view.clip(points, SAMPLES), triangles, fine, fine)
    before = (fragments.triangle[0].numpy() >= 0) & (fragments.depth[0].numpy() < shot.depth)
    rows, columns = np.nonzero(before)
    linear = shot.linear.copy()
    if not len(rows):
        return linear, before.astype(np.float32)
    # A slightly curved mirror: it shows a part of what is before the face.
    offset = np.stack([columns, rows], -1) / fine - 0.5
    bend, lean = np.radians(_MIRRORED_DEG) * 4, draw.normal(0, 0.3, 2)
    direction = np.concatenate([offset * [bend, -bend] + lean, np.ones((len(rows), 1))], axis=1)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    shown = light.probe.radiance.at(direction)
    linear[rows, columns] = linear[rows, columns] * transmission + mirror * shown
    return linear, before.astype(np.float32)
