"""Pictures that cost nothing, for tests of what is made with pictures."""

import functools
import time

import numpy as np

from fit3dmm.geometry.rotation import rotation_matrix
from fit3dmm.synthetic.fast.example import Example

SIZES = {"identity": 4, "detail": 2, "expression": 3, "albedo": 2}
N_POINTS = 10


class Painter:
    """Paints a bright spot for each point: what a network can learn in a few steps."""

    def __init__(self, size_px: int = 64, pause_s: float = 0.0) -> None:
        self.size_px, self.pause_s = size_px, pause_s

    def take(self, seed: int) -> Example:
        import torch

        time.sleep(self.pause_s)
        draw = np.random.default_rng(seed)
        size = self.size_px
        points = draw.uniform(0.2, 0.8, (N_POINTS, 2)).astype(np.float32) * size
        image = draw.integers(0, 80, (size, size, 3)).astype(np.uint8)
        column, row = points.astype(int).T
        image[row, column] = 255
        rotation = rotation_matrix(torch.from_numpy(draw.normal(0, 0.2, 3))).numpy()
        return Example(
            image_srgb=image,
            points_px=points,
            points_mm=draw.normal(size=(N_POINTS, 3)).astype(np.float32),
            cover=np.zeros((8, 8), dtype=np.uint8),
            rotation=rotation.astype(np.float32),
            translation_mm=np.array([0, 0, -800], dtype=np.float32),
            focal_px=200.0,
            principal_point_px=np.full(2, size / 2, dtype=np.float32),
            **{k: draw.normal(size=n).astype(np.float32) for k, n in SIZES.items()},
            is_of_model=bool(seed % 2),
            irradiance_sh=draw.normal(size=(9, 3)).astype(np.float32),
            tone=0.3,
        )


def painter(size_px: int = 64, pause_s: float = 0.0):
    """What a pool takes."""
    return functools.partial(Painter, size_px, pause_s)


def tiny_network(trunk: str = "lite0"):
    """An untrained network for the painter's pictures; the same weights each time."""
    import torch

    from fit3dmm.regress.network import FaceNetwork, NetworkSettings

    torch.manual_seed(0)
    return FaceNetwork(
        NetworkSettings(trunk, N_POINTS, **SIZES, cover_cells=8), torch.full((N_POINTS, 2), 0.5)
    )
