"""Where a photo shows hair that hangs beside the face and the neck, row by row down the head."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.ndimage import (
    binary_closing,
    gaussian_filter1d,
    label,
    maximum_filter1d,
    uniform_filter1d,
)
from torch import Tensor

from fit3dmm._settings import Settings, ranged
from fit3dmm.export.hair_map import DARKEST_LINEAR, HairMap
from fit3dmm.export.hair_outline import HairOutlineSettings, gains_of, most_likely, shown_at
from fit3dmm.observe.predicted import Predicted
from fit3dmm.scene import Scene

SIDES = (1.0, -1.0)
"""Signs of x of the subject's left and right."""


@dataclass(frozen=True)
class HairBesideSettings(Settings):
    """What counts as hanging hair: judgements by looking, not measurements."""

    outline: HairOutlineSettings = field(default_factory=HairOutlineSettings)
    """How its outer line is found."""
    top_mm: float = 84.0
    """Height, in the `model` frame, of the highest row: it lies on the scalp."""
    bottom_mm: float = ranged(-165.0, -400.0)
    """The same of the lowest: the neck ends there."""
    row_mm: float = ranged(3.0, 0.5)
    """Between rows."""
    nearest_mm: tuple[float, float] = ranged((48.0, 34.0), 0.0)
    """Least distance from the middle of the face of what hangs beside brows, and beside the chin:
    what is nearer is a fringe, or a beard."""
    reach_mm: float = ranged(190.0, 0.0)
    """The farthest."""
    front_z_mm: float = 15.0
    """Depth, in the `model` frame, of its rims beside the face."""
    widest_z_mm: float = ranged(-12.0, -100.0)
    """The same of where it is as wide as it gets."""
    least_mm: float = ranged(9.0, 0.0)
    """Width in the photo from which it is any."""
    beyond_mm: float = ranged(6.0, 0.0)
    """How far it reaches beyond jaw and neck."""
    gap_mm: float = ranged(15.0, 0.0)
    """How far down a side it may be missing, by an earring."""
    beside_mm: tuple[float, float] = ranged((-65.0, -22.0), -400.0)
    """Heights at which hair must be seen to hang: the lower one is beside the throat."""
    hangs_to_mm: float = ranged(-30.0, -400.0)
    """Height down to which it must: the ears end at -28."""
    alone_mm: float = ranged(26.0, 0.0)
    """How far it must reach beyond jaw and neck on average where the other side shows none."""
    over_ear: float = ranged(0.25, 0.0, 1.0)
    """Share of an ear that it must hide, at one side at least: beside a bare ear it is tucked away,
    or a wall or a collar that looks like hair."""
    contrast: tuple[float, float] = ranged((0.25, 1.0), 0.0)
    """How much less hair there must be beyond its outline than within, at one side at least, and
    how far apart the natural logarithms of their colours: before what is alike none is seen."""
    contrast_mm: float = ranged(9.0, 0.0)
    """Distance from the outline at which these are compared."""
    edge_mm: float = ranged(18.0, 0.0)
    """Least height along which they are."""
    ends_below: float = ranged(0.6, 0.0, 1.0)
    """Share of its usual width at which it ends, where it grows narrow: clothes begin there."""
    sure_from: float = ranged(0.85, 0.0, 1.0)
    """The same from which it counts as it is, further down than `beside_mm`."""


@dataclass(frozen=True)
class HairBeside:
    """Hair beside face and neck in one photo; the subject's left side first."""

    heights_mm: Float[np.ndarray, "rows"]
    """Of the rows in the `model` frame, from the top down."""
    inner_mm: Float[np.ndarray, "2 rows"]
    """Distance of the rim beside the face from the plane between left and right."""
    outer_mm: Float[np.ndarray, "2 rows"]
    """The same of the outline."""
    end_mm: Float[np.ndarray, "2"]
    """Height to which each side hangs."""
    seen: Bool[np.ndarray, "2"]
    """Sides that the photo tells of; the other is a mirror image."""


