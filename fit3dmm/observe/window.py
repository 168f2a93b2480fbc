"""Pieces of a photo for the detector: cut out, continued beyond the border, reduced, turned."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from fit3dmm.observe.face import DetectedFace, Turn

# Pillow takes four bytes for a pixel, so large pictures go through it in pieces of this many.
_BAND_PIXELS = 1 << 22
_OVERLAP = 3 / 8


@dataclass(frozen=True)
class Window:
    """A rectangle of a photo, in whole pixels; it may reach beyond the borders."""

    left: int
    top: int
    width: int
    height: int

    def cuts(self, face: DetectedFace, photo_width: int, photo_height: int) -> bool:
        """Whether the window's border, and not the photo's, cuts a face of the photo."""
        left, top, right, bottom = face.box_px
        return (
            (left < self.left and self.left > 0)
            or (top < self.top and self.top > 0)
            or (right > self.left + self.width and self.left + self.width < photo_width)
            or (bottom > self.top + self.height and self.top + self.height < photo_height)
        )


@dataclass(frozen=True)
class View:
    """What the detector gets to see of a window."""

    pixels: np.ndarray
    """Reduced and turned."""
    scale: float
    """Pixels of the photo to one of the view."""
    left_px: float
    top_px: float
    """Where the view, turned back, starts in the photo."""
    turn_deg: Turn

    def in_photo(self, face: DetectedFace) -> DetectedFace:
        """A face of the view in pixels of the photo."""
        sides = self.pixels.shape[:2]
        height, width = sides if self.turn_deg % 180 == 0 else sides[::-1]
        unturned = face.unturned(self.turn_deg, width, height)
        return unturned.placed(self.scale, self.left_px, self.top_px)


def whole(pixels: np.ndarray) -> Window:
    """The window that shows a picture and nothing else."""
    return Window(0, 0, pixels.shape[1], pixels.shape[0])


def square(x_px: float, y_px: float, side: int) -> Window:
    """The square around a point."""
    return Window(round(x_px - side / 2), round(y_px - side / 2), side, side)


def squares(
    width: int, height: int, side: int, border: int, overlap: float = _OVERLAP
) -> Iterator[Window]:
    """Squares that overlap and cover a picture and a border around it.

    What is not larger than the share `overlap` of their side lies whole in one of them.

    Args:
        width: of the picture, in pixels.
        height: of the picture, in pixels.
        side: of the squares, in pixels.
        border: how far they reach beyond the picture, in pixels.
        overlap: of neighbours, at least, in units of the side.
    """
    for top in _starts(height, side, border, overlap):
        for left in _starts(width, side, border, overlap):
            yield Window(left, top, side, side)


def view(pixels: np.ndarray, window: Window, longest_px: int, turn_deg: Turn = 0) -> View:
    """Cut a window out of a picture `(height, width, 3)` of bytes.

    Args:
        pixels: of the whole picture, sRGB.
        window: may reach beyond the picture.
        longest_px: a larger window is averaged over blocks of pixels until it is no larger.
        turn_deg: quarter turn, clockwise, after the cut.
    """
    height, width = pixels.shape[:2]
    x_low, x_high = max(window.left, 0), min(window.left + window.width, width)
    y_low, y_high = max(window.top, 0), min(window.top + window.height, height)
    block = -(-max(window.width, window.height) // longest_px)
    piece = reduced(pixels[y_low:y_high, x_low:x_high], block)
    before_x, before_y = (x_low - window.left) // block, (y_low - window.top) // block
    after_x = max(0, window.left + window.width - x_high) // block
    after_y = max(0, window.top + window.height - y_high) // block
    if before_x or before_y or after_x or after_y:
        padding = ((before_y, after_y), (before_x, after_x), (0, 0))
        piece = np.pad(piece, padding, mode="edge")
    # numpy counts quarter turns anticlockwise.
    turned = np.rot90(piece, -turn_deg // 90)
    left_px, top_px = float(x_low - block * before_x), float(y_low - block * before_y)
    return View(turned, float(block), left_px, top_px, turn_deg)


def reduced(pixels: np.ndarray, block: int) -> np.ndarray:
    """Means over square blocks of bytes, in a memory that does not grow with the picture's."""
    if block == 1:
        return pixels
    height, width = pixels.shape[:2]
    rows = max(1, _BAND_PIXELS // width // block) * block
    bands = [
        np.asarray(Image.fromarray(np.ascontiguousarray(pixels[top : top + rows])).reduce(block))
        for top in range(0, height, rows)
    ]
    return np.concatenate(bands)


def _starts(extent: int, side: int, border: int, overlap: float) -> list[int]:
    covered = extent + 2 * border
    if side >= covered:
        return [(extent - side) // 2]
    n = int(np.ceil((covered - side) / ((1 - overlap) * side))) + 1
    return (np.linspace(0, covered - side, n).astype(int) - border).tolist()
