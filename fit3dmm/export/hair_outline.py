"""Where a photo's hair ends: how far from the middle of the skull, ray by ray in the picture."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.hair_raised import outward, skull
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.scene import Scene


@dataclass(frozen=True)
class HairOutlineSettings(Settings):
    """What counts as hair along a ray: judgements by looking, not measurements."""

    rays: int = ranged(90, 8)
    """Directions in which a photo is asked where the hair ends."""
    hair: float = ranged(0.5, 0.0, 1.0)
    """Probability from which a place shows hair."""
    gap_mm: float = ranged(7.0, 0.0)
    """What hair goes on beyond: glosses, and walls that shine through."""
    inside_mm: float = ranged(8.0, 0.0)
    """How far within the head's outline the hair must begin."""
    step_mm: float = ranged(1.0, 0.1)
    """Between places along a ray."""
    reach_mm: float = ranged(96.0, 0.0)
    """How far beyond the head's outline it is followed."""


@dataclass(frozen=True)
class HairOutline:
    """Where the hair ends in one photo, in polar coordinates about the middle of the skull."""

    points_cam_mm: Float[np.ndarray, "vertices 3"]
    """The fitted surface."""
    directions_cam: Float[np.ndarray, "vertices 3"]
    """In which its hair is raised; unit vectors."""
    camera: Camera
    middle_px: Float[np.ndarray, "2"]
    end_px: Float[np.ndarray, "rays"]
    """Radius of the hair."""
    tells: Bool[np.ndarray, "rays"]
    """Where it does: not where ears, face or neck make the outline."""
    cut: Bool[np.ndarray, "rays"]
    """Where the photo ends before the hair does: it is as thick as that at least."""


def hair_outline(
    seen: HairMap,
    scene: Scene,
    points_cam_mm: Float[Tensor, "vertices 3"],
    hairy: Bool[Tensor, "vertices"],
    model: MorphableModel,
    settings: HairOutlineSettings,
) -> HairOutline:
    """Where the hair of one photo ends.

    Args:
        seen: where the photo shows hair.
        scene: in the `photo` frame, without batch axes.
        points_cam_mm: its surface.
        hairy: where hair grows.
        model: the one that was fitted.
        settings: what counts as hair.
    """
    camera, T = scene.camera, scene.pose.T_cam_model
    directions = T.turn(outward(model).to(points_cam_mm))
    middle_mm = T @ skull(model)[0].to(points_cam_mm)[None]
    middle = camera.project(middle_mm)[0]
    mm_per_px = float(-middle_mm[0, 2] / camera.focal_px)
    ray, radius = polar(camera.project(points_cam_mm) - middle, settings.rays)
    flat, scalp = np.zeros((2, settings.rays))
    np.maximum.at(flat, ray, radius)
    np.maximum.at(scalp, ray, radius * hairy.cpu().numpy())
    angle = (np.arange(settings.rays) + 0.5) * (2 * math.pi / settings.rays)
    along = torch.tensor(np.stack([np.cos(angle), np.sin(angle)], -1)).to(middle)
    reach = settings.inside_mm + settings.reach_mm
    steps = np.arange(-settings.inside_mm, reach, settings.step_mm) / mm_per_px
    radii = torch.tensor(flat[:, None] + steps).to(middle)
    places = middle + radii[..., None] * along[:, None]
    hair = seen.at(places.reshape(-1, 2))[:, 0].reshape(radii.shape).cpu().numpy() > settings.hair
    size = places.new_tensor([camera.width_px, camera.height_px])
    # The cells of the map at the photo's border are half beyond it.
    border = 1.5 / float(seen.T_map_photo.linear_map(places.new_tensor([1.0, 0.0])).norm())
    inside = ((places > border) & (places < size - border)).all(-1).cpu().numpy()
    gap = max(round(settings.gap_mm / settings.step_mm), 1)
    end, cut = _ends(hair, inside, gap)
    end_px = np.take_along_axis(radii.cpu().numpy(), end[:, None], 1)[:, 0]
    beside = flat - scalp < settings.inside_mm / mm_per_px
    tells = (scalp > 0) & (beside | (end_px > flat))
    points, directions = (one.cpu().numpy() for one in (points_cam_mm, directions))
    middle_px = middle.cpu().numpy()
    return HairOutline(points, directions, camera.to("cpu"), middle_px, end_px, tells, cut)


def _ends(
    hair: Bool[np.ndarray, "rays steps"], inside: Bool[np.ndarray, "rays steps"], gap: int
) -> tuple[Int[np.ndarray, "rays"], Bool[np.ndarray, "rays"]]:
    """The last step that shows hair before a gap, and whether the photo ends there."""
    n = hair.shape[1]
    step = np.arange(n)
    # The last hair at each step or before it; before the first there is a gap's worth of patience.
    last = np.maximum.accumulate(np.where(hair, step, -1), 1)
    broken = (step - np.maximum(last, 0) > gap) | ~inside
    first = np.where(broken.any(1), broken.argmax(1), n)
    before = np.maximum(first - 1, 0)
    end = np.maximum(np.take_along_axis(last, before[:, None], 1)[:, 0], 0)
    left = ~np.take_along_axis(inside, np.minimum(first, n - 1)[:, None], 1)[:, 0]
    return end, left & (before - end <= gap // 2) & (end > 0)


def polar(
    from_middle_px: Float[Tensor, "n 2"], rays: int
) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Which ray each place is nearest to, and how far out it lies."""
    x, y = from_middle_px.cpu().numpy().astype(np.float64).T
    angle = np.arctan2(y, x) % (2 * math.pi)
    return np.minimum((angle * rays / (2 * math.pi)).astype(int), rays - 1), np.hypot(x, y)