def hair_beside(
    seen: HairMap,
    predicted: Predicted | None,
    scene: Scene,
    head_mm: Float[np.ndarray, "vertices 3"],
    ears_mm: Float[np.ndarray, "ears 3"],
    settings: HairBesideSettings,
) -> HairBeside | None:
    """Hair that hangs beside face and neck in one photo; None where there is none.

    Args:
        seen: where the photo shows hair.
        predicted: what the network saw, if one looked.
        scene: in the `photo` frame, without batch axes.
        head_mm: its skin, in the `model` frame.
        ears_mm: of it, those of the ears; a model that knows none is not asked for them.
        settings: what counts as hair.
    """
    n_rows = int((settings.top_mm - settings.bottom_mm) / settings.row_mm)
    heights = settings.top_mm - settings.row_mm * np.arange(n_rows)
    inner, outer = np.zeros((2, 2, n_rows))
    end, plain = np.full(2, np.inf), np.zeros(2, bool)
    half_mm = [_half_width_mm(head_mm, heights, sign) for sign in SIDES]
    for k, sign in enumerate(SIDES):
        beyond = half_mm[k] + settings.beyond_mm
        found = _side(seen, predicted, scene, heights, sign, beyond, settings)
        if found is not None:
            inner[k], outer[k], end[k], plain[k] = found
    hangs = np.isfinite(end)
    if not plain.any():
        return None
    if len(ears_mm):
        hidden = np.array([_hidden(seen, scene, ears_mm, sign) for sign in SIDES])
        if not (hidden[hangs] > settings.over_ear).any():
            return None
    if not hangs.all():
        # Of what the map misses at one side the other tells, if it is surely hair.
        told = int(np.argmax(hangs))
        rows = heights < settings.beside_mm[1]
        rows &= heights > end[told]
        reach = outer[told] - half_mm[told]
        if reach[rows].mean() < settings.alone_mm:
            return None
        for line in (inner, outer, end):
            line[1 - told] = line[told]
    return HairBeside(heights, inner, outer, end, hangs)


