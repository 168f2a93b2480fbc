"""Where a photo's hair ends: how far from the middle of the skull, ray by ray in the picture."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_map import DARKEST_LINEAR, HairMap
from fit3dmm.export.hair_raised import outward, skull
from fit3dmm.geometry.camera import Camera
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import BACKGROUND, Predicted
from fit3dmm.scene import Scene

# Angle of the first ray: down the picture, where a head has no hair of its own.
_DOWN = math.pi / 2


@dataclass(frozen=True)
class HairOutlineSettings(Settings):
    """What counts as hair along a ray: judgements by looking, not measurements."""

    rays: int = ranged(90, 8)
    """Directions in which a photo is asked where the hair ends."""
    inside_mm: float = ranged(8.0, 0.0)
    """How far within the head's outline the hair must begin."""
    step_mm: float = ranged(1.0, 0.1)
    """Between places along a ray."""
    reach_mm: float = ranged(80.0, 0.0)
    """How far beyond the head's outline it is followed."""
    hair_per_mm: float = ranged(0.06, 0.0)
    """Gain, as a logarithm of odds, for each millimetre of hair that is within the outline, and
    loss for each of what is no hair. Neighbours tell the same, so that it is little."""
    edge: float = ranged(3.0, 0.0)
    """The same for an edge of the picture that lies there."""
    contrast: float = ranged(0.7, 0.01)
    """Difference of colours, as natural logarithms, that makes a full edge."""
    edge_mm: float = ranged(5.0, 1.0)
    """Width of the strips on both sides of an edge that are compared."""
    bend_per_mm: float = ranged(0.12, 0.0)
    """Loss for each millimetre by which neighbouring rays differ."""
    most_bend_mm: float = ranged(15.0, 1.0)
    """The largest such difference."""


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
    predicted: Predicted | None,
    scene: Scene,
    points_cam_mm: Float[Tensor, "vertices 3"],
    hairy: Bool[Tensor, "vertices"],
    model: MorphableModel,
    settings: HairOutlineSettings,
) -> HairOutline:
    """Where the hair of one photo ends.

    Args:
        seen: where the photo shows hair.
        predicted: what the network saw, if one looked.
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
    angle = _DOWN + (np.arange(settings.rays) + 0.5) * (2 * math.pi / settings.rays)
    along = torch.tensor(np.stack([np.cos(angle), np.sin(angle)], -1)).to(middle)
    reach = settings.inside_mm + settings.reach_mm
    steps = np.arange(-settings.inside_mm, reach, settings.step_mm) / mm_per_px
    radii = torch.tensor(flat[:, None] + steps).to(middle)
    places = middle + radii[..., None] * along[:, None]
    found = shown_at(seen, predicted, camera, places.reshape(-1, 2))
    hair, colour, inside = (one.unflatten(0, radii.shape).cpu().numpy() for one in found)
    log_colour = np.log(colour.clip(DARKEST_LINEAR))
    end = most_likely(*gains_of(hair, log_colour, inside, settings), settings)
    gained = np.take_along_axis(np.cumsum(2 * hair - 1, 1), end[:, None], 1)[:, 0]
    # An edge without hair within it is the head's own.
    end = np.where(gained > 0, end, 0)
    room = inside.cumprod(1).sum(1)
    cut = (room < len(steps)) & (end >= room - 3) & (end > 0)
    beyond = (end > 0) * _half_way(colour, end, settings) / mm_per_px
    end_px = np.take_along_axis(radii.cpu().numpy(), end[:, None], 1)[:, 0] + beyond
    beside = flat - scalp < settings.inside_mm / mm_per_px
    tells = (scalp > 0) & (beside | (end_px > flat))
    points, directions = (one.cpu().numpy() for one in (points_cam_mm, directions))
    middle_px = middle.cpu().numpy()
    return HairOutline(points, directions, camera.to("cpu"), middle_px, end_px, tells, cut)


def shown_at(
    seen: HairMap, predicted: Predicted | None, camera: Camera, places_px: Float[Tensor, "places 2"]
) -> tuple[Float[Tensor, "places"], Float[Tensor, "places 3"], Bool[Tensor, "places"]]:
    """Probability of hair, linear colour, and whether the photo reaches, at places of the photo.

    Args:
        seen: where the photo shows hair.
        predicted: what the network saw, if one looked: what it takes for the wall is no hair.
        camera: of the photo.
        places_px: in the photo.
    """
    hair = seen.at(places_px)[:, 0]
    if predicted is not None:
        on_cpu = places_px.cpu()
        wall = predicted.cover_at(on_cpu)[BACKGROUND] * predicted.looked_at(on_cpu)
        hair = hair * (1 - wall.to(hair))
    size = places_px.new_tensor([camera.width_px, camera.height_px])
    # The cells of the map at the photo's border are half beyond it.
    border = 1.5 / float(seen.T_map_photo.linear_map(places_px.new_tensor([[1.0, 0.0]])).norm())
    inside = ((places_px > border) & (places_px < size - border)).all(-1)
    return hair, seen.colour_at(places_px), inside


def within_outline_mm(
    outline: HairOutline, points_cam_mm: Float[Tensor, "points 3"]
) -> Float[Tensor, "points"]:
    """How far within the outline the picture shows points; infinite where it is not told."""
    from_middle = outline.camera.project(points_cam_mm.cpu()) - torch.from_numpy(outline.middle_px)
    ray, radius = polar(from_middle, len(outline.tells))
    mm_per_px = -points_cam_mm[:, 2].cpu().numpy() / float(outline.camera.focal_px)
    within = (outline.end_px[ray] - radius) * mm_per_px
    return torch.from_numpy(np.where(outline.tells[ray], within, np.inf)).to(points_cam_mm)


def gains_of(
    hair: Float[np.ndarray, "rays steps"],
    log_colour: Float[np.ndarray, "rays steps 3"],
    inside: Bool[np.ndarray, "rays steps"],
    settings: HairOutlineSettings,
) -> tuple[Float[np.ndarray, "rays steps"], float]:
    """What speaks for each end of each ray, and the loss for a step by which neighbours differ."""
    mm = settings.step_mm
    region = settings.hair_per_mm * mm * np.cumsum(2 * hair - 1, 1)
    n, width = hair.shape[1], max(round(settings.edge_mm / mm), 1)
    sums = np.concatenate([np.zeros_like(log_colour[:, :1]), np.cumsum(log_colour, 1)], 1)
    step = np.arange(n)
    low, high = np.maximum(step - width, 0), np.minimum(step + width, n - 1)
    within = (sums[:, step] - sums[:, low]) / np.maximum(step - low, 1)[:, None]
    beyond = (sums[:, high + 1] - sums[:, step + 1]) / np.maximum(high - step, 1)[:, None]
    contrast = np.sqrt(np.square(within - beyond).mean(-1)) / settings.contrast
    # At the two ends of a ray there is nothing to compare.
    whole = (step >= width) & (step < n - width)
    there = np.logical_and.accumulate(inside, 1)
    far = np.minimum(step + width, n - 1)
    edge = settings.edge * np.tanh(contrast) * whole * there[:, far]
    return np.where(there | (step == 0), region + edge, -np.inf), settings.bend_per_mm * mm


def most_likely(
    gains: Float[np.ndarray, "rays steps"], bend: float, settings: HairOutlineSettings
) -> Int[np.ndarray, "rays"]:
    """The line around the head that gains most, by dynamic programming (Viterbi 1967). It is open
    at the first ray, which should be where nothing is told."""
    rays, n = gains.shape
    most = max(round(settings.most_bend_mm / settings.step_mm), 1)
    shift = np.arange(-most, most + 1)
    source = np.arange(n)[:, None] + shift
    loss = np.where((source >= 0) & (source < n), bend * np.abs(shift), np.inf)
    source = source.clip(0, n - 1)
    total, choice = gains[0], np.zeros((rays, n), int)
    for ray in range(1, rays):
        options = total[source] - loss
        best = options.argmax(1)
        choice[ray] = source[np.arange(n), best]
        total = options[np.arange(n), best] + gains[ray]
    end = np.zeros(rays, int)
    end[-1] = int(total.argmax())
    for ray in range(rays - 1, 0, -1):
        end[ray - 1] = choice[ray, end[ray]]
    return end


def _half_way(
    colour: Float[np.ndarray, "rays steps 3"],
    end: Int[np.ndarray, "rays"],
    settings: HairOutlineSettings,
) -> Float[np.ndarray, "rays"]:
    """Millimetres from the end of each ray to where the hair's share of a cell's light is a half:
    cells mix it with what is behind, and logarithms of mixtures draw near to the lighter one."""
    width = max(round(settings.edge_mm / settings.step_mm), 1)
    around = np.arange(-2 * width, 2 * width + 1)
    at = (end[:, None] + around).clip(0, colour.shape[1] - 1)
    strip = np.take_along_axis(colour, at[..., None], 1)
    inner, outer = strip[:, :width].mean(1), strip[:, -width:].mean(1)
    change = outer - inner
    share = ((strip - inner[:, None]) * change[:, None]).sum(-1)
    share = (share / np.square(change).sum(-1, keepdims=True).clip(1e-9)).clip(0, 1)
    middle = (1 - share[:, width : 3 * width + 1]).sum(1) - (width + 0.5)
    log_change = np.log(outer.clip(DARKEST_LINEAR)) - np.log(inner.clip(DARKEST_LINEAR))
    clear = np.sqrt(np.square(log_change).mean(-1)) > settings.contrast / 2
    return np.where(clear, middle * settings.step_mm, 0.0)


def polar(
    from_middle_px: Float[Tensor, "n 2"], rays: int
) -> tuple[Int[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Which ray each place is nearest to, from the one that points down the picture and clockwise,
    and how far out it lies."""
    x, y = from_middle_px.cpu().numpy().astype(np.float64).T
    angle = (np.arctan2(y, x) - _DOWN) % (2 * math.pi)
    return np.minimum((angle * rays / (2 * math.pi)).astype(int), rays - 1), np.hypot(x, y)
