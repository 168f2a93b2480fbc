"""The surface of a scene before the camera, and its depth in a picture."""

import torch
from jaxtyping import Float
from torch import Tensor

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.render.backend import choose_backend
from fit3dmm.render.fragments import Fragments
from fit3dmm.scene import Scene


def posed(model: MorphableModel, scene: Scene) -> Float[Tensor, "*batch vertices 3"]:
    """The surface vertices of a scene, in `cam`."""
    return scene.pose.T_cam_model @ model.shape_mm(scene.coefficients)


def depth(
    points_cam_mm: Float[Tensor, "vertices 3"], topology: Topology, camera: Camera
) -> tuple[Float[Tensor, "height width"], Fragments]:
    """How far the nearest surface is, pixel by pixel, at the pixels' centres.

    Returns:
        The distance from the plane of the camera in mm, infinite where no surface is; and what
        each pixel shows, to interpolate other values at the same places.
    """
    backend = choose_backend("auto", points_cam_mm.device)
    height, width = camera.height_px, camera.width_px
    clip = camera.to_clip(points_cam_mm)[None]
    fragments = backend.rasterise(clip, topology.triangles, height, width)
    found = backend.interpolate(-points_cam_mm[None, :, 2:], topology.triangles, fragments)
    return torch.where(fragments.covered[0], found[0, ..., 0], torch.inf), fragments