def _side(
    seen: HairMap,
    predicted: Predicted | None,
    scene: Scene,
    heights_mm: Float[np.ndarray, "rows"],
    sign: float,
    beyond_mm: Float[np.ndarray, "rows"],
    settings: HairBesideSettings,
) -> tuple[Float[np.ndarray, "rows"], Float[np.ndarray, "rows"], float, bool] | None:
    """Inner and outer line of one side, the height at which it ends, and whether the outer one is
    an edge."""
    how, step = settings.outline, settings.outline.step_mm
    first = min(settings.nearest_mm)
    away = np.arange(first, settings.reach_mm, step)
    hair, colour, inside = _sampled(
        *(seen, predicted, scene, heights_mm, sign * away, settings.widest_z_mm)
    )
    log_colour = np.log(colour.clip(DARKEST_LINEAR))
    width = max(round(settings.least_mm / step), 1)
    dense = uniform_filter1d(hair, width, axis=1) > 0.5
    begins = np.where(dense.any(1), dense.argmax(1) - width // 2, 0)
    before = np.arange(len(away)) < begins[:, None]
    outer = most_likely(*gains_of(np.where(before, 0.5, hair), log_colour, inside, how), how)
    on_edge = np.concatenate([hair[..., None], log_colour], -1)
    hair, _, _ = _sampled(*(seen, predicted, scene, heights_mm, sign * away, settings.front_z_mm))
    by_brows, by_chin = settings.nearest_mm
    low = np.clip((heights_mm - 45.0) / -100.0, 0, 1)
    nearest = by_brows + low * (by_chin - by_brows)
    gain = -how.hair_per_mm * step * np.cumsum(2 * hair - 1, 1)
    gain = gain - gain[:, :1]
    beyond = np.arange(len(away)) > np.maximum(outer, 1)[:, None]
    near = away < nearest[:, None]
    gain = np.where((beyond | near) & (np.arange(len(away)) > 0), -1e3, gain)
    gain[:, 0] = np.where(near[:, 0], -1e2, gain[:, 0])
    inner = most_likely(gain, how.bend_per_mm * step, how)
    inner_mm, outer_mm = away[inner], away[outer]
    there = (outer_mm - inner_mm > settings.least_mm) & inside[np.arange(len(inside)), outer]
    # What lies on the face is a beard.
    there &= (heights_mm > settings.beside_mm[1]) | (outer_mm > beyond_mm)
    gap = max(round(settings.gap_mm / settings.row_mm), 1)
    closed: Any = binary_closing(np.pad(there, gap), np.ones(gap))
    named: Any = label(closed[gap:-gap] | there)
    parts = named[0]
    low_mm, high_mm = settings.beside_mm
    beside = (heights_mm > low_mm) & (heights_mm < high_mm) & there
    if not beside.any():
        return None
    part = parts == np.bincount(parts[beside]).argmax()
    rows = np.flatnonzero(part & there)
    wide = outer_mm - inner_mm
    usual_mm = np.median(wide[rows][heights_mm[rows] < high_mm])
    rows = rows[wide[rows] > settings.ends_below * usual_mm]
    end_mm = float(heights_mm[rows[-1]])
    if end_mm > settings.hangs_to_mm:
        return None
    # Where clothes begin the lines draw near to each other: they go on as they came.
    sure = (heights_mm > low_mm) | (wide > settings.sure_from * usual_mm)
    rows = np.flatnonzero(there & sure)
    lines = [
        gaussian_filter1d(np.interp(np.arange(len(there)), rows, line[rows]), 2.0)
        for line in (inner_mm, outer_mm)
    ]
    below = (heights_mm < high_mm) & (heights_mm > end_mm)
    return lines[0], lines[1], end_mm, _is_edge(on_edge[below], outer[below], settings)


def _is_edge(
    values: Float[np.ndarray, "rows steps 4"], outer: np.ndarray, settings: HairBesideSettings
) -> bool:
    """Whether the outline has hair on one side alone, and another colour on the other: by the
    probability of hair and the logarithms of the colour beside the head."""
    if len(outer) * settings.row_mm < settings.edge_mm:
        return False
    off = round(settings.contrast_mm / settings.outline.step_mm)
    rows, last = np.arange(len(outer)), values.shape[1] - 1
    change = values[rows, np.maximum(outer - off, 0)] - values[rows, np.minimum(outer + off, last)]
    less, apart = change[:, 0].mean(), np.median(np.linalg.norm(change[:, 1:], axis=1))
    return bool(less > settings.contrast[0] and apart > settings.contrast[1])


def _hidden(
    seen: HairMap, scene: Scene, ears_mm: Float[np.ndarray, "ears 3"], sign: float
) -> float:
    """Which share of the ear at one side shows hair."""
    ear = torch.from_numpy(ears_mm[sign * ears_mm[:, 0] > 0]).float()
    return float(seen.at(scene.camera.project(scene.pose.T_cam_model @ ear))[:, 0].mean())


def _half_width_mm(
    head_mm: Float[np.ndarray, "vertices 3"], heights_mm: Float[np.ndarray, "rows"], sign: float
) -> Float[np.ndarray, "rows"]:
    """How far the head and its neck reach to one side, level by level."""
    step = heights_mm[0] - heights_mm[1]
    row = np.round((heights_mm[0] - head_mm[:, 1]) / step).astype(int)
    there = (row >= 0) & (row < len(heights_mm))
    wide = np.zeros(len(heights_mm))
    np.maximum.at(wide, row[there], sign * head_mm[there, 0])
    return maximum_filter1d(wide, 3)


def _sampled(
    seen: HairMap,
    predicted: Predicted | None,
    scene: Scene,
    heights_mm: Float[np.ndarray, "rows"],
    x_mm: Float[np.ndarray, "steps"],
    z_mm: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probability of hair, colour, and whether the photo shows it, at places beside the head."""
    rows, steps = len(heights_mm), len(x_mm)
    points = np.stack(
        [
            np.broadcast_to(x_mm, (rows, steps)),
            np.broadcast_to(heights_mm[:, None], (rows, steps)),
            np.full((rows, steps), z_mm),
        ],
        -1,
    ).reshape(-1, 3)
    places = scene.camera.project(scene.pose.T_cam_model @ torch.from_numpy(points).float())
    hair, colour, inside = shown_at(seen, predicted, scene.camera, places)
    found = (hair.double(), colour.double(), inside & _on_map(seen, places))
    hair, colour, inside = (one.unflatten(0, (rows, steps)).cpu().numpy() for one in found)
    return hair, colour, inside


def _on_map(seen: HairMap, places_px: Float[Tensor, "places 2"]) -> Bool[Tensor, "places"]:
    cells = seen.T_map_photo @ places_px
    return ((cells > 1) & (cells < len(seen.hair) - 1)).all(-1)
