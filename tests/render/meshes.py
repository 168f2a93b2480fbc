"""Small meshes in clip space for the tests of the renderer."""

import torch

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology
from fit3dmm.geometry.rotation import rotation_matrix
from tests.toy import toy_model


def toy_head(
    size: int = 96, yaws: tuple[float, ...] = (0.4,), level: int = 1
) -> tuple[torch.Tensor, Topology, Camera]:
    """The toy head in the frame of the camera (images, vertices, 3), its topology and a camera."""
    model = toy_model(level=level)
    points = model.shape_mm(model.zeros())
    turns = rotation_matrix(torch.tensor([[0.1, yaw, 0.05] for yaw in yaws]))
    points_cam = points @ turns.mT + torch.tensor([3.0, -2.0, -600.0])
    camera = Camera.centred(0.8 * size * 600 / 230, size, size)
    return points_cam, model.surface.topology, camera


def toy_clip(
    size: int = 96, yaws: tuple[float, ...] = (0.4,), level: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """The toy head in clip space (images, vertices, 4), and its triangles."""
    points_cam, topology, camera = toy_head(size, yaws, level)
    return camera.to_clip(points_cam), topology.triangles


def one_triangle(*corners: tuple[float, float, float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    """A triangle from its clip corners."""
    return torch.tensor([corners], dtype=torch.float32), torch.tensor([[0, 1, 2]])


def in_pixels(points_px: list[list[float]], size: int, depth: float = 0.0) -> torch.Tensor:
    """Clip coordinates (1, points, 4) of points of a square picture, all at one depth."""
    px = torch.tensor([points_px])
    rest = torch.tensor([depth, 1.0]).expand(1, px.shape[1], 2)
    return torch.cat([2 * px / size - 1, rest], -1)
