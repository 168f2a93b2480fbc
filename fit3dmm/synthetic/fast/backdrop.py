"""What is behind people: walls, rooms, lights out of focus, the probes themselves."""

import numpy as np
from jaxtyping import Float
from PIL import Image
from scipy.ndimage import gaussian_filter

from fit3dmm.synthetic.probes import Probe

_COARSE_PX = 64
_FIELD_OF_VIEW = 0.7


def backdrop(
    probe: Probe,
    size_px: int,
    draw: np.random.Generator,
) -> Float[np.ndarray, "size size 3"]:
    """Linear light of a background, about as bright as the scene's own light.

    Args:
        probe: the light of the scene, of which a piece may be seen.
        size_px: side of the picture.
        draw: random numbers.
    """
    kind = draw.uniform()
    if kind < 0.25:
        coarse = _wall(draw)
    elif kind < 0.6:
        coarse = _room(draw)
    else:
        coarse = _view_of_probe(probe, draw)
    blur = np.exp(draw.uniform(np.log(0.3), np.log(6)))
    coarse = gaussian_filter(coarse, (blur, blur, 0), mode="nearest")
    return _enlarged(coarse.astype(np.float32), size_px)


def _wall(draw: np.random.Generator) -> np.ndarray:
    """Plain, with a slow gradient of light."""
    x = np.linspace(-1, 1, _COARSE_PX)
    slope = draw.normal(0, 0.35, 2)
    light = np.exp(slope[0] * x[:, None] + slope[1] * x[None, :])
    return light[..., None] * np.exp(draw.normal(-1.2, 0.9)) * np.exp(draw.normal(0, 0.25, 3))


def _room(draw: np.random.Generator) -> np.ndarray:
    """Boxes of all sizes with edges along and across, some of them bright as windows."""
    picture = _wall(draw)
    for _ in range(draw.integers(3, 16)):
        low = draw.integers(-10, _COARSE_PX, 2)
        size = np.exp(draw.uniform(np.log(3), np.log(50), 2)).astype(int)
        rows, columns = (slice(max(a, 0), max(a + s, 1)) for a, s in zip(low, size, strict=True))
        bright = 6.0 if draw.uniform() < 0.1 else 1.0
        colour = np.exp(draw.normal(-1.5, 1.0)) * np.exp(draw.normal(0, 0.35, 3)) * bright
        picture[rows, columns] = colour * (1 + 0.2 * draw.normal() * np.ones(3))
    for _ in range(draw.integers(0, 8) if draw.uniform() < 0.3 else 0):
        # Lamps out of focus.
        y, x = np.mgrid[:_COARSE_PX, :_COARSE_PX] - draw.uniform(0, _COARSE_PX, 2)[:, None, None]
        disc = (x**2 + y**2 < draw.uniform(1, 5) ** 2)[..., None]
        picture = picture + disc * np.exp(draw.normal(0.5, 0.6)) * draw.uniform(0.3, 1, 3)
    return picture


def _view_of_probe(probe: Probe, draw: np.random.Generator) -> np.ndarray:
    """The place where the light was measured."""
    x = np.linspace(-1, 1, _COARSE_PX) * _FIELD_OF_VIEW * draw.uniform(0.4, 1.2)
    rays = np.stack(np.broadcast_arrays(x[None, :], -x[:, None] + draw.normal(0, 0.1), -1.0), -1)
    rays = rays.reshape(-1, 3) / np.linalg.norm(rays.reshape(-1, 3), axis=1, keepdims=True)
    return probe.radiance.at(rays).reshape(_COARSE_PX, _COARSE_PX, 3)


def _enlarged(picture: Float[np.ndarray, "h w 3"], size_px: int) -> np.ndarray:
    planes = [
        np.asarray(Image.fromarray(plane).resize((size_px, size_px), Image.Resampling.BILINEAR))
        for plane in np.moveaxis(picture, 2, 0)
    ]
    return np.stack(planes, -1)
