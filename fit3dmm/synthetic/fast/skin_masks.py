"""Masks of skin for training pictures."""

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFilter

from fit3dmm.observe.predicted import HAND, SKIN
from fit3dmm.observe.skin.pixels import OTHER, UNKNOWN
from fit3dmm.observe.skin.pixels import SKIN as SKIN_BYTE
from fit3dmm.synthetic.fast.example import Example

# MediaPipe's points around the eyes and the mouth, which are no skin's colour.
_EYE_RIGHT = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
_EYE_LEFT = (362, 382, 381, 380, 374, 373, 390, 249, 263, 466, 388, 387, 386, 385, 384, 398)
_MOUTH = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)


def skin_mask(example: Example) -> UInt8[np.ndarray, "size size"]:
    """Which pixels show the skin of the head, for sure.

    Edges are unknown, because their colours are mixed; so are eyes, lips and what shows between
    them, and hands, which are skin too, and which a fit must not take for the face.

    Args:
        example: of a studio with a cell of the cover map for each pixel.

    Raises:
        ValueError: its cells are coarser, or its first points are not MediaPipe's.
    """
    cover, size = example.cover, example.image_srgb.shape[0]
    if cover.shape[0] != size or len(example.points_px) < max(_EYE_LEFT):
        raise ValueError(
            f"Expected a cell for each of {size} pixels and MediaPipe's points, got "
            f"{cover.shape[0]} cells and {len(example.points_px)} points."
        )
    picture = Image.fromarray(cover)
    low, high = (
        np.asarray(picture.filter(f(3))) for f in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    )
    features = Image.new("1", (size, size))
    draw = ImageDraw.Draw(features)
    for ring in (_EYE_RIGHT, _EYE_LEFT, _MOUTH):
        outline = [tuple(point) for point in example.points_px[list(ring)].tolist()]
        draw.polygon(outline, fill=1, outline=1, width=3)
    unknown = (low != high) | (cover == HAND) | ((cover == SKIN) & np.asarray(features))
    mask = np.where(cover == SKIN, SKIN_BYTE, OTHER)
    return np.where(unknown, UNKNOWN, mask).astype(np.uint8)
