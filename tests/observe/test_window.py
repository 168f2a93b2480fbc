"""Windows lie where they say, and views lead back to the photo."""

import numpy as np
import pytest
import torch

from fit3dmm.observe.face import DetectedFace
from fit3dmm.observe.window import Window, reduced, squares, view


def _face_at(points_px: np.ndarray) -> DetectedFace:
    points = torch.zeros(478, 2)
    points[: len(points_px)] = torch.from_numpy(points_px).float()
    return DetectedFace(points, torch.zeros(478), torch.zeros(1), ("jawOpen",), torch.eye(4))


@pytest.mark.parametrize("turn_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("window", [Window(-9, -6, 60, 48), Window(12, 9, 24, 18)])
@pytest.mark.parametrize("longest_px", [100, 20])
def test_views_lead_back_to_the_photo(turn_deg, window, longest_px):
    """Red and green say where a pixel lies."""
    y, x = np.mgrid[0:36, 0:42]
    photo = np.stack([x * 3, y * 3, 0 * x], axis=-1).astype(np.uint8)
    seen = view(photo, window, longest_px, turn_deg)
    rows, columns = np.array([[2, 3], [4, 1], [1, 2]]).T + min(seen.pixels.shape[:2]) // 3
    centres = np.stack([columns, rows], axis=1) + 0.5
    back = seen.in_photo(_face_at(centres)).points_px[:3].numpy()
    told = seen.pixels[rows, columns, :2] / 3 + 0.5
    within = np.clip(back, 0.5, [41.5, 35.5])
    # Bytes of block means are rounded to a sixth of a pixel.
    assert np.abs(told - within).max() < 0.2 + (seen.scale > 1) * 0.7
    assert max(seen.pixels.shape) <= longest_px


def test_reduction_in_bands_is_the_mean_of_blocks(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 255, (65, 47, 3), dtype=np.uint8)
    whole = reduced(pixels, 4)
    monkeypatch.setattr("fit3dmm.observe.window._BAND_PIXELS", 400)
    assert np.array_equal(reduced(pixels, 4), whole)
    means = pixels[:64, :44].reshape(16, 4, 11, 4, 3).mean((1, 3))
    assert np.abs(whole[:16, :11] - means).max() <= 0.51


@pytest.mark.parametrize(("width", "height", "side"), [(900, 120, 120), (333, 500, 160)])
def test_what_is_small_enough_lies_whole_in_a_square(width, height, side):
    windows = list(squares(width, height, side, side // 4))
    rng = np.random.default_rng(1)
    for _ in range(200):
        size = rng.uniform(1, 0.36 * side)
        x, y = rng.uniform(0, width - size), rng.uniform(0, height - size)
        assert any(
            w.left <= x and x + size <= w.left + side and w.top <= y and y + size <= w.top + side
            for w in windows
        )
