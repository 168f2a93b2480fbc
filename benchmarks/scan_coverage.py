"""What a fit says of a scanned head in a photo whose camera is known, and how far off it is.

A scan has no vertices of ours, so that depths are compared along the rays of the photo's pixels,
and places at NoW's seven landmarks.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm.energy.model_points import base_points, model_points
from fit3dmm.energy.points import Projection
from fit3dmm.evaluate.coverage import Told
from fit3dmm.fitting import FitResult
from fit3dmm.fitting.intervals import PEAKED
from fit3dmm.fitting.misfit import Misfit, misfit_mm
from fit3dmm.fitting.vertex_sigma import (
    depth_wrt,
    distance_log_variance,
    face_rows,
    in_photo,
    place_variance_px2,
)
from fit3dmm.geometry.closest_point import index_surface
from fit3dmm.geometry.mesh import vertex_normals
from fit3dmm.model.landmarks import NOW7_IN_IBUG68
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.synthetic.tracer import first_hits
from real_heads import shared_folder

_FACING = 0.5
"""Cosine between normal and ray below which a depth changes too fast along the picture."""
# Photos hold a pixel's colour for what lies within it.
_MOST_OFF_MM = 25.0


@dataclass(frozen=True)
class KnownView:
    """A photo of a scan, and where it was taken from (OpenCV's axes)."""

    photo: Path
    intrinsics: Float[np.ndarray, "3 3"]
    rotation: Float[np.ndarray, "3 3"]
    translation_mm: Float[np.ndarray, "3"]


@dataclass(frozen=True)
class KnownScan:
    """A scan with its photos, in its own millimetres."""

    vertices_mm: Float[np.ndarray, "vertices 3"]
    triangles: np.ndarray
    counts: Bool[np.ndarray, "triangles"]
    """Which triangles are facial skin."""
    landmarks7_mm: Float[np.ndarray, "7 3"]
    views: tuple[KnownView, ...]


def find_scan(name: str) -> KnownScan | None:
    """`jon` or `lee-perry-smith`, where this machine has it."""
    folder, scan, pictures, suffix = {
        "jon": ("jon", "scan.npz", "photos", ".jpg"),
        "lee-perry-smith": ("lee_perry_smith", "scan_visible.npz", "", ".png"),
    }[name]
    place = shared_folder() / folder
    if not (place / scan).is_file():
        return None
    with np.load(place / scan, allow_pickle=False) as archive:
        vertices, triangles = archive["v"].astype(float), archive["f"].astype(np.int64)
        mask = archive["mask"] if "mask" in archive.files else np.ones(len(vertices), bool)
        seven = archive["now7"].astype(float)
    views = json.loads((place / "cameras.json").read_text(encoding="utf-8"))["views"]
    known = (
        KnownView(
            place / pictures / f"{view}{suffix}",
            *(np.array(camera[key], dtype=float) for key in ("K", "R", "t")),
        )
        for view, camera in views.items()
    )
    return KnownScan(vertices, triangles, np.all(mask[triangles], axis=1), seven, tuple(known))


def told_of_scan(
    result: FitResult,
    model: MorphableModel,
    scan: KnownScan,
    view: KnownView,
    misfit: Misfit | None = None,
) -> Mapping[str, Told]:
    """`relief`, `place` and `distance` as `evaluate.coverage` has them; the scan's size, which
    nobody knows, is taken for the truth."""
    with torch.no_grad():
        rows = face_rows(model)
        at = in_photo(result, base_points(model, rows))
        beyond_mm = misfit_mm(model, model.mean_mm[rows], misfit)
        seven = model.landmarks["ibug68"].take(list(NOW7_IN_IBUG68))
        of_seven = in_photo(result, model_points(model, seven))
        seven_mm = seven.locate(model.shape_mm(model.zeros()), model.surface.triangles)
        across_mm = misfit_mm(model, seven_mm, (misfit or Misfit()).across())
        normals = _normals(result, model)[rows]
        return {
            "relief": _relief(result, at, beyond_mm, normals, scan, view),
            "place": _place(result, of_seven, across_mm, scan, view),
            "distance": _distance(result, of_seven, scan, view),
        }


def _normals(result: FitResult, model: MorphableModel) -> Float[Tensor, "vertices 3"]:
    shape = result.scene.pose.T_cam_model @ model.shape_mm(result.scene.coefficients)
    return vertex_normals(shape, model.surface.topology)


def _relief(
    result: FitResult,
    at: Projection,
    beyond_mm: Float[Tensor, "points"],
    normals: Float[Tensor, "points 3"],
    scan: KnownScan,
    view: KnownView,
) -> Told:
    """Depths along the rays of the fitted vertices' pixels, less their mean."""
    found = first_hits(
        index_surface(scan.vertices_mm, scan.triangles),
        -view.rotation.T @ view.translation_mm,
        _rays(view, at.px.double().numpy()),
    )
    met = (found.triangle >= 0) & scan.counts[found.triangle]
    depth_mm = -at.cam_mm[:, 2]
    ray = at.cam_mm / depth_mm[:, None]
    # Of the depth at a pixel by a movement of the surface there: n / (n . ray).
    slant = (normals * ray).sum(1)
    seen = torch.from_numpy(met) & (slant / ray.norm(dim=1) < -_FACING)
    by_movement = normals / slant[:, None]
    focal_px = result.scene.camera.focal_px
    off_axis = depth_mm[:, None] / focal_px * by_movement[:, :2] * normals.new_tensor([-1.0, 1.0])
    by_place = at.pull_back(off_axis[:, None], result.uncertainty.names)
    by_depth = depth_wrt(at, result.uncertainty.names)
    wrt = {}
    for name in by_place:
        slopes = by_place[name][seen] * -1
        slopes = slopes + by_depth[name][seen] if name in by_depth else slopes
        wrt[name] = slopes - slopes.mean(0)
    beyond = (beyond_mm[:, None] * by_movement)[seen].square().sum(1)
    sigma = (beyond + result.uncertainty.variance_of(wrt)).sqrt()
    depth = depth_mm[seen].double().numpy()
    true = found.distance[seen.numpy()]
    error = (depth - depth.mean()) - (true - true.mean())
    near = np.abs(error) < _MOST_OFF_MM
    return Told(error[near], sigma.double().numpy()[near])


def _place(
    result: FitResult,
    at: Projection,
    beyond_mm: Float[Tensor, "points"],
    scan: KnownScan,
    view: KnownView,
) -> Told:
    cam = scan.landmarks7_mm @ view.rotation.T + view.translation_mm
    true_px = (cam @ view.intrinsics.T)[:, :2] / cam[:, 2:]
    px_per_mm = result.focal_px / -float(at.cam_mm[:, 2].mean())
    sigma_px = place_variance_px2(result, at, beyond_mm).sqrt().double().numpy()
    error_px = at.px.double().numpy() - true_px
    return Told((error_px / px_per_mm).flatten(), (sigma_px / px_per_mm).flatten(), PEAKED)


def _distance(result: FitResult, at: Projection, scan: KnownScan, view: KnownView) -> Told:
    true_mm = (scan.landmarks7_mm @ view.rotation.T + view.translation_mm)[:, 2].mean()
    error = math.log(-float(at.cam_mm[:, 2].mean()) / true_mm)
    sigma = np.array([float(distance_log_variance(result, at).sqrt())])
    return Told(np.array([error]), sigma)


def _rays(view: KnownView, px: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 3"]:
    """Directions in the scan's axes that are 1 mm long in depth."""
    homogeneous = np.concatenate([px, np.ones((len(px), 1))], axis=1)
    return homogeneous @ np.linalg.inv(view.intrinsics).T @ view.rotation
