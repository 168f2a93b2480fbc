"""The depth of the fitted head in the photo's own pixels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float

from fit3dmm._files import atomic_path
from fit3dmm.geometry.transform import Similarity
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import depth, posed
from fit3dmm.scene import Scene

# Of the region `face` at a pixel: the mask ends where the region fades by half.
_FACE_WEIGHT = 0.5


@dataclass(frozen=True)
class DepthMap:
    """Depth in a box of the photo: element `[y - top, x - left]` is pixel (x, y)."""

    depth_mm: Float[np.ndarray, "height width"]
    """Distance from the plane of the camera; NaN where the head is not."""
    face: Bool[np.ndarray, "height width"]
    """Where the model's face is seen, which the photo was compared with."""
    box_px: tuple[int, int, int, int]
    """Left, top, right and bottom in the photo, the last two excluded."""


def depth_map(model: MorphableModel, scene: Scene) -> DepthMap:
    """Render the depth at the photo's resolution, in the smallest box that holds the head.

    A head outside the photo has a box of one pixel, and no depth.
    """
    camera = scene.camera
    points = posed(model, scene)
    px = camera.project(points)
    limit = px.new_tensor([camera.width_px - 1, camera.height_px - 1])
    left, top = px.amin(0).floor().clamp_min(0).minimum(limit).int().tolist()
    right, bottom = (px.amax(0).floor().clamp_min(0).minimum(limit).int() + 1).tolist()
    width, height = max(right - left, 1), max(bottom - top, 1)
    shift = Similarity.in_plane(1.0, (float(-left), float(-top))).to(points.device)
    boxed = camera.cropped(shift, width, height)
    topology = model.surface.topology
    depth_mm, fragments = depth(points, topology, boxed)
    backend = choose_backend("auto", points.device)
    weight = model.regions["face"][None, :, None]
    face = backend.interpolate(weight, topology.triangles, fragments)[0, ..., 0]
    depth_mm = torch.where(fragments.covered[0], depth_mm, torch.nan)
    return DepthMap(
        depth_mm.detach().cpu().numpy().astype(np.float32),
        (face > _FACE_WEIGHT).cpu().numpy(),
        (left, top, left + width, top + height),
    )


def write_depth(found: DepthMap, path: Path) -> None:
    """Write the depth as a NumPy array of float32.

    Raises:
        InputError: the folder can't be written to.
    """
    with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
        np.save(file, found.depth_mm)
