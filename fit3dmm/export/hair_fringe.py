"""Where a photo shows hair that hangs over the forehead: how far down, column by column.

The map of the photo's hair is coarse, and takes the thin lower part of a fringe for skin. So here
each place of the forehead is asked anew, as finely as the photo shows it: whether its colour, less
the light's, is that of the hair above or that of the skin below.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, grey_closing
from torch import Tensor

from fit3dmm.export.hair_fringe_settings import FringeSettings
from fit3dmm.export.hair_front import Front, front
from fit3dmm.export.hair_map import HairMap
from fit3dmm.export.hair_outline import most_likely
from fit3dmm.export.hair_raised import outward
from fit3dmm.export.view import BLACK_LINEAR, PhotoView
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.predicted import HAIR, OTHER, Predicted
from fit3dmm.scene import Scene

# Probabilities that the network tells are taken for no surer than these.
_SURE = (0.05, 0.95)


@dataclass(frozen=True, eq=False)
class Fringe:
    """Hair over the forehead in one photo, in the columns of `hair_front`."""

    end_row: Float[np.ndarray, "columns"]
    """Row of the grid in which it ends; 0 where there is none."""
    down_mm: Float[np.ndarray, "columns"]
    """How far below the usual hairline that is; negative above it."""


def fringe_seen(
    seen: HairMap,
    predicted: Predicted | None,
    scene: Scene,
    view: PhotoView,
    light_linear: Float[Tensor, "vertices 3"],
    model: MorphableModel,
    settings: FringeSettings,
) -> Fringe | None:
    """Hair over the forehead in one photo; None where there is none.

    Args:
        seen: where the photo shows hair.
        predicted: what the network saw, if one looked.
        scene: in the `photo` frame, without batch axes.
        view: the photo around the face.
        light_linear: what white skin would show.
        model: the one that was fitted.
        settings: what counts as one.
    """
    grid = front(model, settings.front)
    if grid is None:
        return None
    odds = _log_odds(grid, seen, predicted, scene, view, light_linear, model, settings)
    if odds is None:
        return None
    odds = gaussian_filter1d(odds, settings.lock_columns, axis=1)
    row_mm, hairline = _rows(grid, model, settings)
    gains = np.cumsum(settings.odds_per_mm * row_mm * odds, 0).T
    gains = np.concatenate([np.zeros_like(gains[:, :1]), gains], 1)
    line = settings.line
    end = most_likely(gains, settings.bend_per_mm * float(row_mm.mean()), line).astype(float)
    down_mm = (end - hairline) * row_mm.mean(0)
    filled = grey_closing(down_mm, settings.gap_columns) - settings.gap_mm
    down_mm = _pointed(np.maximum(down_mm, filled), settings)
    end = hairline + down_mm / row_mm.mean(0)
    return Fringe(end, down_mm) if _is_one(down_mm, grid, model, settings) else None


def _pointed(
    down_mm: Float[np.ndarray, "columns"], settings: FringeSettings
) -> Float[np.ndarray, "columns"]:
    """Locks whose sides are no steeper than `steepest_mm` a column."""
    n = len(down_mm)
    apart = np.abs(np.arange(n)[:, None] - np.arange(n))
    return (down_mm + settings.steepest_mm * apart).min(1)


def _is_one(
    down_mm: Float[np.ndarray, "columns"],
    grid: Front,
    model: MorphableModel,
    settings: FringeSettings,
) -> bool:
    """Whether enough hangs down."""
    points = grid.at(model.shape_mm(model.zeros())).reshape(*grid.shape, 3)[grid.shape[0] // 2]
    column_mm = float((points[1:] - points[:-1]).norm(dim=-1).mean())
    down_mm = down_mm[np.abs(grid.azimuth_deg) < settings.middle_deg]
    wide_mm = column_mm * int((down_mm > settings.least_down_mm).sum())
    area_cm2 = column_mm * float((down_mm - settings.short_mm).clip(0).sum()) / 100
    return wide_mm > settings.least_wide_mm and area_cm2 > settings.least_cm2


def forehead(
    model: MorphableModel, shape_mm: Float[Tensor, "vertices 3"], settings: FringeSettings
) -> Float[Tensor, "places 3"]:
    """Places below the usual hairline and above the brows, in the `model` frame; none of a model
    without a scalp.

    Args:
        model: the one that was fitted.
        shape_mm: a person's head.
        settings: where a fringe is looked for.
    """
    grid = front(model, settings.front)
    if grid is None:
        return shape_mm[:0]
    _, hairline = _rows(grid, model, settings)
    below = np.arange(grid.shape[0])[:, None] > hairline
    there = below & (np.abs(grid.azimuth_deg) < settings.middle_deg)
    places = grid.at(shape_mm + settings.off_mm * outward(model).to(shape_mm))
    return places[torch.from_numpy(there).to(places.device).flatten()]


def _rows(
    grid: Front, model: MorphableModel, settings: FringeSettings
) -> tuple[Float[np.ndarray, "rows columns"], Float[np.ndarray, "columns"]]:
    """Distance of each row from the one above on the mean head, and the row of the hairline."""
    points = grid.at(model.shape_mm(model.zeros())).reshape(*grid.shape, 3).cpu().numpy()
    apart = np.linalg.norm(np.diff(points, axis=0), axis=-1)
    row_mm = np.concatenate([apart[:1], apart])
    scalp = grid.at(model.regions["scalp"][:, None]).reshape(grid.shape).cpu().numpy() > 0.5
    rows = np.arange(len(scalp))[:, None]
    lowest = np.where(scalp, rows, 0).max(0) + settings.below_scalp_mm / row_mm.mean(0)
    return row_mm, gaussian_filter1d(lowest, 2.0)


def _log_odds(
    grid: Front,
    seen: HairMap,
    predicted: Predicted | None,
    scene: Scene,
    view: PhotoView,
    light_linear: Float[Tensor, "vertices 3"],
    model: MorphableModel,
    settings: FringeSettings,
) -> Float[np.ndarray, "rows columns"] | None:
    """For hair over skin at each place; None where these look alike, or too little is seen."""
    T = scene.pose.T_cam_model
    shape = model.shape_mm(scene.coefficients)
    points = T @ grid.at(shape + settings.off_mm * outward(model).to(shape))
    px = view.camera.project(points)
    samples = torch.cat([view.image_linear, view.inside[..., None]], -1)
    colour, inside = view.at(samples, px).split([3, 1], -1)
    light = grid.at(light_linear).clamp_min(BLACK_LINEAR)
    features = _features(colour / light)
    photo_px = view.T_view_photo.inverse() @ px
    hair, skin = seen.at(photo_px).unbind(-1)
    told, cover = torch.zeros_like(hair), None
    if predicted is not None:
        cover = predicted.cover_at(photo_px.cpu()).to(hair)
        told = cover[HAIR].clamp(*_SURE).logit()
    there = inside[:, 0] > 0.99
    well = _facing(points, grid) > settings.grazing
    hairy = there & well & (hair > settings.sure)
    if cover is not None and hairy.any() and float(cover[OTHER, hairy].mean()) > settings.cap:
        return None
    face = (model.regions["face"] > 0.5) & (model.regions["skin"] > 0.5)
    on_face = view.camera.project(T @ shape)
    shown = seen.at(view.T_view_photo.inverse() @ on_face)[:, 1] > settings.sure
    lit = light_linear.amin(-1) > 0.3 * light_linear[face].median()
    sure_skin = (face & shown & lit).nonzero()[:, 0]
    if int(hairy.sum()) < settings.fewest or len(sure_skin) < settings.fewest:
        return None
    of_skin = _features(
        view.at(view.image_linear, on_face[sure_skin])
        / light_linear[sure_skin].clamp_min(BLACK_LINEAR)
    )
    least = features.new_tensor(settings.least_spread)
    (hair_middle, hair_spread), (skin_middle, skin_spread) = (
        _usual(one, least) for one in (features[hairy], of_skin)
    )
    pooled = (hair_spread.square() + skin_spread.square()) / 2
    apart = ((hair_middle - skin_middle).square() / pooled).sum().sqrt()
    if float(apart) < settings.least_apart:
        return None
    odds = _log_density(features, hair_middle, hair_spread) - _log_density(
        features, skin_middle, skin_spread
    )
    most = settings.most_odds
    odds = torch.where(well, odds.clamp(-most, most), most * (hair - skin))
    odds = torch.where(there, odds + settings.network * told, torch.zeros_like(odds))
    return odds.reshape(grid.shape).double().cpu().numpy()


def _facing(points_cam_mm: Float[Tensor, "places 3"], grid: Front) -> Float[Tensor, "places"]:
    """Cosine between the grid's surface and the view."""
    points = points_cam_mm.reshape(*grid.shape, 3)
    down, aside = torch.gradient(points, dim=(0, 1))
    normals = torch.nn.functional.normalize(torch.linalg.cross(down, aside), dim=-1)
    view = torch.nn.functional.normalize(points, dim=-1)
    return -(normals * view).sum(-1).reshape(-1)


def _features(colour_linear: Float[Tensor, "n 3"]) -> Float[Tensor, "n 3"]:
    """Lightness, red over green, yellow over blue; natural logarithms."""
    red, green, blue = colour_linear.clamp_min(BLACK_LINEAR).log().unbind(-1)
    return torch.stack([(red + green + blue) / 3, red - green, (red + green) / 2 - blue], -1)


def _usual(
    features: Float[Tensor, "n 3"], least: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "3"], Float[Tensor, "3"]]:
    """Medians, and spreads that a few odd places do not change."""
    middle = features.median(0).values
    return middle, torch.maximum(1.48 * (features - middle).abs().median(0).values, least)


def _log_density(
    features: Float[Tensor, "n 3"], middle: Float[Tensor, "3"], spread: Float[Tensor, "3"]
) -> Float[Tensor, "n"]:
    return -(0.5 * ((features - middle) / spread).square() + spread.log()).sum(-1)
