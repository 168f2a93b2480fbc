"""Head-like meshes to draw: an analytic one that is open, and Commons."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fit3dmm.geometry.camera import Camera
from fit3dmm.geometry.mesh import Topology, build_topology
from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.model.files import load_model


@dataclass(frozen=True)
class Mesh:
    """A head in the frame of the camera, its colours and its topology."""

    points_cam_mm: Tensor
    colours: Tensor
    topology: Topology

    def clip(self, size_px: int, batch: int = 1) -> Tensor:
        """Corners for a square picture that the head fills."""
        camera = Camera.centred(0.8 * size_px * 600 / 230, size_px, size_px)
        return camera.to_clip(self.points_cam_mm).expand(batch, -1, -1).contiguous()


def cap(n: int = 189) -> Mesh:
    """An ellipsoid cap with a nose, of (n - 1)^2 quads: as dense as a face model, and open."""
    s, t = np.meshgrid(np.linspace(-1, 1, n), np.linspace(-1, 1, n))
    x, y = s * np.sqrt(1 - t * t / 2), t * np.sqrt(1 - s * s / 2)
    polar = np.minimum(np.hypot(x, y), 1) * np.deg2rad(105)
    around = np.arctan2(y, x)
    points = np.stack(
        [
            84 * np.sin(polar) * np.cos(around),
            108 * np.sin(polar) * np.sin(around),
            75 * np.cos(polar),
        ],
        -1,
    ).reshape(-1, 3)
    nose = np.exp(-((points[:, 0] / 16) ** 2) - ((points[:, 1] + 5) / 26) ** 2)
    points[:, 2] += 28 * nose * (points[:, 2] > 0)
    corner = np.arange(n * n).reshape(n, n)
    a, b = corner[:-1, :-1].ravel(), corner[:-1, 1:].ravel()
    c, d = corner[1:, :-1].ravel(), corner[1:, 1:].ravel()
    triangles = torch.from_numpy(np.stack([[a, b, d], [a, d, c]], 1).transpose(2, 1, 0))
    return _posed(torch.from_numpy(points).float(), triangles.reshape(-1, 3).contiguous())


def commons() -> Mesh:
    """The mean face at the finest level."""
    model = load_model("commons", level=2)
    return _posed(model.shape_mm(model.zeros()), model.surface.triangles)


def _posed(points: Tensor, triangles: Tensor) -> Mesh:
    turn = rotation_matrix(torch.tensor([0.1, 0.4, 0.05]))
    colours = 0.5 + points / 300
    points_cam = points @ turn.T - torch.tensor([0.0, 0.0, 600.0])
    return Mesh(points_cam, colours, build_topology(triangles, len(points)))
