"""Observations made from scenes, so that the truth of a fit is known."""

from collections.abc import Callable

import torch

from fit3dmm.geometry.harmonics import sh_basis
from fit3dmm.geometry.mesh import vertex_normals
from fit3dmm.model.morphable import MorphableModel
from fit3dmm.observe.crop import crop_around
from fit3dmm.observe.detection import MEDIAPIPE, MEDIAPIPE_POINTS, Detection
from fit3dmm.observe.observation import Observation
from fit3dmm.render.backend import choose_backend
from fit3dmm.scene import Scene

Irradiance = Callable[[torch.Tensor], torch.Tensor]


def observe_scene(
    model: MorphableModel,
    scene: Scene,
    size_px: int = 224,
    landmark_noise_px: float = 0.0,
    generator: torch.Generator | None = None,
    background_linear: float = 0.2,
    irradiance: Irradiance | None = None,
) -> Observation:
    """What a perfect detector and camera would see of the scene.

    Args:
        irradiance: of each normal (`cam`), where it is not that of the scene's own light.
    """
    points_mm = model.landmarks_mm("mediapipe478", scene.coefficients)
    points = scene.camera.project(scene.pose.T_cam_model @ points_mm)
    T_crop_photo = crop_around(points, size_px, 1.4)
    crop_scene = scene.replace(camera=scene.camera.cropped(T_crop_photo, size_px, size_px))
    image = draw(model, crop_scene, background_linear, irradiance)
    if landmark_noise_px:
        points = points + landmark_noise_px * torch.randn(points.shape, generator=generator)
    return Observation(
        name="synthetic",
        photo_width_px=scene.camera.width_px,
        photo_height_px=scene.camera.height_px,
        exif_focal_px=None,
        T_crop_photo=T_crop_photo,
        image_linear=image,
        inside=torch.ones(size_px, size_px, dtype=torch.bool),
        skin=torch.ones(size_px, size_px),
        detections={MEDIAPIPE: Detection(MEDIAPIPE, MEDIAPIPE_POINTS, points)},
        blendshapes=scene.coefficients.expression,
        blendshape_names=model.expression_names,
        T_cam_canonical=torch.eye(4),
    )


def with_points(observation: Observation, points_px: torch.Tensor) -> Observation:
    """The same with MediaPipe's points elsewhere."""
    return observation.seen_by(observation.detection().replace(points_px=points_px))


def draw(
    model: MorphableModel,
    scene: Scene,
    background_linear: float,
    irradiance: Irradiance | None = None,
) -> torch.Tensor:
    """The picture, at the size of the scene's camera, with each pixel the mean of four."""
    height, width = scene.camera.height_px * 2, scene.camera.width_px * 2
    camera = scene.camera.replace(
        focal_px=scene.camera.focal_px * 2,
        principal_point_px=scene.camera.principal_point_px * 2,
        width_px=width,
        height_px=height,
    )
    topology = model.surface.topology
    cam = scene.pose.T_cam_model @ model.shape_mm(scene.coefficients)
    normals = vertex_normals(cam, topology)
    lit = (
        sh_basis(normals) @ scene.lighting.irradiance_sh
        if irradiance is None
        else irradiance(normals)
    )
    colour = model.albedo_linear(scene.coefficients) * lit
    backend = choose_backend("auto", cam.device)
    fragments = backend.rasterise(camera.to_clip(cam)[None], topology.triangles, height, width)
    image = backend.interpolate(colour[None], topology.triangles, fragments)[0]
    image = torch.where(fragments.covered[0][..., None], image, background_linear)
    return torch.nn.functional.avg_pool2d(image.permute(2, 0, 1)[None], 2)[0].permute(1, 2, 0)
