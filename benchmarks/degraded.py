"""Photos made worse in ways that happen to photos."""

from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy.ndimage import gaussian_filter

Pixels = UInt8[np.ndarray, "height width 3"]
Change = Callable[[Pixels, Float[np.ndarray, "68 2"], np.random.Generator], Pixels]


def _small(pixels: Pixels, points_px: np.ndarray, generator: np.random.Generator) -> Pixels:
    """A face in the background."""
    scale = min(1.0, generator.uniform(36, 80) / _size_px(points_px))
    sides = (round(scale * pixels.shape[1]), round(scale * pixels.shape[0]))
    return np.asarray(Image.fromarray(pixels).resize(sides, Image.Resampling.LANCZOS))


def _dark(pixels: Pixels, points_px: np.ndarray, generator: np.random.Generator) -> Pixels:
    """Too little light, brought up again with its noise."""
    del points_px
    linear = (pixels / 255) ** 2.2 * generator.uniform(0.05, 0.3)
    noise = generator.normal(size=linear.shape) * generator.uniform(0.006, 0.02)
    raised = np.clip((linear + noise) * generator.uniform(1.5, 4.0), 0, 1)
    return np.round(255 * raised ** (1 / 2.2)).astype(np.uint8)


def _blurred(pixels: Pixels, points_px: np.ndarray, generator: np.random.Generator) -> Pixels:
    """Out of focus."""
    sigma = generator.uniform(0.012, 0.04) * _size_px(points_px)
    return np.round(gaussian_filter(pixels.astype(float), (sigma, sigma, 0))).astype(np.uint8)


def _covered(pixels: Pixels, points_px: np.ndarray, generator: np.random.Generator) -> Pixels:
    """Something of one colour before chin, nose, an eye or a cheek."""
    middle = points_px[generator.choice([8, 30, 36, 45, 57, 2, 14, 27])]
    half = _size_px(points_px) * generator.uniform(0.15, 0.33, 2)
    row, column = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
    within = ((column - middle[0]) / half[0]) ** 2 + ((row - middle[1]) / half[1]) ** 2 < 1
    changed = pixels.copy()
    changed[within] = generator.integers(0, 256, 3)
    return changed


def _as_it_is(pixels: Pixels, points_px: np.ndarray, generator: np.random.Generator) -> Pixels:
    del points_px, generator
    return pixels


def _size_px(points_px: np.ndarray) -> float:
    return float(np.ptp(points_px, axis=0).max())


CHANGES: Mapping[str, Change] = {
    "as it is": _as_it_is,
    "small": _small,
    "dark": _dark,
    "blurred": _blurred,
    "covered": _covered,
}
"""By name: photo, the face's 68 points in it, and random numbers, to a photo."""
