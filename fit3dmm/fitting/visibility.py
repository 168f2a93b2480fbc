"""What of the face is seen at some values of the unknowns: decided once a stage."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from fit3dmm.geometry.surface_points import SurfacePoints
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.observation import Observation
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.depth import depth
from fit3dmm.scene import Scene

# A point this far behind the surface that is rendered in its place still counts as that surface:
# pixels are a millimetre or two wide and the surface slants.
_DEPTH_TOLERANCE_MM = 4.0

Made = TypeVar("Made")


@dataclass(frozen=True)
class VisibleSurface:
    """The surface of a scene, and its depth in the crop."""

    shape_mm: Float[Tensor, "vertices 3"]
    """In `model`."""
    cam_mm: Float[Tensor, "vertices 3"]
    normals_cam: Float[Tensor, "vertices 3"]
    depth_mm: Float[Tensor, "size size"]
    """Of the crop; infinite where no surface is."""
    model: MorphableModel
    observation: Observation
    scene: Scene
    _kept: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def once(self, what: Any, make: Callable[[], Made]) -> Made:
        """What follows from the shape and where it is seen alone: made by the first who asks, and
        the same in all stages that do not move the shape.

        Args:
            what: its name, hashable.
            make: how it is made.
        """
        if what not in self._kept:
            self._kept[what] = make()
        return self._kept[what]

    def at(self, places: SurfacePoints[Tensor]) -> "SeenPoints":
        """How points of the surface are seen."""
        triangles = self.model.surface.triangles
        cam = places.locate(self.cam_mm, triangles)
        normal = places.locate(self.normals_cam, triangles)
        normal = torch.nn.functional.normalize(normal, dim=1)
        towards = torch.nn.functional.normalize(-cam, dim=1)
        px = self.observation.T_crop_photo @ self.scene.camera.project(cam)
        size = self.observation.size_px
        column, row = px.floor().long().clamp(0, size - 1).unbind(1)
        inside = ((px >= 0) & (px < size)).all(1) & self.observation.inside[row, column]
        in_front = -cam[:, 2] < self.depth_mm[row, column] + _DEPTH_TOLERANCE_MM
        return SeenPoints(cam, normal, (normal * towards).sum(1), in_front, inside, row, column)


@dataclass(frozen=True)
class SeenPoints:
    """How points of the surface are seen."""

    cam_mm: Float[Tensor, "points 3"]
    normal_cam: Float[Tensor, "points 3"]
    facing: Float[Tensor, "points"]
    """Cosine between the normal and the direction to the camera; negative on the far side."""
    in_front: Bool[Tensor, "points"]
    """Not hidden behind another part of the surface."""
    inside: Bool[Tensor, "points"]
    """Within the crop and the photo."""
    row: Tensor
    column: Tensor


def visible_surface(
    model: MorphableModel, observation: Observation, scene: Scene
) -> VisibleSurface:
    """Place the surface and render its depth in the crop."""
    backend = choose_backend("auto", model.mean_mm.device)
    shape = model.shape_mm(scene.coefficients)
    cam = scene.pose.T_cam_model @ shape
    size = observation.size_px
    crop_camera = scene.camera.cropped(observation.T_crop_photo, size, size)
    depth_mm, _ = depth(cam, model.surface.topology, crop_camera)
    normals = backend.vertex_normals(cam, model.surface.topology)
    return VisibleSurface(shape, cam, normals, depth_mm, model, observation, scene)
